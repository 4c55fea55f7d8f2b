# Findings of Security Command Center, where a policy takes some for a security breach: they arrive
# on the topic of the alerts, and become one. Where an application's organisation has no Security
# Command Center, the apply says so. What is muted, or is over, is notified of as well.

resource "google_scc_v2_project_notification_config" "findings" {
  for_each = { for system, policy in local.policies : system => policy if try(policy.findings, null) != null }

  project      = each.value.project
  location     = "global"
  config_id    = "rollback-${each.key}"
  description  = "What the responders take for a security breach."
  pubsub_topic = google_pubsub_topic.rollback["rollback-alerts"].id

  streaming_config {
    filter = join(" AND ", [
      for field, admitted in {
        finding_class = coalesce(try(each.value.findings.classes, null), ["THREAT"])
        severity      = coalesce(try(each.value.findings.severities, null), ["CRITICAL"])
      } : "(${join(" OR ", [for one in admitted : "${field}=\"${one}\""])})"
    ])
  }

  depends_on = [google_project_service.operations, google_project_service.others]
}

resource "google_pubsub_topic_iam_member" "findings" {
  for_each = google_scc_v2_project_notification_config.findings

  project = google_pubsub_topic.rollback["rollback-alerts"].project
  topic   = google_pubsub_topic.rollback["rollback-alerts"].name
  role    = "roles/pubsub.publisher"
  member  = "serviceAccount:${each.value.service_account}"
}
