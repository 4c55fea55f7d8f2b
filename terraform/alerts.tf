# One alert policy for every signal that a policy file declares and a metric can show. Its two user
# labels say whose trouble it is: the responders read nothing else of it, names least of all.

resource "google_monitoring_alert_policy" "signal" {
  for_each = local.alerts

  project      = each.value.project
  display_name = "${each.value.system}: ${replace(each.value.name, "_", " ")}"
  combiner     = each.value.combiner
  severity     = local.severities[each.value.severity]
  user_labels  = merge(var.labels, { rollback_system = each.value.system, rollback_signal = each.value.name })

  # The responders alone: one release can raise an alert of each service, and the incident pages.
  notification_channels = [google_monitoring_notification_channel.alerts[each.value.project].id]

  dynamic "conditions" {
    for_each = each.value.conditions

    content {
      display_name = conditions.value.name

      dynamic "condition_threshold" {
        for_each = conditions.value.kind == "filter" ? [conditions.value] : []

        content {
          filter          = condition_threshold.value.filter
          comparison      = "COMPARISON_GT"
          threshold_value = condition_threshold.value.above
          duration        = "${condition_threshold.value.lasting}s"
          # Requests that do not come any more are no failures; only a duration can ask for it.
          evaluation_missing_data = condition_threshold.value.lasting >= 60 ? "EVALUATION_MISSING_DATA_INACTIVE" : null
          denominator_filter      = condition_threshold.value.denominator

          aggregations {
            alignment_period     = "${condition_threshold.value.period}s"
            per_series_aligner   = condition_threshold.value.aligner
            cross_series_reducer = condition_threshold.value.reducer
            group_by_fields      = condition_threshold.value.group_by
          }

          dynamic "denominator_aggregations" {
            for_each = condition_threshold.value.denominator == null ? [] : [condition_threshold.value]

            content {
              alignment_period     = "${denominator_aggregations.value.period}s"
              per_series_aligner   = denominator_aggregations.value.aligner
              cross_series_reducer = denominator_aggregations.value.reducer
              group_by_fields      = denominator_aggregations.value.group_by
            }
          }
        }
      }

      dynamic "condition_prometheus_query_language" {
        for_each = conditions.value.kind == "query" ? [conditions.value] : []

        content {
          query               = condition_prometheus_query_language.value.query
          duration            = "${condition_prometheus_query_language.value.lasting}s"
          evaluation_interval = "30s"
          # A metric without a single point yet is no reason to refuse the policy.
          disable_metric_validation = true
        }
      }
    }
  }

  alert_strategy {
    # The responders know this time too: a close after it is no recovery.
    auto_close           = "${each.value.auto_close}s"
    notification_prompts = ["OPENED", "CLOSED"] # the responders want to hear of recoveries
  }

  documentation {
    mime_type = "text/markdown"
    subject   = "${each.value.severity}: ${each.value.system}, ${replace(each.value.name, "_", " ")}"
    content   = <<-EOT
      `${each.value.name}` of `${each.value.system}`, as the system's policy file defines it (scenario: ${each.value.scenario}).

      The responders have been told, and decide whether a change explains it. To stop them before their next effect:

          rollback pause --system ${each.value.system} --reason "..."
    EOT
  }

  lifecycle {
    precondition {
      condition     = length(each.value.conditions) >= 1 && length(each.value.conditions) <= 6
      error_message = "${each.key}: ${length(each.value.conditions)} conditions; Cloud Monitoring takes one to six. Without probes there is nothing to measure, and with more than 300 functions too much for one policy file."
    }
    precondition {
      condition     = each.value.auto_close >= 1800 && each.value.auto_close <= 604800
      error_message = "${each.value.system}: gates.auto_close must be between 30m and 7d."
    }
    precondition {
      condition     = length(each.value.also) == 0 || contains(local.signals_with_also, each.value.name) || (each.value.name == "authentication_failure" && alltrue([for condition in each.value.also : condition.unit == "count"]))
      error_message = "${each.key}: `also` is measured on requests and probes, and would mean something else here."
    }
    precondition {
      condition = alltrue([
        for condition in each.value.conditions : condition.kind == "query" ? true :
        condition.lasting % 60 == 0 && condition.period >= 60 && condition.period % 60 == 0
      ])
      error_message = "${each.key}: this signal's durations are whole minutes, as those of critical_path_blocked, database_connectivity, function_failure_rate and slow_response."
    }
    precondition {
      condition = alltrue([
        for condition in each.value.conditions : condition.kind == "query" ? true : length(condition.filter) <= 2048
      ])
      error_message = "${each.key}: a filter has at most 2,048 characters; the names of the functions are too long for sixty of them."
    }
  }

  # An alert before the grant would be lost, and a metric that is not known is refused.
  depends_on = [google_pubsub_topic_iam_member.monitoring_publishes_alerts, time_sleep.log_metrics_known]
}
