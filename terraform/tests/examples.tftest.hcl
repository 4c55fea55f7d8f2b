# terraform test, without a cloud: each example can be planned, and plans what its comment promises.
# An example has no provider requirements of its own, so each run names the mocked providers.

mock_provider "google" {
  # OpenTofu gives a plan mocked values too, and the provider checks their form.
  mock_data "google_project" {
    defaults = { number = "123456789012" }
  }
  mock_resource "google_logging_project_sink" {
    defaults = { writer_identity = "serviceAccount:sink@gcp-sa-logging.iam.gserviceaccount.com" }
  }
  mock_resource "google_service_account" {
    defaults = {
      email  = "an-account@example-operations.iam.gserviceaccount.com"
      member = "serviceAccount:an-account@example-operations.iam.gserviceaccount.com"
      name   = "projects/example-operations/serviceAccounts/an-account@example-operations.iam.gserviceaccount.com"
    }
  }
}
mock_provider "time" {}

run "minimal" {
  command = plan

  providers = {
    google = google
    time   = time
  }

  module {
    source = "./examples/minimal"
  }

  assert {
    condition     = output.rollback.applications == { cvplus = "cvplus" }
    error_message = "The example protects cvplus."
  }
  assert {
    condition     = join(" ", keys(output.rollback.functions)) == "on_alert on_clock on_command on_deployment on_notice on_override on_work"
    error_message = "The example creates the six functions of the responders."
  }
  assert {
    condition = output.rollback.buckets == {
      policies   = "cvplus-rollback-policies"
      quarantine = "cvplus-rollback-quarantine"
      source     = "cvplus-rollback-source"
      sources    = "cvplus-rollback-sources"
      values     = "cvplus-rollback-values"
    }
    error_message = "The example creates no bucket for exports, audit heads or a status page."
  }
  assert {
    condition     = output.rollback.status_page == null && output.rollback.console == null
    error_message = "The example publishes nothing and creates no console."
  }
}

run "one_project" {
  command = plan

  providers = {
    google = google
    time   = time
  }

  module {
    source = "./examples/one-project"
  }

  assert {
    condition     = output.rollback.applications == { cvplus = "cvplus" }
    error_message = "The example protects cvplus."
  }
  assert {
    condition     = length(setsubtract(["audit", "exports-cvplus", "exports-cvplus-second", "status"], keys(output.rollback.buckets))) == 0
    error_message = "The example creates buckets for audit heads, for exports on two continents and for the status page."
  }
  assert {
    condition     = output.rollback.status_page == "https://storage.googleapis.com/${output.rollback.buckets.status}/public/"
    error_message = "The address of the status page lies in its bucket."
  }
}

run "two_projects" {
  command = plan

  providers = {
    google = google
    time   = time
  }

  module {
    source = "./examples/two-projects"
  }

  assert {
    condition     = output.rollback.applications == { bookshop = "bookshop-prod", cvplus = "cvplus" }
    error_message = "The example protects two systems."
  }
  assert {
    condition     = alltrue([for name in values(output.rollback.buckets) : startswith(name, "example-operations-")])
    error_message = "Every bucket belongs to the operations project."
  }
  assert {
    condition     = length(setsubtract(["exports-bookshop", "exports-bookshop-second"], keys(output.rollback.buckets))) == 0
    error_message = "The example creates buckets for exports of the bookshop on two continents."
  }
}
