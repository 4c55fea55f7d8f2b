# Operations and application in one project, with all that protects data and people.
module "rollback" {
  source = "../.."

  operations_project = "cvplus"
  policies           = ["${path.module}/../../../policies/cvplus.yaml"]
  region             = "us-east1"

  command_publishers    = ["group:oncall@cvplus.com"]
  deployment_publishers = ["serviceAccount:ci@cvplus.iam.gserviceaccount.com"]
  letter_keepers        = ["group:oncall@cvplus.com"]
  pager_channels        = { oncall = { type = "email", labels = { email_address = "oncall@cvplus.com" } } }

  access_logs           = true
  application_databases = { cvplus = {} }
  audit_bucket          = { location = "US" }
  exports               = { cvplus = { location = "US", second = { location = "EU" } } }
  labels                = { owner = "operations" }
  secrets               = { rollback-chat = { readers = ["on_notice"] } }
  status_page           = "EU"
}

output "rollback" {
  description = "What was provisioned."
  value       = module.rollback
}
