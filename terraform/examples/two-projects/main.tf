# Operations in a project of their own, in another region, for two applications, with keys of ours
# and people who sign in elsewhere.
module "rollback" {
  source = "../.."

  operations_project = "example-operations"
  policies = [
    "${path.module}/../../../policies/cvplus.yaml",
    "${path.module}/../../../policies/example.yaml",
  ]
  region           = "europe-west3"
  identity_project = "example-people"
  runtime_accounts = { bookshop = ["shop@bookshop-prod.iam.gserviceaccount.com"] }

  clock_regions         = ["europe-west1", "europe-west3"]
  command_publishers    = ["group:oncall@example.com"]
  deployment_publishers = ["serviceAccount:ci@example-operations.iam.gserviceaccount.com"]
  letter_keepers        = ["group:oncall@example.com"]
  override_publishers   = ["group:incident-commanders@example.com"]
  pager_channels        = { oncall = { type = "email", labels = { email_address = "oncall@example.com" } } }

  access_logs = true
  application_databases = {
    bookshop = { adopt_location = "eur3", weekly_weeks = 0 } # its weekly schedule was there before
    cvplus   = {}
  }
  audit_bucket = {
    location       = "EU"
    retention_days = 365
    kms_key        = "projects/example-keys/locations/europe/keyRings/rollback/cryptoKeys/audit"
  }
  exports = {
    bookshop = {
      location = "EU"
      kms_key  = "projects/example-keys/locations/europe/keyRings/rollback/cryptoKeys/exports"
      second   = { location = "US", kms_key = "projects/example-keys/locations/us/keyRings/rollback/cryptoKeys/exports" }
    }
  }
  state_kms_key  = "projects/example-keys/locations/europe/keyRings/rollback/cryptoKeys/state"
  state_location = "eur3"
  status_page    = "US"
}

output "rollback" {
  description = "What was provisioned."
  value       = module.rollback
}
