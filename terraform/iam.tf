locals {
  # Roles of our own, where the narrowest of Google's would allow more: the permissions are those
  # that shared/adapters/gcp/permissions.py lists for each entry point.
  operations_roles = {
    anchors = {
      title       = "Rollback: write what is written once, read and delete nothing"
      permissions = ["storage.objects.create"]
    }
    keeper = {
      title       = "Rollback: keep what functions are made of, and let it go, without reading it"
      permissions = ["storage.objects.create", "storage.objects.delete", "storage.objects.list"]
    }
    holds = {
      title       = "Rollback: hold exports beyond their time"
      permissions = ["storage.objects.get", "storage.objects.list", "storage.objects.update"]
    }
    mirrors = {
      title = "Rollback: keep copies of exports, and replace what is left of one"
      permissions = [
        "storage.objects.create",
        "storage.objects.delete",
        "storage.objects.get",
        "storage.objects.list",
      ]
    }
    letters = {
      title       = "Rollback: take dead letters out"
      permissions = ["pubsub.subscriptions.consume", "pubsub.subscriptions.get"]
    }
    letters_from = {
      title       = "Rollback: see where a dead letter came from"
      permissions = ["pubsub.subscriptions.get"]
    }
    heads = {
      title       = "Rollback: read audit heads"
      permissions = ["storage.objects.get", "storage.objects.list"]
    }
    look = {
      title = "Rollback: see how the responders are set up"
      permissions = [
        "cloudfunctions.functions.list",
        "cloudscheduler.jobs.list",
        "cloudscheduler.locations.list",
        "monitoring.alertPolicies.list",
        "monitoring.dashboards.list",
        "monitoring.metricDescriptors.list",
        "monitoring.monitoredResourceDescriptors.list",
        "monitoring.timeSeries.list",
        "pubsub.subscriptions.list",
        "pubsub.topics.getIamPolicy",
        "pubsub.topics.list",
        "resourcemanager.projects.getIamPolicy",
        "serviceusage.services.get",
        "storage.buckets.getIamPolicy",
      ]
    }
    quarantine = {
      title = "Rollback: keep documents as they were before a repair, read them, remove those of erased people"
      permissions = [
        "storage.objects.create",
        "storage.objects.delete",
        "storage.objects.get",
        "storage.objects.list",
      ]
    }
    read_state = {
      title = "Rollback: read the state"
      permissions = [
        "datastore.databases.get",
        "datastore.entities.get",
        "datastore.entities.list",
      ]
    }
    policies = {
      title       = "Rollback: read the published policies"
      permissions = ["storage.objects.get", "storage.objects.list"]
    }
    pages = {
      title       = "Rollback: write status pages in the place of older ones"
      permissions = ["storage.objects.create", "storage.objects.delete", "storage.objects.get"]
    }
    source_reader = {
      title       = "Rollback: read kept sources, of which functions are built again"
      permissions = ["storage.objects.get"]
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

  # The buckets in which some policy's collections have files.
  media_buckets = distinct(flatten([
    for policy in values(local.policies) : [
      for collection in values(try(policy.collections, {})) : values(try(collection.media, {}))
    ]
  ]))

  # Where a role reaches less than its project.
  application_conditions = {
    copies_made = {
      title       = "copies-only"
      description = "The databases that copies are (shared/domain/data/backups/database_copy.py)."
      expression  = "resource.name.extract(\"/databases/{id}\").startsWith(\"copy-\")"
    }
    media = {
      title       = "declared-media-only"
      description = "The buckets that the policies' collections name."
      expression = join(" || ", [
        for bucket in local.media_buckets : "resource.name.startsWith(\"projects/_/buckets/${bucket}/\") || resource.name == \"projects/_/buckets/${bucket}\""
      ])
    }
    proofs_scratch = {
      title       = "scratch-databases-only"
      description = "The databases that proofs make and delete (shared/domain/data/backups/restore_test.py)."
      expression  = "resource.name.extract(\"/databases/{id}\").startsWith(\"proof-\")"
    }
    sources = {
      title       = "function-sources-only"
      description = "The buckets in which Cloud Functions keeps sources, of both generations."
      expression  = "resource.name.startsWith(\"projects/_/buckets/gcf-v2-sources-\") || resource.name.startsWith(\"projects/_/buckets/gcf-sources-\")"
    }
  }

  # Roles that no policy of an application has a use for, by project: given to nobody there.
  needless_roles = {
    for project in local.applications : project => [
      for role, uses in {
        assets         = [for policy in values(local.policies) : length(concat(try(policy.assets.replicated, []), try(policy.assets.regenerated, []))) > 0 if policy.project == project]
        backups        = [for policy in values(local.policies) : try(policy.backups.bucket, null) != null || try(policy.backups.native, false) if policy.project == project]
        copies         = [for policy in values(local.policies) : try(policy.backups.copies, null) != null if policy.project == project]
        copies_made    = [for policy in values(local.policies) : try(policy.backups.copies, null) != null if policy.project == project]
        data           = [for policy in values(local.policies) : length(try(policy.collections, {})) > 0 if policy.project == project]
        mail           = [for policy in values(local.policies) : contains([for channel in try(policy.channels, []) : channel.kind], "trigger_email") if policy.project == project]
        media          = [for policy in values(local.policies) : length(flatten([for collection in values(try(policy.collections, {})) : keys(try(collection.media, {}))])) > 0 if policy.project == project]
        past           = [for policy in values(local.policies) : try(policy.backups.copies, null) != null || length(try(policy.collections, {})) > 0 if policy.project == project]
        proofs         = [for policy in values(local.policies) : try(policy.backups.proof, null) != null if policy.project == project]
        proofs_scratch = [for policy in values(local.policies) : try(policy.backups.proof, null) != null if policy.project == project]
        repair         = [for policy in values(local.policies) : length(try(policy.collections, {})) > 0 if policy.project == project]
        push           = [for policy in values(local.policies) : contains([for channel in try(policy.channels, []) : channel.kind], "push") if policy.project == project]
        pushed_to      = [for policy in values(local.policies) : anytrue([for channel in try(policy.channels, []) : try(channel.users, null) != null]) if policy.project == project]
      } : role if !anytrue(uses)
    ]
  }

  application_grants = merge([
    for entry_point, responder in local.responders : merge([
      for role, reason in responder.roles : {
        for project in local.applications :
        "${entry_point} ${role} ${project}" => { entry_point = entry_point, role = role, reason = reason, project = project }
        if !contains(local.needless_roles[project], role)
      } if contains(keys(local.application_roles), role)
    ]...)
  ]...)

  # A role that nobody is given is not made.
  given_roles = {
    operations = setunion(
      ["state"],
      [for grant in values(local.bucket_grants) : grant.role],
      length(var.letter_keepers) > 0 ? ["letters", "letters_from"] : [],
      length(var.viewers) > 0 ? ["look"] : [],
      length(var.viewers) > 0 || var.console != null ? [for bucket in var.audit_bucket[*] : "heads"] : [],
      length(setunion(var.state_readers, var.viewers)) > 0 || var.console != null ? ["read_state"] : [],
    )
    applications = setunion(
      [for grant in values(local.application_grants) : "${grant.project} ${grant.role}"],
      length(var.viewers) > 0 ? [for pair in setproduct(local.applications, local.viewer_roles) : "${pair[0]} ${pair[1]}"] : [],
    )
  }

  publish_grants = merge([
    for entry_point, responder in local.responders : {
      for topic, reason in responder.publishes :
      "${entry_point} ${topic}" => { entry_point = entry_point, topic = topic, reason = reason }
    }
  ]...)

  # The buckets in which responders may have roles, where there are such: one line for each.
  granted_buckets = {
    for key, bucket in merge(
      google_storage_bucket.audit,
      google_storage_bucket.kept,
      google_storage_bucket.quarantine,
      { policies = google_storage_bucket.policies },
      { for bucket in values(google_storage_bucket.status) : "status" => bucket },
      { for key, bucket in google_storage_bucket.exports : "exports-${key}" => bucket },
    ) : key => bucket.name
  }
  bucket_grants = merge(flatten([
    for entry_point, responder in local.responders : [
      for bucket, roles in merge(try(responder.buckets, {}), { policies = { policies = "the policies in force" } }) : {
        for role, reason in roles :
        "${entry_point} ${bucket} ${role}" => { entry_point = entry_point, bucket = bucket, role = role, reason = reason }
      } if contains(keys(local.granted_buckets), bucket)
    ]
  ])...)

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
  for_each = { for name, role in local.operations_roles : name => role if contains(local.given_roles.operations, name) }

  project     = var.operations_project
  role_id     = "rollback_${each.key}"
  title       = each.value.title
  permissions = each.value.permissions

  depends_on = [google_project_service.operations]
}

resource "google_project_iam_custom_role" "applications" {
  for_each = {
    for pair in setproduct(local.applications, keys(local.application_roles)) :
    "${pair[0]} ${pair[1]}" => { project = pair[0], role = pair[1] } if contains(local.given_roles.applications, "${pair[0]} ${pair[1]}")
  }

  project     = each.value.project
  role_id     = "rollback_${each.value.role}"
  title       = local.application_roles[each.value.role].title
  permissions = local.application_roles[each.value.role].permissions

  depends_on = [google_project_service.operations, google_project_service.others]
}

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

resource "google_project_iam_member" "applications" {
  for_each = local.application_grants

  project = each.value.project
  role    = google_project_iam_custom_role.applications["${each.value.project} ${each.value.role}"].id
  member  = google_service_account.responders[each.value.entry_point].member

  dynamic "condition" {
    for_each = [for role, condition in local.application_conditions : condition if role == each.value.role]
    content {
      title       = condition.value.title
      description = condition.value.description
      expression  = condition.value.expression
    }
  }
}

resource "google_project_iam_custom_role" "users" {
  project     = local.identity_project
  role_id     = "rollback_users"
  title       = "Rollback: look up who speaks"
  permissions = ["firebaseauth.users.get"]

  depends_on = [google_project_service.operations, google_project_service.others]
}

resource "google_project_iam_member" "users" {
  project = local.identity_project
  role    = google_project_iam_custom_role.users.id
  member  = google_service_account.responders["on_command"].member
}

resource "google_storage_bucket_iam_member" "responders" {
  for_each = local.bucket_grants

  bucket = local.granted_buckets[each.value.bucket]
  role   = google_project_iam_custom_role.operations[each.value.role].id
  member = google_service_account.responders[each.value.entry_point].member
}

# A function that is built again is read by Functions' agent of its own project, which has no rights
# in ours.
resource "google_storage_bucket_iam_member" "rebuilders" {
  for_each = setsubtract(local.applications, [var.operations_project])

  bucket = google_storage_bucket.kept["sources"].name
  role   = "roles/storage.legacyObjectReader" # exactly storage.objects.get
  member = "serviceAccount:service-${data.google_project.every[each.key].number}@gcf-admin-robot.iam.gserviceaccount.com"

  # The agent is there once its API is on.
  depends_on = [google_project_service.operations, google_project_service.others]
}

# What few may read, or write: values of variables, what users have entrusted to an application, and
# the policies, which the account that applies may write alone. Bindings
# take the place of what Cloud Storage gives viewers and editors of the project with each new bucket:
# to read objects, and to give that to anybody
# (cloud.google.com/storage/docs/access-control/iam-roles, read 2026-11).
locals {
  given_with_a_bucket = ["legacyBucketOwner", "legacyObjectOwner", "legacyObjectReader"]
}

resource "google_storage_bucket_iam_binding" "owners" {
  for_each = merge([
    for key, bucket in merge(
      { policies = google_storage_bucket.policies.name },
      { values = google_storage_bucket.kept["values"].name },
      { for key, bucket in google_storage_bucket.quarantine : key => bucket.name },
      { for key, bucket in google_storage_bucket.exports : "exports-${key}" => bucket.name },
      ) : {
      for role in local.given_with_a_bucket : "${key} ${role}" => { bucket = bucket, role = role }
      if "${key} ${role}" != "values legacyObjectReader" # the worker's
    }
  ]...)

  bucket  = each.value.bucket
  role    = "roles/storage.${each.value.role}"
  members = ["projectOwner:${var.operations_project}"]
}

resource "google_storage_bucket_iam_binding" "values_reader" {
  bucket  = google_storage_bucket.kept["values"].name
  role    = "roles/storage.legacyObjectReader" # exactly storage.objects.get
  members = [google_service_account.responders["on_work"].member]
}

resource "google_pubsub_topic_iam_member" "responders" {
  for_each = local.publish_grants

  project = var.operations_project
  topic   = google_pubsub_topic.rollback[each.value.topic].name
  role    = "roles/pubsub.publisher" # exactly pubsub.topics.publish
  member  = google_service_account.responders[each.value.entry_point].member
}

# Where an application is asked to make data again, which a policy declares: topics of its own.
resource "google_pubsub_topic_iam_member" "regeneration" {
  for_each = merge([
    for system, policy in local.policies : {
      for topic in distinct(flatten([
        for collection in values(try(policy.collections, {})) : [for derived in try(collection.derived, []) : derived.topic]
      ])) : "${policy.project} ${topic}" => { project = policy.project, topic = topic }
    }
  ]...)

  project = each.value.project
  topic   = each.value.topic
  role    = "roles/pubsub.publisher" # exactly pubsub.topics.publish
  member  = google_service_account.responders["on_work"].member

  depends_on = [google_project_service.operations, google_project_service.others]
}

resource "google_service_account_iam_member" "act_as" {
  for_each = local.runtime_accounts

  service_account_id = "projects/${each.value.project}/serviceAccounts/${each.value.email}"
  role               = "roles/iam.serviceAccountUser" # a role of our own does not reach other projects' accounts
  member             = google_service_account.responders["on_work"].member

  # The default account of a new project is made when an API that runs things is switched on.
  depends_on = [google_project_service.operations, google_project_service.others]
}

resource "google_project_iam_member" "build_logs" {
  project = var.operations_project
  role    = "roles/logging.logWriter"
  member  = google_service_account.build.member
}

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

resource "google_storage_bucket_iam_member" "build" {
  bucket = google_storage_bucket.source.name
  role   = "roles/storage.objectViewer"
  member = google_service_account.build.member
}

resource "google_artifact_registry_repository_iam_member" "build" {
  project    = var.operations_project
  location   = var.region
  repository = google_artifact_registry_repository.images.name
  role       = "roles/artifactregistry.writer"
  member     = google_service_account.build.member
}
