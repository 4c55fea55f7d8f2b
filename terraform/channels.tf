# The ways out of Cloud Monitoring. Google makes the agent that publishes with the first Pub/Sub
# channel of a project, so the grant comes after the channel, and the alert policies after the
# grant. The topic has no schema: it would refuse Monitoring's messages.

resource "google_monitoring_notification_channel" "alerts" {
  for_each = local.applications

  project      = each.key
  display_name = "Emergency rollback"
  description  = "To the responders. They notify people of the incident, not of each alert."
  type         = "pubsub"
  user_labels  = var.labels
  labels       = { topic = google_pubsub_topic.rollback["rollback-alerts"].id }

  depends_on = [google_project_service.operations, google_project_service.others]
}

resource "google_pubsub_topic_iam_member" "monitoring_publishes_alerts" {
  for_each = local.applications

  project = google_pubsub_topic.rollback["rollback-alerts"].project
  topic   = google_pubsub_topic.rollback["rollback-alerts"].name
  role    = "roles/pubsub.publisher"
  member  = "serviceAccount:service-${data.google_project.every[each.key].number}@gcp-sa-monitoring-notification.iam.gserviceaccount.com"

  depends_on = [google_monitoring_notification_channel.alerts]
}

locals {
  # The channels to people, for alerts on the responders and for incidents that nobody acknowledges.
  pager_names = concat(
    values(google_monitoring_notification_channel.pager)[*].id,
    var.existing_pager_channels,
  )
}

resource "google_monitoring_notification_channel" "pager" {
  for_each = var.pager_channels

  project      = var.operations_project
  display_name = "Emergency rollback: ${each.key}"
  type         = each.value.type
  labels       = each.value.labels
  user_labels  = var.labels

  depends_on = [google_project_service.operations]
}

# Terraform warns, and applies all the same: the responders work without a person.
check "somebody_is_woken" {
  assert {
    condition     = length(local.pager_names) > 0
    error_message = "No pager channel in ${var.operations_project}: nobody is notified when the responders are down, or when nobody acknowledges an incident. See pager_channels."
  }
}
