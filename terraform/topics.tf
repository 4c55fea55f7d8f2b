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

# Who may publish on a topic, and nobody else. An apply removes whom somebody has added, but on the topic
# of the override, where an admin may have done it while sign-in is down; the grants on the topic of the
# alerts come after the channels that they are for (channels.tf, security_findings.tf).
locals {
  topic_grants = concat(
    flatten([
      for entry_point, responder in local.responders : [
        for topic, reason in responder.publishes : { topic = topic, member = google_service_account.responders[entry_point].member, reason = reason }
      ]
    ]),
    [{
      topic  = "rollback-clock"
      member = local.agents.cloudscheduler
      reason = "Scheduler's agent ticks; it has this by a role on the whole project, unless the organisation took it away."
    }],
    [{
      topic  = "rollback-dead-letters"
      member = local.agents.pubsub
      reason = "Pub/Sub moves to the dead letters what was not acknowledged in all its attempts."
    }],
    [
      for account in values(google_service_account.console) : {
        topic  = "rollback-commands"
        member = account.member
        reason = "What operators say at the console is a command like any other."
      }
    ],
    [
      for pair in concat(
        [for member in var.command_publishers : ["rollback-commands", member]],
        [for member in var.deployment_publishers : ["rollback-deployments", member]],
        ) : {
        topic  = pair[0]
        member = pair[1]
        reason = "Operators publish commands; CI publishes announcements."
      }
    ],
    [
      for pair in setproduct(setsubtract(keys(local.topics), ["rollback-alerts", "rollback-dead-letters", "rollback-override"]), var.letter_keepers) : {
        topic  = pair[0]
        member = pair[1]
        reason = "Dead letters go back where they came from, but never to where a message alone is an order."
      }
    ],
  )
}

resource "google_pubsub_topic_iam_binding" "publishers" {
  for_each = { for grant in local.topic_grants : grant.topic => grant.member... }

  project = var.operations_project
  topic   = google_pubsub_topic.rollback[each.key].name
  role    = "roles/pubsub.publisher" # exactly pubsub.topics.publish
  members = distinct(each.value)

  depends_on = [google_workload_identity_service_agent.agents]
}

resource "google_pubsub_topic_iam_member" "override" {
  for_each = var.override_publishers

  project = var.operations_project
  topic   = google_pubsub_topic.rollback["rollback-override"].name
  role    = "roles/pubsub.publisher"
  member  = each.key
}

resource "google_pubsub_topic_iam_member" "replayed_alerts" {
  for_each = var.letter_keepers

  project = var.operations_project
  topic   = google_pubsub_topic.rollback["rollback-alerts"].name
  role    = "roles/pubsub.publisher"
  member  = each.key
}
