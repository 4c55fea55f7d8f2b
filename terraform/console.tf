# The operators' pages: a function of its own, whose account reads the state, speaks on one topic and
# signs what it says. Browsers reach it, so its ingress is open; who invokes it stands in a variable,
# and who may look or speak, the operators' own sign-in says. Without the variable there is none.

locals {
  console      = var.console == null ? {} : { console = var.console }
  console_name = "rollback-console"

  # Of the responders, and of the console where there is one.
  own_functions = concat(values(local.function_names), [for one in keys(local.console) : local.console_name])
}

resource "google_service_account" "console" {
  for_each = local.console

  project      = var.operations_project
  account_id   = local.console_name
  display_name = "console"
  description  = "Shows operators what is, and publishes what they say."

  lifecycle {
    ignore_changes = [disabled] # as the responders': disabling it is a stop
  }

  depends_on = [google_project_service.operations]
}

resource "google_cloudfunctions2_function" "console" {
  #checkov:skip=CKV_GCP_124:Browsers are outside, and its invokers alone get in; tests/terraform/checks.py finds any other.
  for_each = local.console

  project     = var.operations_project
  location    = var.region
  name        = local.console_name
  description = "Shows operators what is, and publishes what they say."
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
    service_account_email            = google_service_account.console[each.key].email
    available_cpu                    = "1"
    available_memory                 = "512Mi"
    max_instance_count               = 5
    max_instance_request_concurrency = 4 # its threads
    timeout_seconds                  = 60
    ingress_settings                 = "ALLOW_ALL" # browsers are outside
    all_traffic_on_latest_revision   = !var.hold_traffic

    environment_variables = merge(
      { for bucket in values(google_storage_bucket.audit) : "ROLLBACK_AUDIT_BUCKET" => bucket.name },
      each.value.api_key == null ? {} : { ROLLBACK_API_KEY = each.value.api_key },
      {
        GOOGLE_CLOUD_PROJECT      = var.operations_project
        ROLLBACK_CONSOLE_ACCOUNT  = google_service_account.console[each.key].email
        ROLLBACK_DATABASE         = google_firestore_database.state.name
        ROLLBACK_IDENTITY_PROJECT = local.identity_project
        ROLLBACK_POLICIES         = "policies"
        ROLLBACK_POLICY_BUCKET    = google_storage_bucket.policies.name
      },
    )
  }

  depends_on = [time_sleep.build_granted]
}

resource "google_cloud_run_v2_service_iam_member" "console" {
  for_each = toset(flatten([for console in values(local.console) : tolist(console.invokers)]))

  project  = var.operations_project
  location = var.region
  name     = google_cloudfunctions2_function.console["console"].name
  role     = "roles/run.invoker"
  member   = each.key

  lifecycle {
    # A function that is made anew has lost its grants.
    replace_triggered_by = [google_cloudfunctions2_function.console["console"].id]
  }
}

resource "google_service_account_iam_member" "console_signs" {
  for_each = local.console

  service_account_id = google_service_account.console[each.key].name
  role               = "roles/iam.serviceAccountOpenIdTokenCreator"
  member             = google_service_account.console[each.key].member
}
