locals {
  # Roles of our own, where the narrowest of Google's would allow more: the permissions are those
  # that the adapters in shared/gcp declare.
  operations_roles = {
    anchors = {
      title       = "Rollback: anchor audit heads, read and delete nothing"
      permissions = ["storage.objects.create"]
    }
    letters = {
      title       = "Rollback: take dead letters out"
      permissions = ["pubsub.subscriptions.consume", "pubsub.subscriptions.get"]
    }
    letters_from = {
      title       = "Rollback: see where a dead letter came from"
      permissions = ["pubsub.subscriptions.get"]
    }
    state = {
      title = "Rollback: read and write the state, delete nothing"
      permissions = [
        "datastore.databases.get",
        "datastore.entities.create",
        "datastore.entities.get",
        "datastore.entities.list",
        "datastore.entities.update",
      ]
    }
  }

  application_roles = {
    alerts = {
      title       = "Rollback: see whether an alert is still open"
      permissions = ["monitoring.alerts.get"]
    }
    estate = {
      title = "Rollback: see what is live beside the functions"
      permissions = [
        "cloudconfig.configs.get",
        "cloudscheduler.jobs.list",
        "datastore.indexes.list",
        "firebaseauth.configs.get",
        "firebasehosting.sites.get",
        "firebasehosting.sites.list",
        "firebaserules.releases.list",
        "resourcemanager.projects.getIamPolicy",
        "secretmanager.secrets.list",
        "secretmanager.versions.list",
        "serviceusage.services.use",
      ]
    }
    inventory = {
      title = "Rollback: see which functions are live"
      permissions = [
        "cloudfunctions.functions.list",
        "run.revisions.list",
        "run.services.list",
      ]
    }
    metrics = {
      title       = "Rollback: read metrics"
      permissions = ["monitoring.timeSeries.list"]
    }
    shift = {
      title = "Rollback: shift traffic between revisions"
      permissions = [
        "cloudfunctions.functions.list",
        "run.operations.get",
        "run.revisions.get",
        "run.revisions.list",
        "run.services.get",
        "run.services.list",
        "run.services.update",
      ]
    }
  }

  application_grants = merge([
    for entry_point, responder in local.responders : merge([
      for role, reason in responder.roles : {
        for project in local.applications :
        "${entry_point} ${role} ${project}" => { entry_point = entry_point, role = role, reason = reason, project = project }
      } if contains(keys(local.application_roles), role)
    ]...)
  ]...)

  # Cloud Run asks whoever updates a service, if only its traffic, to be allowed to act as the
  # account that it runs as.
  runtime_accounts = merge([
    for system, policy in local.policies : {
      for email in lookup(var.runtime_accounts, system, ["${data.google_project.every[policy.project].number}-compute@developer.gserviceaccount.com"]) :
      "${policy.project} ${email}" => { project = policy.project, email = email }
    }
  ]...)
}

resource "google_project_iam_custom_role" "operations" {
  for_each = local.operations_roles

  project     = var.operations_project
  role_id     = "rollback_${each.key}"
  title       = each.value.title
  permissions = each.value.permissions

  depends_on = [google_project_service.operations]
}

resource "google_project_iam_custom_role" "applications" {
  for_each = {
    for pair in setproduct(local.applications, keys(local.application_roles)) :
    "${pair[0]} ${pair[1]}" => { project = pair[0], role = pair[1] }
  }

  project     = each.value.project
  role_id     = "rollback_${each.value.role}"
  title       = local.application_roles[each.value.role].title
  permissions = local.application_roles[each.value.role].permissions
}

# Every responder: its state, in this one database. The reason of each stands in the responders.
resource "google_project_iam_member" "state" {
  for_each = local.responders

  project = var.operations_project
  role    = google_project_iam_custom_role.operations["state"].id
  member  = google_service_account.responders[each.key].member

  condition {
    title       = "rollback-database-only"
    description = each.value.roles.state
    expression  = "resource.name == \"${google_firestore_database.state.id}\""
  }
}

# What a responder may see or do in an application.
resource "google_project_iam_member" "applications" {
  for_each = local.application_grants

  project = each.value.project
  role    = google_project_iam_custom_role.applications["${each.value.project} ${each.value.role}"].id
  member  = google_service_account.responders[each.value.entry_point].member
}

resource "google_project_iam_custom_role" "users" {
  project     = local.identity_project
  role_id     = "rollback_users"
  title       = "Rollback: look up who speaks"
  permissions = ["firebaseauth.users.get"]

  depends_on = [google_project_service.operations]
}

# Whoever carries out commands, to see whether the speaker is disabled or the token revoked.
resource "google_project_iam_member" "users" {
  project = local.identity_project
  role    = google_project_iam_custom_role.users.id
  member  = google_service_account.responders["on_command"].member
}

# Whoever anchors heads of the audit chains, in their bucket alone.
resource "google_storage_bucket_iam_member" "anchors" {
  for_each = google_storage_bucket.audit

  bucket = each.value.name
  role   = google_project_iam_custom_role.operations["anchors"].id
  member = google_service_account.responders["on_clock"].member
}

# What a responder says, and where: the reason of each stands in the responders.
resource "google_pubsub_topic_iam_member" "responders" {
  for_each = merge([
    for entry_point, responder in local.responders : {
      for topic in keys(responder.publishes) : "${entry_point} ${topic}" => { entry_point = entry_point, topic = topic }
    }
  ]...)

  project = var.operations_project
  topic   = google_pubsub_topic.rollback[each.value.topic].name
  role    = "roles/pubsub.publisher" # exactly pubsub.topics.publish
  member  = google_service_account.responders[each.value.entry_point].member
}

# The worker, which shifts the traffic of services that run as these accounts.
resource "google_service_account_iam_member" "act_as" {
  for_each = local.runtime_accounts

  service_account_id = "projects/${each.value.project}/serviceAccounts/${each.value.email}"
  role               = "roles/iam.serviceAccountUser" # a role of our own does not reach other projects' accounts
  member             = google_service_account.responders["on_work"].member
}

# The build says what it does.
resource "google_project_iam_member" "build_logs" {
  project = var.operations_project
  role    = "roles/logging.logWriter"
  member  = google_service_account.build.member
}

# The build reads the copy of the source that Cloud Functions makes for it.
resource "google_project_iam_member" "build_sources" {
  project = var.operations_project
  role    = "roles/storage.objectViewer"
  member  = google_service_account.build.member

  condition {
    title       = "function-sources-only"
    description = "The buckets in which Cloud Functions keeps sources."
    expression  = "resource.name.startsWith(\"projects/_/buckets/gcf-v2-sources-\")"
  }
}

# The build reads the source itself.
resource "google_storage_bucket_iam_member" "build" {
  bucket = google_storage_bucket.source.name
  role   = "roles/storage.objectViewer"
  member = google_service_account.build.member
}

# The build keeps the image.
resource "google_artifact_registry_repository_iam_member" "build" {
  project    = var.operations_project
  location   = var.region
  repository = google_artifact_registry_repository.images.name
  role       = "roles/artifactregistry.writer"
  member     = google_service_account.build.member
}
