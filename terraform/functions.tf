locals {
  status_bucket = { for bucket in values(google_storage_bucket.status) : "ROLLBACK_STATUS_BUCKET" => bucket.name }

  # What one responder needs to know beside what all do.
  environments = {
    on_clock = merge(
      { for bucket in values(google_storage_bucket.audit) : "ROLLBACK_AUDIT_BUCKET" => bucket.name },
      local.status_bucket, # it asks for the pages, and writes none
    )
    on_deployment = {
      ROLLBACK_SOURCES_BUCKET = google_storage_bucket.kept["sources"].name
      ROLLBACK_VALUES_BUCKET  = google_storage_bucket.kept["values"].name
    }
    on_work = merge(
      { ROLLBACK_VALUES_BUCKET = google_storage_bucket.kept["values"].name },
      { for bucket in values(google_storage_bucket.quarantine) : "ROLLBACK_QUARANTINE_BUCKET" => bucket.name },
    )
    on_command = merge(
      { for account in values(google_service_account.console) : "ROLLBACK_CONSOLE_ACCOUNT" => account.email },
      { ROLLBACK_IDENTITY_PROJECT = local.identity_project },
    )
    on_notice = local.status_bucket
  }
}

# A build before its grants have spread fails, and with it the first apply.
resource "time_sleep" "build_granted" {
  create_duration = "60s"

  depends_on = [
    google_artifact_registry_repository_iam_member.build,
    google_project_iam_member.build_logs,
    google_project_iam_member.build_sources,
    google_storage_bucket_iam_policy.buckets,
  ]
}

# Plain HTTP functions: Pub/Sub pushes to their address, no Eventarc trigger stands between.
resource "google_cloudfunctions2_function" "responders" {
  for_each = local.responders

  project     = var.operations_project
  location    = var.region
  name        = local.function_names[each.key]
  description = each.value.description
  labels      = merge(var.labels, local.source_labels)

  build_config {
    runtime           = "python311"
    entry_point       = each.key
    docker_repository = google_artifact_registry_repository.images.id
    service_account   = google_service_account.build.id

    source {
      storage_source {
        bucket = google_storage_bucket.source.name
        object = google_storage_bucket_object.source.name
      }
    }
  }

  service_config {
    service_account_email            = google_service_account.responders[each.key].email
    available_cpu                    = each.value.cpu # requests share an instance from a whole one on
    available_memory                 = each.value.memory
    max_instance_count               = each.value.instances
    max_instance_request_concurrency = each.value.concurrency
    timeout_seconds                  = each.value.timeout_seconds
    ingress_settings                 = "ALLOW_INTERNAL_ONLY" # Pub/Sub of the same project is internal
    all_traffic_on_latest_revision   = !var.hold_traffic

    environment_variables = merge(lookup(local.environments, each.key, {}), {
      GOOGLE_CLOUD_PROJECT   = var.operations_project
      ROLLBACK_DATABASE      = google_firestore_database.state.name
      ROLLBACK_POLICIES      = "policies"
      ROLLBACK_POLICY_BUCKET = google_storage_bucket.policies.name
      ROLLBACK_PUSH_ACCOUNT  = google_service_account.push.email
      ROLLBACK_PUSH_AUDIENCE = local.push_audience
    })
  }

  depends_on = [google_firestore_index.due, time_sleep.build_granted]
}

resource "google_cloud_run_v2_service_iam_member" "push" {
  for_each = google_cloudfunctions2_function.responders

  project  = var.operations_project
  location = var.region
  name     = each.value.name
  role     = "roles/run.invoker"
  member   = google_service_account.push.member

  lifecycle {
    # A function that is made anew has lost its grants.
    replace_triggered_by = [google_cloudfunctions2_function.responders[each.key].id]
  }
}

resource "google_artifact_registry_repository" "images" {
  project       = var.operations_project
  location      = var.region
  repository_id = "rollback"
  description   = "Images of the rollback functions."
  format        = "DOCKER"
  labels        = var.labels

  cleanup_policies {
    id     = "keep-recent"
    action = "KEEP"
    most_recent_versions {
      keep_count = 10
    }
  }

  cleanup_policies {
    id     = "delete-old"
    action = "DELETE"
    condition {
      older_than = "2592000s"
    }
  }

  depends_on = [google_project_service.operations]
}
