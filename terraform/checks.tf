# What a person has stopped stays stopped through an apply, and each plan says so.

check "worker_is_enabled" {
  assert {
    condition     = google_service_account.responders["on_work"].disabled != true
    error_message = "The worker's account is disabled: somebody has stopped all rollbacks. An apply does not lift that; gcloud iam service-accounts enable ${google_service_account.responders["on_work"].email} does."
  }
}

check "work_is_attached" {
  assert {
    condition     = google_pubsub_subscription.push["rollback-work"].topic == "projects/${var.operations_project}/topics/rollback-work"
    error_message = "The work subscription is detached: somebody has stopped all rollbacks. An apply does not lift that; terraform apply -replace 'module.rollback.google_pubsub_subscription.push[\"rollback-work\"]' does."
  }
}

check "traffic_is_not_held" {
  assert {
    condition     = !var.hold_traffic
    error_message = "hold_traffic is set: new revisions of our own functions get no traffic."
  }
}
