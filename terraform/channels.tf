# The ways out of Cloud Monitoring. Google makes the agent that publishes with the first Pub/Sub
# channel of a project, so the grant comes after the channel, and the alert policies after the
# grant. The topic has no schema: it would refuse Monitoring's messages.

resource "google_monitoring_notification_channel" "alerts" {
  for_each = local.applications

  project      = each.key
  display_name = "Emergency rollback"
  description  = "To the responders. Not for people: they have the pager channels."
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
  pagers = merge([
    for project in local.projects : {
      for name, channel in var.pager_channels : "${project}/${name}" => merge(channel, { project = project, name = name })
    }
  ]...)

  # All that wakes a person, by project.
  pager_names = {
    for project in local.projects : project => concat(
      [for key, pager in local.pagers : google_monitoring_notification_channel.pager[key].id if pager.project == project],
      [for name in var.existing_pager_channels : name if startswith(name, "projects/${project}/")],
    )
  }
}

resource "google_monitoring_notification_channel" "pager" {
  for_each = local.pagers

  project      = each.value.project
  display_name = "Emergency rollback: ${each.value.name}"
  type         = each.value.type
  labels       = each.value.labels
  user_labels  = var.labels

  depends_on = [google_project_service.operations, google_project_service.others]
}

# Terraform warns, and applies all the same: the responders work without a person.
check "somebody_is_woken" {
  assert {
    condition     = alltrue([for names in values(local.pager_names) : length(names) > 0])
    error_message = "No pager channel in ${join(", ", [for project, names in local.pager_names : project if length(names) == 0])}: when the responders are down, nobody hears of it. See pager_channels."
  }
}
