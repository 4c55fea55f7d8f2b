# The runbook's figures of a healthy system, as alerts to people: answers within 3 s on average, 99.9 %
# available, reads of the database within 100 ms, writes within 500 ms. They start no rollback; the
# signals of the policy file do, and page nobody. They stand in the project of the application, and so do
# their channels: a policy notifies channels of its own project alone.

locals {
  healthy = { for system, policy in local.policies : system => policy if var.health_alerts }

  # Milliseconds, by operation.
  database_limits = { read = 100, write = 500 }

  # What availability is measured by: requests of the functions, and each check that says whether the site
  # can be reached. One objective for several checks would hold while any of them passes.
  availability = merge([
    for system, policy in local.healthy : merge(
      { "${system}/functions" = { system = system, name = "functions", project = policy.project, probe = null, fails = "The functions of ${system} fail" } },
      {
        for key, probe in local.checked_probes : "${system}/probe-${probe.name}" => {
          system  = system
          name    = "probe-${probe.name}"
          project = policy.project
          probe   = key
          fails   = "The probe ${probe.name} of ${system} fails"
        } if probe.system == system && probe.signal == "frontend_unavailable"
      },
    )
  ]...)
  # How fast the budget of 28 days burns, over how long: 2 % of it in an hour, 5 % in six (Site Reliability
  # Workbook, chapter 5); above 1, steadily, it does not last. Google takes no longer period than a day
  # (docs.cloud.google.com/stackdriver/docs/solutions/slo-monitoring/alerting-on-budget-burn-rate, read 2026-11).
  burn_rates = {
    fast   = { above = 13.44, window = "3600s" }
    slow   = { above = 5.6, window = "21600s" }
    steady = { above = 1, window = "86400s" }
  }

  health_alerts = merge(
    {
      for system, policy in local.healthy : "${system}/average_response" => {
        system   = system
        project  = policy.project
        severity = "WARNING"
        does     = "The site of ${system} answers in more than 3 s on average. See its dashboard; look for a deployment with `rollback status`."
        condition = {
          filter   = "metric.type=\"monitoring.googleapis.com/uptime_check/request_latency\" AND resource.type=\"uptime_url\" AND metric.label.check_id=one_of(\"${join("\",\"", local.checks[system].site)}\")"
          aligner  = "ALIGN_MEAN"
          reducer  = "REDUCE_MEAN"
          period   = 600 # no check runs less often than each five minutes
          group_by = ["metric.label.check_id"]
          above    = 3000
          lasting  = 300
        }
      } if length(local.checks[system].site) > 0
    },
    {
      for pair in setproduct(keys(local.availability), keys(local.burn_rates)) : "${pair[0]}_availability_${pair[1]}" => {
        system   = local.availability[pair[0]].system
        project  = local.availability[pair[0]].project
        severity = pair[1] == "fast" ? "ERROR" : "WARNING"
        does     = "${local.availability[pair[0]].fails} so often that less than 99.9 % of 28 days would succeed. See its dashboard; look for a deployment with `rollback status`."
        condition = {
          filter  = "select_slo_burn_rate(\"${google_monitoring_slo.availability[pair[0]].id}\", \"${local.burn_rates[pair[1]].window}\")"
          above   = local.burn_rates[pair[1]].above
          lasting = 0
        }
      }
    },
    {
      for pair in setproduct(keys(local.healthy), keys(local.database_limits)) : "${pair[0]}/database_${pair[1]}s" => {
        system   = pair[0]
        project  = local.healthy[pair[0]].project
        severity = "WARNING"
        does     = "The database of ${pair[0]} takes more than ${local.database_limits[pair[1]]} ms for a ${pair[1]}, as the functions measure it. See its dashboard."
        condition = {
          filter   = "metric.type=\"logging.googleapis.com/user/${google_logging_metric.database_timings[pair[0]].name}\" AND resource.type=\"cloud_run_revision\" AND metric.label.operation=\"${pair[1]}\""
          aligner  = "ALIGN_DELTA"
          reducer  = "REDUCE_PERCENTILE_95"
          period   = 300
          group_by = []
          above    = local.database_limits[pair[1]]
          lasting  = 300
        }
      }
    },
  )

  # Channels to people, by project.
  people = {
    for project in local.applications : project => [for key, channel in google_monitoring_notification_channel.health : channel.id if channel.project == project]
  }
}

