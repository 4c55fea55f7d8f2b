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

  secrets = { # of the test account that the probes sign in as
    rollback-probe-key      = { readers = ["on_clock", "on_deployment", "on_work"] }
    rollback-probe-password = { readers = ["on_clock", "on_deployment", "on_work"] }
  }
}

output "rollback" {
  description = "What was provisioned."
  value       = module.rollback
}
