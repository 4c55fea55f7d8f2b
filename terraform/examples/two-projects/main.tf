# Operations in a project of their own, in another region, for two applications, with keys of ours
# and people who sign in elsewhere.

# The budget is asked for in the name of a project.
provider "google" {
  billing_project       = "example-operations"
  user_project_override = true
}

module "rollback" {
  source = "../.."

  operations_project = "example-operations"
  policies = [
    "${path.module}/../../../policies/cvplus.yaml",
    "${path.module}/../../../policies/example.yaml",
  ]
  region           = "europe-west3"
  identity_project = "example-people"
  runtime_accounts = { bookshop = ["shop-functions@bookshop-prod.iam.gserviceaccount.com"] }

  clock_regions         = ["europe-west1", "europe-west3"]
  command_publishers    = ["group:oncall@example.com"]
  deployment_publishers = ["group:oncall@example.com", "serviceAccount:ci-deploy@example-operations.iam.gserviceaccount.com"]
  letter_keepers        = ["group:oncall@example.com"]
  override_publishers   = ["group:incident-commanders@example.com"]
  state_readers         = ["serviceAccount:ci-deploy@example-operations.iam.gserviceaccount.com"]
  viewers               = ["group:oncall@example.com"]
  pager_channels        = { oncall = { type = "email", labels = { email_address = "oncall@example.com" } } }

  alert_severities = ["CRITICAL", "HIGH", "MEDIUM", "LOW"]
  billing_account  = "012345-6789AB-CDEF01"
  budget_amount    = 60
  dashboards       = true
  dead_man_url     = "https://switch.example.com/rollback" # of a service outside Google Cloud
  health_alerts    = true
  health_channels  = { team = { type = "email", labels = { email_address = "team@example.com" } } }
  uptime_checks    = true

  secrets = { # of the test account that the probes sign in as
    rollback-probe-key      = { readers = ["on_clock", "on_deployment", "on_work"] }
    rollback-probe-password = { readers = ["on_clock", "on_deployment", "on_work"] }
  }

  access_logs = true
  application_databases = {
    bookshop = { adopt_location = "eur3", weekly_weeks = 0 } # its weekly schedule was there before
    cvplus   = {}
  }
  application_images = {
    bookshop = { days = 90 } # imported: its repository was there before
    cvplus   = {}
  }
  audit_bucket = {
    location       = "EU"
    retention_days = 365
    kms_key        = "projects/example-keys/locations/europe/keyRings/rollback/cryptoKeys/audit"
  }
  exports = {
    bookshop = {
      database_location = "eur3"
      kms_key           = "projects/example-keys/locations/europe/keyRings/rollback/cryptoKeys/exports"
      second            = { location = "US", kms_key = "projects/example-keys/locations/us/keyRings/rollback/cryptoKeys/exports" }
    }
  }
  kept = {
    location        = "EU"
    sources_kms_key = "projects/example-keys/locations/europe/keyRings/rollback/cryptoKeys/sources"
    values_kms_key  = "projects/example-keys/locations/europe/keyRings/rollback/cryptoKeys/values"
  }
  state_kms_key  = "projects/example-keys/locations/europe/keyRings/rollback/cryptoKeys/state"
  state_location = "eur3"
  status_page    = "US"
}

output "rollback" {
  description = "What was provisioned."
  value       = module.rollback
}
