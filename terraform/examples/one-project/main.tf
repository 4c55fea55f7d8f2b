# Operations and application in one project, with all that protects data and people.
module "rollback" {
  source = "../.."

  operations_project = "cvplus"
  policies           = ["${path.module}/../../../policies/cvplus.yaml"]
  region             = "us-east1"

  command_publishers    = ["group:oncall@cvplus.com"]
  deployment_publishers = ["group:oncall@cvplus.com", "serviceAccount:ci-deploy@cvplus.iam.gserviceaccount.com"]
  letter_keepers        = ["group:oncall@cvplus.com"]
  state_readers         = ["serviceAccount:ci-deploy@cvplus.iam.gserviceaccount.com"]
  viewers               = ["group:oncall@cvplus.com"]
  pager_channels        = { oncall = { type = "email", labels = { email_address = "oncall@cvplus.com" } } }

  alert_severities = ["CRITICAL", "HIGH", "MEDIUM", "LOW"]
  dashboards       = true
  dead_man_url     = "https://switch.example.com/cvplus" # of a service outside Google Cloud
  health_alerts    = true
  health_channels  = { team = { type = "email", labels = { email_address = "team@cvplus.com" } } }
  uptime_checks    = true

  access_logs           = true
  application_databases = { cvplus = {} }
  audit_bucket          = { location = "US" }
  exports               = { cvplus = { database_location = "us-central1", second = { location = "EU" } } }
  labels                = { owner = "operations" }
  status_page           = "EU"

  secrets = {
    rollback-chat           = { readers = ["on_notice"] }
    rollback-probe-key      = { readers = ["on_clock", "on_deployment", "on_work"] }
    rollback-probe-password = { readers = ["on_clock", "on_deployment", "on_work"] }
  }
}

output "rollback" {
  description = "What was provisioned."
  value       = module.rollback
}
