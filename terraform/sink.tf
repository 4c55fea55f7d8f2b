locals {
  # Changes of what an inventory holds, by the service that carries them out.
  change_services = [
    "cloudfunctions.googleapis.com",
    "cloudscheduler.googleapis.com",
    "firebasehosting.googleapis.com",
    "firebaseremoteconfig.googleapis.com",
    "firebaserules.googleapis.com",
    "firestore.googleapis.com",
    "identitytoolkit.googleapis.com",
    "run.googleapis.com",
    "secretmanager.googleapis.com",
  ]
}

# Hints that something has changed. Their order, lateness and gaps do not matter: what is live is
# then read from the application itself.
resource "google_logging_project_sink" "changes" {
  for_each = var.change_hints ? local.applications : []

  project                = each.key
  name                   = "rollback-changes"
  description            = "Tells the rollback responders of changes."
  destination            = "pubsub.googleapis.com/${google_pubsub_topic.rollback["rollback-deployments"].id}"
  unique_writer_identity = true

  filter = <<-EOT
    log_id("cloudaudit.googleapis.com/activity")
    protoPayload.serviceName=(${join(" OR ", [for service in local.change_services : "\"${service}\""])})
  EOT

  # A change of ours is never a deployment: a rollback would be the reason of the next one.
  exclusions {
    name        = "own-changes"
    description = "What the responders do themselves."
    filter      = "protoPayload.authenticationInfo.principalEmail=(${join(" OR ", [for account in concat(values(google_service_account.responders), values(google_service_account.console)) : "\"${account.email}\""])})"
  }

  # Where operations and application are one project, an apply deploys the responders in it.
  exclusions {
    name        = "own-functions"
    description = "Deployments of the responders."
    filter      = "protoPayload.resourceName:(${join(" OR ", [for name in local.own_functions : "\"/${name}\""])})"
  }

  depends_on = [google_project_service.operations, google_project_service.others]
}

# A sink has an identity of its own, which is known once it is made. A role of ours keeps it out of the
# binding of publishers (topics.tf), which the first plan can show whole so.
resource "google_pubsub_topic_iam_member" "changes" {
  for_each = google_logging_project_sink.changes

  project = var.operations_project
  topic   = google_pubsub_topic.rollback["rollback-deployments"].name
  role    = "projects/${var.operations_project}/roles/${google_project_iam_custom_role.operations["hints"].role_id}"
  member  = each.value.writer_identity
}
