# The smallest set: responders, topics, state and clock, in the application's own project.
module "rollback" {
  source = "../.."

  operations_project = "cvplus"
  policies           = ["${path.module}/../../../policies/cvplus.yaml"]
  region             = "us-east1"
  command_publishers = ["group:oncall@cvplus.com"]
  pager_channels     = { oncall = { type = "email", labels = { email_address = "oncall@cvplus.com" } } }
}

output "rollback" {
  description = "What was provisioned."
  value       = module.rollback
}
