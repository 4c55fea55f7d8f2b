output "accounts" {
  description = "The service account (email address) of each responder, by entry point."
  value       = { for entry_point, account in google_service_account.responders : entry_point => account.email }
}

output "applications" {
  description = "The project of each protected system, by system."
  value       = { for system, policy in local.policies : system => policy.project }
}

output "buckets" {
  description = "Names of the buckets, by what they hold: audit, policies, quarantine, source, sources, status (public), values, exports-SYSTEM, exports-SYSTEM-second."
  value = merge(
    { for key, bucket in google_storage_bucket.audit : key => bucket.name },
    { for key, bucket in google_storage_bucket.exports : "exports-${key}" => bucket.name },
    { for key, bucket in google_storage_bucket.kept : key => bucket.name },
    { for key, bucket in google_storage_bucket.quarantine : key => bucket.name },
    { policies = google_storage_bucket.policies.name },
    { source = google_storage_bucket.source.name },
    { for bucket in values(google_storage_bucket.status) : "status" => bucket.name },
  )
}

output "console" {
  description = "The address of the operators' console; null where there is none."
  value       = one([for function in values(google_cloudfunctions2_function.console) : function.service_config[0].uri])
}

output "database" {
  description = "The state database, projects/P/databases/D."
  value       = google_firestore_database.state.id
}

output "dead_letters" {
  description = "The subscription in which dead letters wait, projects/P/subscriptions/S."
  value       = google_pubsub_subscription.letters_kept.id
}

output "emergency_stop" {
  description = "Two commands that stop all rollbacks, whatever state the responders are in. An apply does not lift them."
  value = [
    "gcloud pubsub topics detach-subscription ${google_pubsub_subscription.push["rollback-work"].name} --project=${var.operations_project}",
    "gcloud iam service-accounts disable ${google_service_account.responders["on_work"].email} --project=${var.operations_project}",
  ]
}

output "functions" {
  description = "The address of each function, by entry point; only Pub/Sub gets in."
  value       = { for entry_point, function in google_cloudfunctions2_function.responders : entry_point => function.service_config[0].uri }
}

output "grants" {
  description = "Why each grant is there, by the address of its resource in this module."
  value       = local.reasons
}

output "status_page" {
  description = "Address below which everybody reads the status page; null without a bucket for it."
  value       = one([for bucket in values(google_storage_bucket.status) : "https://storage.googleapis.com/${bucket.name}/public/"])
}

output "topics" {
  description = "Each topic (projects/P/topics/T), by name."
  value       = { for name, topic in google_pubsub_topic.rollback : name => topic.id }
}
