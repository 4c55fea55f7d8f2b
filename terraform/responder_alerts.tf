# Alerts on the responders, in the operations project, directly to people: the responders cannot tell
# that they are down, nor that nobody answers them. Each condition names the project, which
# others may have taken into the scope of theirs.

locals {
  own_subscriptions = "resource.type=\"pubsub_subscription\" AND resource.label.project_id=\"${var.operations_project}\""
  own_services      = "resource.type=\"cloud_run_revision\" AND resource.label.project_id=\"${var.operations_project}\""

  events   = "metric.type=\"logging.googleapis.com/user/${google_logging_metric.events.name}\" AND ${local.own_services}"
  an_event = { aligner = "ALIGN_DELTA", reducer = "REDUCE_SUM", period = 60, group_by = [], above = 0, lasting = 0 }

  # Of the conditions of a policy any one is enough, and its name stands in the notification. A clock
  # that never ticked has no series, which a condition of absence never misses: its query takes none for 0.
  self_alerts = {
    dead_letters = {
      severity = "ERROR"
      does     = "Pub/Sub moved a message to the dead letters, because every attempt to handle it failed. See the log of the responder that the subscription names, fix the cause, then run `rollback replay`. Refused messages are in the audit log and are not counted here."
      conditions = { given_up = {
        filter   = "metric.type=\"pubsub.googleapis.com/subscription/dead_letter_message_count\" AND ${local.own_subscriptions} AND resource.label.subscription_id=monitoring.regex.full_match(\"rollback-.*-push\")"
        aligner  = "ALIGN_DELTA"
        reducer  = "REDUCE_SUM"
        period   = 60
        group_by = ["resource.label.subscription_id"]
        above    = 0
        lasting  = 0
      } }
    }
    errors = {
      severity = "ERROR"
      does     = "A responder fails again and again; Pub/Sub repeats its messages meanwhile. See its log."
      conditions = { errors = {
        filter   = "metric.type=\"logging.googleapis.com/user/${google_logging_metric.responder_errors.name}\" AND ${local.own_services}"
        aligner  = "ALIGN_DELTA"
        reducer  = "REDUCE_SUM"
        period   = 300
        group_by = ["resource.label.service_name"]
        above    = 4
        lasting  = 0
      } }
    }
    overdue_work = {
      severity = "CRITICAL"
      does     = "The clock hands work on, and nobody does it: rollbacks or notices stand still. See the logs of on_work and on_notice; roll back by hand if need be."
      conditions = { overdue_work = {
        filter   = "metric.type=\"logging.googleapis.com/user/${google_logging_metric.due.name}\" AND ${local.own_services}"
        aligner  = "ALIGN_DELTA"
        reducer  = "REDUCE_PERCENTILE_99"
        period   = 60
        group_by = []
        above    = 300
        lasting  = 0
      } }
    }
    silent_clock = {
      severity = "CRITICAL"
      does     = "No tick of the clock has been answered: whatever waits stays waiting. See Cloud Scheduler's two jobs and the log of on_clock."
      conditions = { silent_clock = {
        query   = "(sum(increase(pubsub_googleapis_com:subscription_push_request_count{monitored_resource=\"pubsub_subscription\",project_id=\"${var.operations_project}\",subscription_id=\"${google_pubsub_subscription.push["rollback-clock"].name}\",response_class=\"ack\"}[5m])) or vector(0)) < 1"
        lasting = 300 # the first points come two to four minutes after the first apply
      } }
    }
    unanswered_incident = {
      severity = "CRITICAL"
      does     = "Nobody has acknowledged an incident, although on-call was notified. `rollback status` shows it; `rollback ack` acknowledges it and ends this alert."
      conditions = { unanswered_incident = merge(local.an_event, {
        filter = "${local.events} AND metric.label.event=\"incident.unanswered\""
      }) }
    }
    unrestorable = {
      severity = "ERROR"
      does     = "Something that a rollback would go back to is not there any more. A backup: an export was not whole in its time, a backup could not be restored, or Google's own backups are incomplete; `rollback backups` tells which, and why. A deployment: `rollback deployments show` tells what it lacks; bring that back, or mark another one as stable."
      conditions = {
        unproven_backup = merge(local.an_event, {
          filter = "${local.events} AND metric.label.event=one_of(\"backup.failed\",\"backup.unproven\",\"backups.missing\")"
        })
        unrestorable_deployment = merge(local.an_event, {
          filter = "${local.events} AND metric.label.event=\"deployment.unrestorable\""
        })
      }
    }
    waiting_messages = {
      severity = "CRITICAL"
      does     = "A message of ours has not been acknowledged for ten minutes, or many wait: the responder cannot be reached, fails on them, or is overrun. See the log of the responder that the subscription names."
      conditions = {
        backlog = {
          filter   = "metric.type=\"pubsub.googleapis.com/subscription/num_undelivered_messages\" AND ${local.own_subscriptions} AND resource.label.subscription_id=monitoring.regex.full_match(\"rollback-.*-push\")"
          aligner  = "ALIGN_MEAN"
          reducer  = "REDUCE_SUM"
          period   = 60
          group_by = ["resource.label.subscription_id"]
          above    = 100
          lasting  = 300
        }
        oldest_message = {
          filter   = "metric.type=\"pubsub.googleapis.com/subscription/oldest_unacked_message_age\" AND ${local.own_subscriptions} AND resource.label.subscription_id=monitoring.regex.full_match(\"rollback-.*-push\")"
          aligner  = "ALIGN_MAX"
          reducer  = "REDUCE_MAX"
          period   = 60
          group_by = ["resource.label.subscription_id"]
          above    = 600
          lasting  = 60
        }
      }
    }
  }
}

