# terraform test, without a cloud: a console, who reaches it, and Google's service agents.

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

variables {
  console            = { invokers = ["allUsers", "group:oncall@example.com"] }
  operations_project = "example-operations"
  pager_channels     = { oncall = { type = "email", labels = { email_address = "oncall@example.com" } } }
  policies           = ["../policies/cvplus.yaml"]
  region             = "us-east1"

  secrets = { # of the test account that the probes sign in as
    rollback-probe-key      = { readers = ["on_clock", "on_deployment", "on_work"] }
    rollback-probe-password = { readers = ["on_clock", "on_deployment", "on_work"] }
  }
}

run "console" {
  command = plan

  assert {
    condition     = alltrue([for one in ["allUsers", "group:oncall@example.com"] : google_cloud_run_v2_service_iam_member.console[one].member == one])
    error_message = "Each invoker reaches the console."
  }
  assert {
    condition     = length(google_cloud_run_v2_service_iam_member.console) == 2
    error_message = "Nobody else reaches the console."
  }
  assert {
    condition     = google_cloudfunctions2_function.console["console"].service_config[0].ingress_settings == "ALLOW_ALL"
    error_message = "Browsers reach the console from outside."
  }
  assert {
    condition     = google_workload_identity_service_agent.agents["pubsub.googleapis.com"].parent == "projects/123456789012/locations/global/serviceProducers/pubsub.googleapis.com"
    error_message = "Pub/Sub's service agent is created in the operations project."
  }
}
