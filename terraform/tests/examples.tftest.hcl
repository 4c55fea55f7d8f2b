# terraform test, without a cloud: each example can be planned.

mock_provider "archive" {}
mock_provider "google" {}
mock_provider "google-beta" {}
mock_provider "time" {}

run "minimal" {
  command = plan

  module {
    source = "./examples/minimal"
  }

  assert {
    condition     = output.rollback.applications == { cvplus = "cvplus" }
    error_message = "The example protects cvplus."
  }
}

run "one_project" {
  command = plan

  module {
    source = "./examples/one-project"
  }

  assert {
    condition     = output.rollback.applications == { cvplus = "cvplus" }
    error_message = "The example protects cvplus."
  }
}

run "two_projects" {
  command = plan

  module {
    source = "./examples/two-projects"
  }

  assert {
    condition     = output.rollback.applications == { bookshop = "bookshop-prod", cvplus = "cvplus" }
    error_message = "The example protects two systems."
  }
}