resource "google_monitoring_alert_policy" "self" {
  for_each = local.self_alerts

  project               = var.operations_project
  display_name          = "rollback: ${replace(each.key, "_", " ")}"
  combiner              = "OR"
  severity              = each.value.severity
  user_labels           = var.labels
  notification_channels = local.pager_names

  dynamic "conditions" {
    for_each = each.value.conditions

    content {
      display_name = replace(conditions.key, "_", " ")

      dynamic "condition_threshold" {
        for_each = can(conditions.value.above) ? [conditions.value] : []

        content {
          filter          = condition_threshold.value.filter
          comparison      = "COMPARISON_GT"
          threshold_value = condition_threshold.value.above
          duration        = "${condition_threshold.value.lasting}s"

          aggregations {
            alignment_period     = "${condition_threshold.value.period}s"
            per_series_aligner   = condition_threshold.value.aligner
            cross_series_reducer = condition_threshold.value.reducer
            group_by_fields      = condition_threshold.value.group_by
          }
        }
      }

      dynamic "condition_prometheus_query_language" {
        for_each = contains(keys(conditions.value), "query") ? [conditions.value] : []

        content {
          query                     = condition_prometheus_query_language.value.query
          duration                  = "${condition_prometheus_query_language.value.lasting}s"
          evaluation_interval       = "30s"
          disable_metric_validation = true # without a tick there is no such metric
        }
      }
    }
  }

  alert_strategy {
    # Counters of errors have no data once there are none, so that is the end of an incident; of a
    # silence it is the beginning, and it goes on until a person or a tick ends it.
    auto_close           = each.key == "silent_clock" ? "604800s" : "1800s"
    notification_prompts = ["OPENED", "CLOSED"]
  }

  documentation {
    mime_type = "text/markdown"
    subject   = "rollback: ${replace(each.key, "_", " ")}"
    content   = each.value.does
  }

  # The clock ticks before its silence is an alert.
  depends_on = [google_cloud_scheduler_job.clock, time_sleep.log_metrics_known]
}

# That everything is down no alert of the same cloud can tell: with the project, its billing or
# Cloud Monitoring gone, it stays silent like a healthy day. So a switch outside is kept quiet each
# minute, and tells people when that stops. Cloud Scheduler does it itself: a function in between
# would hide which of the two stands still, and the clock's own silence has its alert above.
# A notification channel cannot do it: it speaks of incidents, and repeats at best each half hour.
resource "google_cloud_scheduler_job" "dead_man" {
  count = var.dead_man_url == null ? 0 : 1

  project          = var.operations_project
  region           = var.clock_regions[1] # not where the first tick of the clock comes from
  name             = "rollback-dead-man"
  description      = "Keeps the dead man's switch outside Google Cloud quiet."
  schedule         = "* * * * *"
  time_zone        = "Etc/UTC"
  attempt_deadline = "30s" # it is not tried again, as is the default: the next ping comes within a minute

  http_target {
    uri         = var.dead_man_url
    http_method = "GET"
  }

  depends_on = [google_project_service.operations]
}
