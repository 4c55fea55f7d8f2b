# Who may do what. The tables say it: responders.tf for the responders, the lists below for everybody
# else. Each custom role belongs to those that the tables give it to, and an apply removes whom somebody
# has added to one of ours, to a topic or to a bucket (docs/security.md).
locals {
  # Roles in the operations project, where the narrowest of Google's would allow more: the permissions
  # are those that shared/adapters/gcp/permissions.py lists for each entry point.
  operations_roles = {
    anchors      = ["storage.objects.create"]
    hints        = ["pubsub.topics.publish"]
    holds        = ["storage.objects.get", "storage.objects.list", "storage.objects.update"]
    keeper       = ["storage.objects.create", "storage.objects.delete", "storage.objects.list"]
    letters      = ["pubsub.subscriptions.consume", "pubsub.subscriptions.get"]
    letters_from = ["pubsub.subscriptions.get"]
    mirrors      = ["storage.objects.create", "storage.objects.delete", "storage.objects.get", "storage.objects.list"]
    pages        = ["storage.objects.create", "storage.objects.delete", "storage.objects.get"]
    read_objects = ["storage.objects.get", "storage.objects.list"]
    read_state   = ["datastore.databases.get", "datastore.entities.get", "datastore.entities.list"]
    state = [
      "datastore.databases.get",
      "datastore.entities.create",
      "datastore.entities.get",
      "datastore.entities.list",
      "datastore.entities.update",
    ]
  }

  # The policies of each application's project, and which rights one of them has a use for; a right that
  # is not listed is always needed.
  policies_in = {
    for project in local.applications : project => [for policy in values(local.policies) : policy if policy.project == project]
  }
  needed_rights = {
    for project, policies in local.policies_in : project => {
      assets    = anytrue([for policy in policies : length(concat(try(policy.assets.replicated, []), try(policy.assets.regenerated, []))) > 0])
      backups   = anytrue([for policy in policies : try(policy.backups.bucket, null) != null || try(policy.backups.native, false)])
      copies    = anytrue([for policy in policies : try(policy.backups.copies, null) != null])
      data      = anytrue([for policy in policies : length(try(policy.collections, {})) > 0])
      mail      = anytrue([for policy in policies : contains([for channel in try(policy.channels, []) : channel.kind], "trigger_email")])
      media     = length(local.media_buckets[project]) > 0
      past      = anytrue([for policy in policies : try(policy.backups.copies, null) != null || length(try(policy.collections, {})) > 0])
      proofs    = anytrue([for policy in policies : try(policy.backups.proof, null) != null])
      push      = anytrue([for policy in policies : contains([for channel in try(policy.channels, []) : channel.kind], "push")])
      pushed_to = anytrue([for policy in policies : anytrue([for channel in try(policy.channels, []) : try(channel.users, null) != null])])
      repair    = anytrue([for policy in policies : length(try(policy.collections, {})) > 0])
      scratch   = length(local.scratch_databases[project]) > 0
    }
  }

  # The buckets in which some policy's collections have files, and how the databases are named that
  # copies (shared/domain/data/backups/database_copy.py) and restore tests (restore_test.py) make.
  media_buckets = {
    for project, policies in local.policies_in : project => distinct(flatten([
      for policy in policies : [for collection in values(try(policy.collections, {})) : values(try(collection.media, {}))]
    ]))
  }
  scratch_databases = {
    for project, policies in local.policies_in : project => distinct(flatten([
      for policy in policies : [
        try(policy.backups.copies, null) != null ? ["copy-"] : [],
        try(policy.backups.proof, null) != null ? ["proof-"] : [],
      ]
    ]))
  }

  # Where a right reaches less than its project.
  application_conditions = {
    for project in local.applications : project => {
      media = {
        title       = "declared-media-only"
        description = "The buckets that the policies' collections name."
        expression = join(" || ", [
          for bucket in local.media_buckets[project] : "resource.name.startsWith(\"projects/_/buckets/${bucket}/\") || resource.name == \"projects/_/buckets/${bucket}\""
        ])
      }
      scratch = {
        title       = "scratch-databases-only"
        description = "The databases that copies and restore tests make and delete."
        expression = join(" || ", [
          for prefix in local.scratch_databases[project] : "resource.name.extract(\"/databases/{id}\").startsWith(\"${prefix}\")"
        ])
      }
      sources = {
        title       = "function-sources-only"
        description = "The buckets in which Cloud Functions keeps sources, of both generations."
        expression  = "resource.name.startsWith(\"projects/_/buckets/gcf-v2-sources-\") || resource.name.startsWith(\"projects/_/buckets/gcf-sources-\")"
      }
    }
  }

  # Both command responders have the same rights, so they have one role.
  role_names = { for entry_point in keys(local.responders) : entry_point => trimprefix(entry_point == "on_override" ? "on_command" : entry_point, "on_") }

  # Each right of each responder in each application, and the role that holds it.
  application_grants = flatten([
    for entry_point, responder in local.responders : [
      for right, reason in responder.roles : [
        for project in local.applications : {
          entry_point = entry_point
          project     = project
          reason      = reason
          right       = right
          role        = contains(keys(local.application_conditions[project]), right) ? right : local.role_names[entry_point]
        } if lookup(local.needed_rights[project], right, true)
      ] if contains(keys(local.application_rights), right)
    ]
  ])
  application_roles = {
    for key, grants in { for grant in local.application_grants : "${grant.project} ${grant.role}" => grant... } : key => {
      project      = grants[0].project
      role         = grants[0].role
      entry_points = distinct(grants[*].entry_point)
      permissions  = sort(distinct(flatten([for grant in grants : local.application_rights[grant.right]])))
    }
  }

  # A role that nobody is given is not made.
  given_roles = setunion(
    ["state"],
    [for grant in local.bucket_grants : grant.role],
    var.change_hints ? ["hints"] : [],
    length(var.letter_keepers) > 0 ? ["letters", "letters_from"] : [],
    length(local.state_readers) > 0 ? ["read_state"] : [],
  )

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
  for_each = { for name, permissions in local.operations_roles : name => permissions if contains(local.given_roles, name) }

  project     = var.operations_project
  role_id     = "rollback_${each.key}"
  title       = "Rollback: ${replace(each.key, "_", " ")}"
  permissions = each.value

  depends_on = [google_project_service.operations]
}

