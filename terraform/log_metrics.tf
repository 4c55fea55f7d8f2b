# Counters on log entries, for what no metric of Google's counts. They see requests that never
# reached an instance (failed starts, 429), and they count exactly the functions of one system.
# Each is named rollback_SYSTEM_…, because systems may share a project.

locals {
  # The services of a system's functions, patterns as regular expressions. Where a group has "*", or a
  # codebase, which no metric names, every service but our own may be the system's.
  declared_functions = {
    for system, policy in local.policies : system => flatten([for group in values(policy.groups) : try(group.functions, [])])
  }
  has_patterns = { for system, functions in local.declared_functions : system => length(regexall("[*?]", join("", functions))) > 0 }
  has_any_function = {
    for system, policy in local.policies : system => contains(local.declared_functions[system], "*") || anytrue([
      for group in values(policy.groups) : length(try(group.codebases, [])) > 0
    ])
  }
  group_services = {
    for system, policy in local.policies : system => {
      for name, group in policy.groups : name => sort([
        for function in try(group.functions, []) : replace(replace(lower(replace(function, "_", "-")), "*", ".*"), "?", ".")
      ])
    }
  }
  services   = { for system, groups in local.group_services : system => sort(flatten(values(groups))) }
  log_prefix = { for system in keys(local.policies) : system => "rollback_${replace(system, "-", "_")}" }

  # Log entries of a system's functions; gen2 functions log as cloud_run_revision.
  functions_log = {
    for system, policy in local.policies : system => join("\n", [
      "resource.type=\"cloud_run_revision\"",
      "resource.labels.location=\"${policy.region}\"",
      (local.has_any_function[system] ? "NOT resource.labels.service_name=(\"${join("\" OR \"", local.own_functions)}\")"
        : local.has_patterns[system] ? "resource.labels.service_name=~\"^(${join("|", local.services[system])})$\""
      : "resource.labels.service_name=(\"${join("\" OR \"", local.services[system])}\")"),
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
          signals     = []
          filter = join("\n", [
            "log_id(\"cloudaudit.googleapis.com/activity\")",
            "protoPayload.methodName=\"google.cloud.run.v2.Services.UpdateService\"",
            "protoPayload.authenticationInfo.principalEmail=\"${google_service_account.responders["on_work"].email}\"",
          ])
        }
      } : "${system}/${name}" => merge(counter, { project = policy.project, name = "${local.log_prefix[system]}_${name}" })
      if anytrue([for signal in counter.signals : contains(keys(local.signals), "${system}/${signal}")]) ||
      var.dashboards && contains(["requests", "server_errors", "shifts"], name) ||
      var.health_alerts && contains(["requests", "server_errors"], name) ||
      contains(["sign_ins", "sign_in_failures"], name) && anytrue([
        # What verifies a rollback of authentication is counted whether an alert asks for it or not.
        for check in values(try(policy.verification, {})) : try(check.sign_in_failures, null) != null
      ])
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

  depends_on = [google_project_service.operations, google_project_service.others]
}

resource "google_logging_metric" "responder_errors" {
  project     = var.operations_project
  name        = "rollback_responder_errors"
  description = "Errors of the responders, failed starts included."
  filter = join("\n", [
    "resource.type=\"cloud_run_revision\"",
    "resource.labels.service_name=(\"${join("\" OR \"", local.own_functions)}\")",
    "severity>=ERROR",
  ])

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "INT64"
    unit        = "1"
  }

  depends_on = [google_project_service.operations]
}

# Each audit event is a line of the log as well. The clock logs incident.unanswered at each sweep until
# somebody acknowledges the incident.
locals {
  counted_events = concat(
    # What cannot be gone back to: as its proof found it, in its time, or of Google's own backups.
    ["backup.failed", "backup.unproven", "backups.missing", "deployment.unrestorable"],
    ["incident.unanswered"],
    var.dashboards ? ["rollback.cancelled", "rollback.failed", "rollback.succeeded"] : [],
  )
}

