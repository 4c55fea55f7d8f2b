# Two kinds of dashboards: a system's health beside the runbook's numbers, in the project of the
# application, and the responders themselves, in the operations project. Each tile is one query;
# where it has a limit, the limit is drawn. Of a page that loads, a check sees the document alone.

locals {
  system_tiles = {
    for system, policy in local.policies : system => concat(length(local.checks[system].site) == 0 ? [] : [
      {
        title = "Site: answers within 3 s (ms)", limit = 3000
        query = "max by (check_id) (${local.site_latency[system]})"
      },
      {
        title = "Site: the page loads within 5 s (its document, from the slowest region, ms)", limit = 5000
        query = "max(${local.site_latency[system]})"
      },
      {
        title = "Site: checks passed, above 99.9 %", limit = 0.999
        query = "avg by (check_id) (avg_over_time(${local.series[system].site}[10m]))"
      },
      ], [
      {
        title = "Functions: answers within 30 s (95th percentile, ms)", limit = 30000
        query = "topk(10, histogram_quantile(0.95, sum by (service_name, le) (rate(${local.series[system].latencies}[5m]))))"
      },
      {
        title = "Functions: failed requests, below 5 %", limit = 0.05
        query = "sum(rate(${local.series[system].server_errors}[5m])) / sum(rate(${local.series[system].requests}[5m]))"
      },
      {
        title = "Transactions: more than 95 % succeed (critical functions)", limit = 0.95
        query = "1 - sum(rate(run_googleapis_com:request_count{${local.critical_series[system]},response_code_class=\"5xx\"}[5m])) / sum(rate(run_googleapis_com:request_count{${local.critical_series[system]}}[5m]))"
      },
      {
        title = "Database: reads within 100 ms (95th percentile, s; calls that do not stream)", limit = 0.1
        query = "histogram_quantile(0.95, sum by (le) (rate(firestore_googleapis_com:api_request_latencies_bucket{monitored_resource=\"firestore.googleapis.com/Database\",api_method=~\".*(GetDocument|ListDocuments|Lookup)\"}[5m])))"
      },
      {
        title = "Database: writes within 500 ms (95th percentile, s)", limit = 0.5
        query = "histogram_quantile(0.95, sum by (le) (rate(firestore_googleapis_com:api_request_latencies_bucket{monitored_resource=\"firestore.googleapis.com/Database\",api_method=~\".*(Commit|BatchWrite|Write)\"}[5m])))"
      },
      {
        title = "Rollbacks: changes of services by the responders", limit = null
        query = "sum(increase(logging_googleapis_com:user_${local.log_prefix[system]}_shifts[10m]))"
      },
      {
        title = "Cost: bytes of metrics that Monitoring bills, per hour", limit = null
        query = "sum(increase(monitoring_googleapis_com:billing_bytes_ingested{monitored_resource=\"global\",project_id=\"${policy.project}\"}[1h]))"
      },
      {
        title = "Cost: runs of the probes' checks, per hour", limit = null
        query = "sum(count_over_time(monitoring_googleapis_com:uptime_check_check_passed{monitored_resource=\"uptime_url\",project_id=\"${policy.project}\"}[1h]))"
      },
    ])
  }
  site_latency = {
    for system in keys(local.policies) : system =>
    "monitoring_googleapis_com:uptime_check_request_latency{monitored_resource=\"uptime_url\",check_id=~\"${join("|", local.checks[system].site)}\"}"
  }
  critical_series = {
    for system, policy in local.policies : system =>
    "monitored_resource=\"cloud_run_revision\",project_id=\"${policy.project}\",location=\"${policy.region}\",service_name=~\"${join("|", local.critical_services[system])}\""
  }

  own_pushes     = "monitored_resource=\"pubsub_subscription\",project_id=\"${var.operations_project}\",subscription_id=~\"rollback-.*-push\""
  own_revisions  = "monitored_resource=\"cloud_run_revision\",project_id=\"${var.operations_project}\",service_name=~\"${join("|", values(local.function_names))}\""
  state_database = "monitored_resource=\"firestore.googleapis.com/Database\",database_id=\"${local.database}\""

  operations_tiles = [
    {
      title = "Backlog: messages that wait", limit = 100
      query = "max by (subscription_id) (pubsub_googleapis_com:subscription_num_undelivered_messages{${local.own_pushes}})"
    },
    {
      title = "Oldest message that waits (s)", limit = 600
      query = "max by (subscription_id) (pubsub_googleapis_com:subscription_oldest_unacked_message_age{${local.own_pushes}})"
    },
    {
      title = "Oldest due work: for how long it has been due (s)", limit = 300
      query = "histogram_quantile(0.99, sum by (le) (increase(logging_googleapis_com:user_rollback_due_seconds_bucket{monitored_resource=\"cloud_run_revision\"}[5m])))"
    },
    {
      title = "Dead letters that nobody has looked at", limit = 0
      query = "max(pubsub_googleapis_com:subscription_num_undelivered_messages{monitored_resource=\"pubsub_subscription\",project_id=\"${var.operations_project}\",subscription_id=\"rollback-dead-letters-kept\"})"
    },
    {
      title = "Ticks of the clock that were answered, two a minute", limit = null
      query = "sum(increase(pubsub_googleapis_com:subscription_push_request_count{monitored_resource=\"pubsub_subscription\",project_id=\"${var.operations_project}\",subscription_id=\"rollback-clock-push\",response_class=\"ack\"}[1m]))"
    },
    {
      title = "Rollbacks that ended, by how", limit = null
      query = "sum by (event) (increase(logging_googleapis_com:user_rollback_events{monitored_resource=\"cloud_run_revision\",event=~\"rollback[.].*\"}[10m]))"
    },
    {
      title = "Errors of the responders", limit = null
      query = "sum by (service_name) (increase(logging_googleapis_com:user_rollback_responder_errors{monitored_resource=\"cloud_run_revision\"}[5m]))"
    },
    {
      title = "Cost: seconds of instances that are billed, per hour", limit = null
      query = "sum by (service_name) (increase(run_googleapis_com:container_billable_instance_time{${local.own_revisions}}[1h]))"
    },
    {
      title = "Cost: reads and writes of the state database, per hour", limit = null
      query = "sum(increase(firestore_googleapis_com:document_read_ops_count{${local.state_database}}[1h])) + sum(increase(firestore_googleapis_com:document_write_ops_count{${local.state_database}}[1h]))"
    },
    {
      title = "Cost: bytes of metrics that Monitoring bills, per hour", limit = null
      query = "sum(increase(monitoring_googleapis_com:billing_bytes_ingested{monitored_resource=\"global\",project_id=\"${var.operations_project}\"}[1h]))"
    },
    {
      title = "Cost: bytes of logs that Logging bills, per hour", limit = null
      query = "sum(increase(logging_googleapis_com:billing_bytes_ingested{monitored_resource=\"global\",project_id=\"${var.operations_project}\"}[1h]))"
    },
  ]

  # A page for each: three tiles side by side.
  dashboards = merge(
    { for system, policy in local.policies : "systems/${system}" => { project = policy.project, title = "Health of ${system}", tiles = local.system_tiles[system] } },
    { responders = { project = var.operations_project, title = "Emergency rollback", tiles = local.operations_tiles } },
  )
}

resource "google_monitoring_dashboard" "page" {
  for_each = { for key, page in local.dashboards : key => page if var.dashboards }

  project = each.value.project
  dashboard_json = jsonencode({
    displayName = each.value.title
    mosaicLayout = {
      columns = 48
      tiles = [
        for index, tile in each.value.tiles : merge(
          {
            width  = 16
            height = 12
            widget = {
              title = tile.title
              xyChart = merge(
                {
                  dataSets = [{
                    plotType        = "LINE"
                    targetAxis      = "Y1"
                    timeSeriesQuery = { prometheusQuery = tile.query }
                  }]
                },
                { for name, limit in { thresholds = tile.limit } : name => [{ for key, at in { value = limit } : key => at if at != 0 }] if limit != null },
              )
            }
          },
          # Monitoring shows neither 0 nor an empty list: each plan would set them again.
          { for name, at in { xPos = index % 3 * 16, yPos = floor(index / 3) * 12 } : name => at if at > 0 },
        )
      ]
    }
  })

  depends_on = [google_project_service.operations, google_project_service.others]
}