resource "google_project_iam_custom_role" "applications" {
  for_each = local.application_roles

  project     = each.value.project
  role_id     = "rollback_${each.value.role}"
  title       = "Rollback: ${replace(each.value.role, "_", " ")}, for ${join(" and ", each.value.entry_points)}"
  permissions = each.value.permissions

  depends_on = [google_project_service.operations, google_project_service.others]
}

resource "google_project_iam_binding" "applications" {
  for_each = local.application_roles

  project = each.value.project
  role    = "projects/${each.value.project}/roles/${google_project_iam_custom_role.applications[each.key].role_id}"
  members = [for entry_point in each.value.entry_points : google_service_account.responders[entry_point].member]

  dynamic "condition" {
    for_each = [for role, condition in local.application_conditions[each.value.project] : condition if role == each.value.role]
    content {
      title       = condition.value.title
      description = condition.value.description
      expression  = condition.value.expression
    }
  }
}

resource "google_project_iam_binding" "state" {
  project = var.operations_project
  role    = "projects/${var.operations_project}/roles/${google_project_iam_custom_role.operations["state"].role_id}"
  members = values(google_service_account.responders)[*].member

  condition {
    title       = "rollback-database-only"
    description = "Not the application's, where both share a project."
    expression  = "resource.name == \"${local.state_name}\""
  }
}

resource "google_project_iam_custom_role" "users" {
  project     = local.identity_project
  role_id     = "rollback_users"
  title       = "Rollback: look up who speaks"
  permissions = ["firebaseauth.users.get"]

  depends_on = [google_project_service.operations, google_project_service.others]
}

resource "google_project_iam_binding" "users" {
  project = local.identity_project
  role    = "projects/${local.identity_project}/roles/${google_project_iam_custom_role.users.role_id}"
  members = concat([google_service_account.responders["on_command"].member], values(google_service_account.console)[*].member)
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

resource "google_artifact_registry_repository_iam_member" "build" {
  project    = var.operations_project
  location   = var.region
  repository = google_artifact_registry_repository.images.name
  role       = "roles/artifactregistry.writer"
  member     = google_service_account.build.member
}
