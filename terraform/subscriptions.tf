locals {
  # Who is pushed what: a responder may have more than one topic, a topic has one responder.
  pushes = merge([
    for entry_point, responder in local.responders : { for topic in responder.topics : topic => entry_point }
  ]...)
}

# Our own, because those that Eventarc makes take no dead letters.
resource "google_pubsub_subscription" "push" {
  for_each = local.pushes

  project = var.operations_project
  name    = "${each.key}-push"
  topic   = google_pubsub_topic.rollback[each.key].id
  labels  = var.labels

  ack_deadline_seconds       = 600 # the longest; the function's own time-out ends it sooner
  message_retention_duration = "604800s"

  push_config {
    # A plain push does not say its topic: the address does.
    push_endpoint = "${google_cloudfunctions2_function.responders[each.value].service_config[0].uri}/${google_pubsub_topic.rollback[each.key].id}"

    oidc_token {
      service_account_email = google_service_account.push.email
      audience              = replace(local.push_audience, "{function}", local.function_names[each.value])
    }
  }

  # Work comes again soon: the rollback of a dead worker waits for it.
  retry_policy {
    minimum_backoff = each.key == "rollback-work" ? "1s" : "10s"
    maximum_backoff = each.key == "rollback-work" ? "10s" : "60s"
  }

  dead_letter_policy {
    dead_letter_topic     = google_pubsub_topic.rollback["rollback-dead-letters"].id
    max_delivery_attempts = 100
  }

  expiration_policy {
    ttl = "" # never: an idle month is no reason to lose the next alert
  }

  lifecycle {
    # Detaching the work subscription is an emergency stop: an apply must not lift it. `rollback doctor`
    # shows it; Terraform reads only the topic, which a detached subscription still has.
    ignore_changes = [topic]
  }

  depends_on = [google_cloud_run_v2_service_iam_member.push]
}

resource "google_pubsub_subscription_iam_member" "given_up" {
  for_each = google_pubsub_subscription.push

  project      = var.operations_project
  subscription = each.value.name
  role         = "roles/pubsub.subscriber"
  member       = local.agents.pubsub

  lifecycle {
    # A subscription that is made anew, to lift the emergency stop, has lost its grants.
    replace_triggered_by = [google_pubsub_subscription.push[each.key].id]
  }

  depends_on = [google_workload_identity_service_agent.agents]
}

resource "google_service_account_iam_member" "push_identity" {
  service_account_id = google_service_account.push.name
  role               = "roles/iam.serviceAccountOpenIdTokenCreator"
  member             = local.agents.pubsub

  depends_on = [google_workload_identity_service_agent.agents]
}

# Dead letters wait here until a person takes them out (rollback replay).
resource "google_pubsub_subscription" "letters_kept" {
  project = var.operations_project
  name    = "rollback-dead-letters-kept"
  topic   = google_pubsub_topic.rollback["rollback-dead-letters"].id
  labels  = var.labels

  ack_deadline_seconds       = 600
  message_retention_duration = "2678400s" # 31 days, the longest

  expiration_policy {
    ttl = "" # never: a topic without a subscription drops what is published on it
  }
}

resource "google_pubsub_subscription_iam_binding" "letters_kept" {
  count = length(var.letter_keepers) > 0 ? 1 : 0

  project      = var.operations_project
  subscription = google_pubsub_subscription.letters_kept.name
  role         = "projects/${var.operations_project}/roles/${google_project_iam_custom_role.operations["letters"].role_id}"
  members      = var.letter_keepers
}

resource "google_pubsub_subscription_iam_binding" "letters_from" {
  for_each = length(var.letter_keepers) > 0 ? local.pushes : {}

  project      = var.operations_project
  subscription = google_pubsub_subscription.push[each.key].name
  role         = "projects/${var.operations_project}/roles/${google_project_iam_custom_role.operations["letters_from"].role_id}"
  members      = var.letter_keepers

  lifecycle {
    replace_triggered_by = [google_pubsub_subscription.push[each.key].id]
  }
}
