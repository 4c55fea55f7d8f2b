resource "google_pubsub_topic" "rollback" {
  for_each = local.topics

  project = var.operations_project
  name    = each.key
  labels  = var.labels

  # Where only we and people publish, the publisher is told at once what is wrong with a message.
  # Never on what Google writes: Monitoring's notifications and the audit log's entries have forms
  # of their own, and would be refused.
  dynamic "schema_settings" {
    for_each = contains(local.command_topics, each.key) ? [google_pubsub_schema.command.id] : []
    content {
      schema   = schema_settings.value
      encoding = "JSON"
    }
  }

  depends_on = [google_project_service.operations]
}

locals {
  command_topics = ["rollback-commands", "rollback-override"]
}

resource "google_pubsub_schema" "command" {
  project    = var.operations_project
  name       = "rollback-command"
  type       = "PROTOCOL_BUFFER"
  definition = file("${path.module}/schemas/command.proto")

  depends_on = [google_project_service.operations]
}

resource "google_pubsub_topic_iam_member" "given_up" {
  project = var.operations_project
  topic   = google_pubsub_topic.rollback["rollback-dead-letters"].name
  role    = "roles/pubsub.publisher"
  member  = local.agents.pubsub

  depends_on = [google_workload_identity_service_agent.agents]
}

resource "google_pubsub_topic_iam_member" "people" {
  for_each = merge([
    for topic, members in {
      rollback-commands    = var.command_publishers
      rollback-deployments = var.deployment_publishers
      rollback-override    = var.override_publishers
    } : { for member in members : "${topic} ${member}" => { topic = topic, member = member } }
  ]...)

  project = var.operations_project
  topic   = google_pubsub_topic.rollback[each.value.topic].name
  role    = "roles/pubsub.publisher"
  member  = each.value.member
}

resource "google_pubsub_topic_iam_member" "replay" {
  for_each = {
    for pair in setproduct(setsubtract(keys(local.topics), ["rollback-dead-letters", "rollback-override"]), var.letter_keepers) :
    "${pair[0]} ${pair[1]}" => { topic = pair[0], member = pair[1] }
  }

  project = var.operations_project
  topic   = google_pubsub_topic.rollback[each.value.topic].name
  role    = "roles/pubsub.publisher"
  member  = each.value.member
}