# Firestore's own latencies leave streams out, which most reads of the clients are. So the functions log
# how long a call took: {"event":"database_timing","operation":"read","milliseconds":12}.
resource "google_logging_metric" "database_timings" {
  for_each = local.healthy

  project          = each.value.project
  name             = "${local.log_prefix[each.key]}_database_milliseconds"
  description      = "How long reads and writes of the database took, as the system's functions log it."
  filter           = "${local.functions_log[each.key]}\njsonPayload.event=\"database_timing\""
  value_extractor  = "EXTRACT(jsonPayload.milliseconds)"
  label_extractors = { operation = "EXTRACT(jsonPayload.operation)" }

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "DISTRIBUTION"
    unit        = "ms"

    labels {
      key        = "operation"
      value_type = "STRING"
    }
  }

  depends_on = [google_project_service.operations, google_project_service.others]
}

resource "google_monitoring_custom_service" "system" {
  for_each = local.healthy

  project      = each.value.project
  service_id   = "rollback-${replace(each.key, "_", "-")}"
  display_name = each.key
  user_labels  = var.labels

  depends_on = [google_project_service.operations, google_project_service.others]
}

resource "google_monitoring_slo" "availability" {
  for_each = local.availability

  project             = each.value.project
  service             = google_monitoring_custom_service.system[each.value.system].service_id
  slo_id              = each.value.name
  display_name        = "${each.value.name}: 99.9 % of 28 days"
  goal                = 0.999
  rolling_period_days = 28
  user_labels         = var.labels

  dynamic "request_based_sli" {
    for_each = each.value.probe == null ? [local.log_filters[each.value.system]] : []
    content {
      good_total_ratio {
        bad_service_filter   = request_based_sli.value.server_errors
        total_service_filter = request_based_sli.value.requests
      }
    }
  }

  # Five minutes are good in which any region reaches the site.
  dynamic "windows_based_sli" {
    for_each = each.value.probe == null ? [] : [google_monitoring_uptime_check_config.probe[each.value.probe].uptime_check_id]
    content {
      window_period          = "300s"
      good_bad_metric_filter = "metric.type=\"monitoring.googleapis.com/uptime_check/check_passed\" AND resource.type=\"uptime_url\" AND metric.label.check_id=\"${windows_based_sli.value}\""
    }
  }

  depends_on = [time_sleep.log_metrics_known]
}

resource "google_monitoring_notification_channel" "health" {
  for_each = merge([
    for project in local.applications : {
      for name, channel in var.health_channels : "${project} ${name}" => merge(channel, { project = project, name = name })
    } if var.health_alerts
  ]...)

  project      = each.value.project
  display_name = "Emergency rollback, health: ${each.value.name}"
  type         = each.value.type
  labels       = each.value.labels
  user_labels  = var.labels

  depends_on = [google_project_service.operations, google_project_service.others]
}

resource "google_monitoring_alert_policy" "health" {
  for_each = local.health_alerts

  project               = each.value.project
  display_name          = "health: ${replace(replace(each.key, "_", " "), "/", ", ")}"
  combiner              = "OR"
  severity              = each.value.severity
  user_labels           = merge(var.labels, { rollback_system = each.value.system })
  notification_channels = local.people[each.value.project]

  conditions {
    display_name = replace(replace(each.key, "_", " "), "/", ", ")

    condition_threshold {
      filter          = each.value.condition.filter
      comparison      = "COMPARISON_GT"
      threshold_value = each.value.condition.above
      duration        = "${each.value.condition.lasting}s"

      dynamic "aggregations" {
        for_each = can(each.value.condition.aligner) ? [each.value.condition] : [] # a burn rate is one value

        content {
          alignment_period     = "${aggregations.value.period}s"
          per_series_aligner   = aggregations.value.aligner
          cross_series_reducer = aggregations.value.reducer
          group_by_fields      = aggregations.value.group_by
        }
      }
    }
  }

  alert_strategy {
    auto_close           = "1800s"
    notification_prompts = ["OPENED", "CLOSED"]
  }

  documentation {
    mime_type = "text/markdown"
    subject   = "health: ${replace(replace(each.key, "_", " "), "/", ", ")}"
    content   = each.value.does
  }

  depends_on = [time_sleep.log_metrics_known]
}
