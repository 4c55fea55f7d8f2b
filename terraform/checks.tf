# What a person has stopped stays stopped through an apply, and each plan says so where Terraform can
# read it. A detached subscription is shown by `rollback doctor` alone.

check "worker_is_enabled" {
  assert {
    condition     = google_service_account.responders["on_work"].disabled != true
    error_message = "The worker's account is disabled: somebody has stopped all rollbacks. An apply does not lift that; gcloud iam service-accounts enable ${google_service_account.responders["on_work"].email} does."
  }
}

check "traffic_is_not_held" {
  assert {
    condition     = !var.hold_traffic
    error_message = "hold_traffic is set: new revisions of our own functions get no traffic."
  }
}
