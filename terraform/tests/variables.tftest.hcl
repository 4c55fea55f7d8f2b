# terraform test, without a cloud: values that cannot work are refused before anything is planned.

mock_provider "google" {}
mock_provider "time" {}

variables {
  operations_project = "example-operations"
  pager_channels     = { oncall = { type = "email", labels = { email_address = "oncall@example.com" } } }
  policies           = ["../policies/cvplus.yaml"]
  region             = "us-east1"

  secrets = { # of the test account that the probes sign in as
    rollback-probe-key      = { readers = ["on_clock", "on_deployment", "on_work"] }
    rollback-probe-password = { readers = ["on_clock", "on_deployment", "on_work"] }
  }
}

# One run for all of them: every one of the four must be refused.
run "values_that_cannot_work" {
  command = plan

  variables {
    clock_regions = ["us-east1", "us-east1"]                                                        # both clocks in one region
    exports       = { cvplus = { database_location = "nam5", second = { location = "us-east1" } } } # one continent
    state_kms_key = "projects/keys/locations/europe/keyRings/rollback/cryptoKeys/state"             # the state is elsewhere
    viewers       = ["allUsers"]
  }

  expect_failures = [
    var.clock_regions,
    var.exports,
    var.state_kms_key,
    var.viewers,
  ]
}