resource "google_logging_metric" "events" {
  project          = var.operations_project
  name             = "rollback_events"
  description      = "Events that people are notified of or that a dashboard shows, by their name."
  filter           = "resource.type=\"cloud_run_revision\"\njsonPayload.event=(\"${join("\" OR \"", local.counted_events)}\")"
  label_extractors = { event = "EXTRACT(jsonPayload.event)" }

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "INT64"
    unit        = "1"

    labels {
      key        = "event"
      value_type = "STRING"
    }
  }

  depends_on = [google_project_service.operations]
}

# The clock says at each sweep for how long the oldest due work has been due.
resource "google_logging_metric" "due" {
  project         = var.operations_project
  name            = "rollback_due_seconds"
  description     = "For how long the oldest due work has been due, as the clock's sweeps find it."
  filter          = "resource.type=\"cloud_run_revision\"\njsonPayload.event=\"work.due\""
  value_extractor = "EXTRACT(jsonPayload.due_seconds)"

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "DISTRIBUTION"
    unit        = "s"
  }

  depends_on = [google_project_service.operations]
}

# What stays of each incident that is over (incident.tallied), for the trends beside dashboards: how long it took, in
# seconds, and how it ended. False alarms and the success of rollbacks are counts, by their labels.
locals {
  trends = {
    detect  = "From the beginning of an incident to its detection, where an alert told of it."
    restore = "From the detection of an incident to the last shift of its rollback."
    took    = "What the rollback of an incident took, from its first intent to its last shift."
  }
}

resource "google_logging_metric" "trends" {
  for_each = { for name, description in local.trends : name => description if var.dashboards }

  project         = var.operations_project
  name            = "rollback_${each.key}_seconds"
  description     = each.value
  filter          = "resource.type=\"cloud_run_revision\"\njsonPayload.event=\"incident.tallied\"\njsonPayload.facts.${each.key}_seconds>=0"
  value_extractor = "EXTRACT(jsonPayload.facts.${each.key}_seconds)"
  label_extractors = {
    scenario = "EXTRACT(jsonPayload.facts.scenario)"
    system   = "EXTRACT(jsonPayload.facts.system)"
  }

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "DISTRIBUTION"
    unit        = "s"

    dynamic "labels" {
      for_each = ["scenario", "system"]
      content {
        key        = labels.value
        value_type = "STRING"
      }
    }
  }

  depends_on = [google_project_service.operations]
}

resource "google_logging_metric" "incidents" {
  count = var.dashboards ? 1 : 0

  project     = var.operations_project
  name        = "rollback_incidents"
  description = "Incidents that are over, by system, scenario, how the rollback ended, and whether it was a false alarm."
  filter      = "resource.type=\"cloud_run_revision\"\njsonPayload.event=\"incident.tallied\""
  label_extractors = {
    false_alarm = "EXTRACT(jsonPayload.facts.false_alarm)"
    outcome     = "EXTRACT(jsonPayload.facts.outcome)"
    scenario    = "EXTRACT(jsonPayload.facts.scenario)"
    system      = "EXTRACT(jsonPayload.facts.system)"
  }

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "INT64"
    unit        = "1"

    dynamic "labels" {
      for_each = ["false_alarm", "outcome", "scenario", "system"]
      content {
        key        = labels.value
        value_type = "STRING"
      }
    }
  }

  depends_on = [google_project_service.operations]
}

# A condition on a metric that Monitoring does not know yet is refused, and a log-based metric is
# known there only some time after it was made.
resource "time_sleep" "log_metrics_known" {
  create_duration = "60s"
  triggers = {
    metrics = join(",", concat(
      [for key in sort(keys(local.log_counters)) : google_logging_metric.counter[key].id],
      values(google_logging_metric.database_timings)[*].id,
      [for metric in [google_logging_metric.responder_errors, google_logging_metric.due, google_logging_metric.events] : metric.id],
    ))
  }
}
