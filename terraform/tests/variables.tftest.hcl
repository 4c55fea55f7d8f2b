# terraform test, without a cloud: what means nothing is refused before anything is planned.

mock_provider "archive" {}
mock_provider "google" {}
mock_provider "google-beta" {}
mock_provider "time" {}

variables {
  operations_project = "example-operations"
  policies           = ["../policies/cvplus.yaml"]
  region             = "us-east1"
}

run "a_key_in_another_place_than_the_state" {
  command = plan

  variables {
    state_kms_key = "projects/keys/locations/europe/keyRings/rollback/cryptoKeys/state"
  }

  expect_failures = [var.state_kms_key]
}

run "both_copies_in_one_continent" {
  command = plan

  variables {
    exports = { cvplus = { database_location = "nam5", second = { location = "us-east1" } } }
  }

  expect_failures = [var.exports]
}

run "two_clocks_in_one_region" {
  command = plan

  variables {
    clock_regions = ["us-east1", "us-east1"]
  }

  expect_failures = [var.clock_regions]
}

run "everybody_as_a_viewer" {
  command = plan

  variables {
    viewers = ["allUsers"]
  }

  expect_failures = [var.viewers]
}
