# The smallest set: responders, topics, state, clock, and the alerts that a rollback answers, in the
# application's own project.
module "rollback" {
  source = "../.."

  operations_project    = "cvplus"
  policies              = ["${path.module}/../../../policies/cvplus.yaml"]
  region                = "us-east1"
  command_publishers    = ["group:oncall@cvplus.com"]
  deployment_publishers = ["group:oncall@cvplus.com"] # for the baseline; add the account of CI
  viewers               = ["group:oncall@cvplus.com"]
  pager_channels        = { oncall = { type = "email", labels = { email_address = "oncall@cvplus.com" } } }
}

output "rollback" {
  description = "What was provisioned."
  value       = module.rollback
}
