# terraform test, without a cloud: alerts by service notify the responders alone, the incident pages, not an alert.

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
  existing_pager_channels = ["projects/example-operations/notificationChannels/7"]
  operations_project      = "example-operations"
  pager_channels          = { oncall = { type = "email", labels = { email_address = "oncall@example.com" } } }
  policies                = ["../policies/cvplus.yaml"]
  region                  = "us-east1"

  secrets = { # of the test account that the probes sign in as
    rollback-probe-key      = { readers = ["on_clock", "on_deployment", "on_work"] }
    rollback-probe-password = { readers = ["on_clock", "on_deployment", "on_work"] }
  }
}

run "pagers" {
  command = plan

  assert {
    condition     = length(google_monitoring_alert_policy.signal) > 0
    error_message = "Signals have alert policies."
  }
  assert {
    condition     = alltrue([for policy in google_monitoring_alert_policy.signal : length(policy.notification_channels) == 1])
    error_message = "An alert policy by service notifies the responders alone."
  }
  assert {
    condition     = alltrue([for policy in google_monitoring_alert_policy.self : length(policy.notification_channels) == 2])
    error_message = "Alerts on the responders, and on incidents that nobody acknowledges, notify each pager channel."
  }
  assert {
    condition     = contains(keys(google_monitoring_alert_policy.self), "unanswered_incident")
    error_message = "An incident that nobody acknowledges has an alert policy."
  }
  assert {
    condition     = alltrue([for channel in google_monitoring_notification_channel.pager : channel.project == "example-operations"])
    error_message = "Pager channels belong to the operations project."
  }
}

run "another_project" {
  command = plan

  variables {
    existing_pager_channels = ["projects/cvplus/notificationChannels/7"]
  }

  expect_failures = [var.existing_pager_channels]
}
