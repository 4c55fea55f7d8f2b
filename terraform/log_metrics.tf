# Counters on log entries, for what no metric of Google's counts. They see requests that never
# reached an instance (failed starts, 429), and they count exactly the functions of one system.
# Each is named rollback_SYSTEM_…, because systems may share a project.

locals {
  services = {
    for system, policy in local.policies : system => sort(flatten([
      for group in values(policy.groups) : [for function in group.functions : lower(replace(function, "_", "-"))]
    ]))
  }
  log_prefix = { for system in keys(local.policies) : system => "rollback_${replace(system, "-", "_")}" }

  # Log entries of a system's functions; gen2 functions log as cloud_run_revision.
  functions_log = {
    for system, policy in local.policies : system => join("\n", [
      "resource.type=\"cloud_run_revision\"",
      "resource.labels.location=\"${policy.region}\"",
      "resource.labels.service_name=(\"${join("\" OR \"", local.services[system])}\")",
    ])
  }

  log_counters = merge([
    for system, policy in local.policies : {
      for name, counter in {
        requests = {
          description = "Requests to the system's functions, those included that reached no instance."
          signals     = local.signals_with_also
          filter      = "${local.functions_log[system]}\nlog_id(\"run.googleapis.com/requests\")"
        }
        server_errors = {
          description = "Those of them that were answered with 500 or above."
          signals     = local.signals_with_also
          filter      = "${local.functions_log[system]}\nlog_id(\"run.googleapis.com/requests\")\nhttpRequest.status>=500"
        }
        database_failures = {
          description = "Lines of the system's functions that say {\"event\": \"database_failure\"}: what failed before it reached Firestore is only there."
          signals     = ["database_connectivity"]
          filter      = "${local.functions_log[system]}\njsonPayload.event=\"database_failure\""
        }
        sign_ins = {
          description = "Requests to Identity Platform; its request log must be switched on."
          signals     = ["authentication_failure"]
          filter      = "resource.type=\"identitytoolkit_project\"\nlog_id(\"identitytoolkit.googleapis.com/requests\")"
        }
        sign_in_failures = {
          description = "Those of them that failed."
          signals     = ["authentication_failure"]
          filter      = "resource.type=\"identitytoolkit_project\"\nlog_id(\"identitytoolkit.googleapis.com/requests\")\nprotoPayload.status.code>0"
        }
        shifts = {
          description = "Traffic shifts and other changes of the system's services by the responders."
          signals     = keys(policy.signals) # for the dashboard
          filter = join("\n", [
            "log_id(\"cloudaudit.googleapis.com/activity\")",
            "protoPayload.methodName=\"google.cloud.run.v2.Services.UpdateService\"",
            "protoPayload.authenticationInfo.principalEmail=\"${google_service_account.responders["on_work"].email}\"",
          ])
        }
      } : "${system}/${name}" => merge(counter, { project = policy.project, name = "${local.log_prefix[system]}_${name}" })
      if anytrue([for signal in counter.signals : contains(keys(policy.signals), signal)])
    }
  ]...)
}

resource "google_logging_metric" "counter" {
  for_each = local.log_counters

  project     = each.value.project
  name        = each.value.name
  description = each.value.description
  filter      = each.value.filter

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "INT64"
    unit        = "1"
  }
}

resource "google_logging_metric" "responder_errors" {
  project     = var.operations_project
  name        = "rollback_responder_errors"
  description = "Errors of the responders, failed starts included."
  filter = join("\n", [
    "resource.type=\"cloud_run_revision\"",
    "resource.labels.service_name=(\"${join("\" OR \"", values(local.function_names))}\")",
    "severity>=ERROR",
  ])

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "INT64"
    unit        = "1"
  }
}

# Each audit event is a line of the log as well.
resource "google_logging_metric" "unrestorable" {
  project     = var.operations_project
  name        = "rollback_unrestorable"
  description = "Deployments that could not be gone back to any more, as their proof found them."
  filter      = "resource.type=\"cloud_run_revision\"\njsonPayload.event=\"deployment.unrestorable\""

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "INT64"
    unit        = "1"
  }
}

# The clock says how long the oldest due work has been due when that is too long.
resource "google_logging_metric" "overdue" {
  project         = var.operations_project
  name            = "rollback_overdue_seconds"
  description     = "For how long the oldest due work has been due, as the clock's sweeps find it overdue."
  filter          = "resource.type=\"cloud_run_revision\"\njsonPayload.event=\"work.overdue\""
  value_extractor = "EXTRACT(jsonPayload.overdue_seconds)"

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "DISTRIBUTION"
    unit        = "s"
  }
}

# A condition on a metric that Monitoring does not know yet is refused, and a log-based metric is
# known there only some time after it was made.
resource "time_sleep" "log_metrics_known" {
  create_duration = "60s"
  triggers = {
    metrics = join(",", concat(
      [for key in sort(keys(local.log_counters)) : google_logging_metric.counter[key].id],
      [for metric in [google_logging_metric.responder_errors, google_logging_metric.overdue, google_logging_metric.unrestorable] : metric.id],
    ))
  }
}
