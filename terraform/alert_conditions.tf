# What each signal is measured by: per system and signal a list of conditions, any one of which is
# enough, but for a share of the requests of one function, which holds only beside their number. A
# condition is either
#   { kind = "filter", name, filter, denominator, aligner, reducer, period, group_by, above, lasting }
# with null for no denominator, period and lasting in seconds, or
#   { kind = "query", name, query, lasting }
# in PromQL, where a filter cannot say it: 30 s (filters know whole minutes), shares of functions,
# comparisons with yesterday, shares of quotas, shares of enough calls.
#
# A share of fewer calls than gates.minimum_requests in five minutes says nothing: as the responders
# judge what they count themselves, a few failed calls of a rare function raise no alert. The
# calls of a quiet function, or of a group of quiet functions, are counted over 15 minutes (`quiet`).
#
# Cloud Monitoring knows only "greater than": where a policy counts, N is already too much, so the
# condition says > N - 1, and PromQL >= N. Ratios and seconds are too much when they are above.
# Latencies of Cloud Run are in milliseconds.

locals {
  # How points become one value.
  shapes = {
    # Not a rate, which would be per second. The window is the period, so nothing has to last.
    count   = { kind = "filter", aligner = "ALIGN_DELTA", reducer = "REDUCE_SUM", group_by = [], denominator = null, lasting = 0 }
    slowest = { kind = "filter", aligner = "ALIGN_DELTA", reducer = "REDUCE_PERCENTILE_95", period = 60, group_by = ["resource.label.service_name"], denominator = null }
  }

  # The functions of a system, as filters. A filter has at most 2,048 characters, so functions are
  # named sixty at a time.
  service_filters = {
    for system in keys(local.policies) : system => (
      local.has_any_function[system] ? [join(" AND ", [for name in local.own_functions : "resource.label.service_name!=\"${name}\""])]
      : local.has_patterns[system] ? [for services in chunklist(local.services[system], 60) : "resource.label.service_name=monitoring.regex.full_match(\"${join("|", services)}\")"]
      : [for services in chunklist(local.services[system], 60) : "resource.label.service_name=one_of(\"${join("\",\"", services)}\")"]
    )
  }
  run_filters = {
    for system, policy in local.policies : system => [
      for services in local.service_filters[system] : join(" AND ", [
        "resource.type=\"cloud_run_revision\"",
        "resource.label.project_id=\"${policy.project}\"",
        "resource.label.location=\"${policy.region}\"",
        services,
      ])
    ]
  }
  requests_metric  = "metric.type=\"run.googleapis.com/request_count\""
  latencies_metric = "metric.type=\"run.googleapis.com/request_latencies\""

  # Log-based metrics take the resource of their log. "" where the system has no such counter.
  log_filters = {
    for system in keys(local.policies) : system => {
      for name, resource in {
        requests          = "cloud_run_revision"
        server_errors     = "cloud_run_revision"
        database_failures = "cloud_run_revision"
        sign_ins          = "identitytoolkit_project"
        sign_in_failures  = "identitytoolkit_project"
      } : name => "metric.type=\"logging.googleapis.com/user/${local.log_prefix[system]}_${name}\" AND resource.type=\"${resource}\""
    }
  }

  # Calls of Firestore; our own database may lie in the same project.
  firestore_calls = join(" AND ", [
    "metric.type=\"firestore.googleapis.com/api/request_count\"",
    "resource.type=\"firestore.googleapis.com/Database\"",
    "resource.label.database_id!=\"${local.database}\"",
  ])
  unreachable = ["UNAVAILABLE", "DEADLINE_EXCEEDED", "INTERNAL", "RESOURCE_EXHAUSTED"]

  # Probes that exercise no function ask for the site, the others for the critical path.
  checks = {
    for system in keys(local.policies) : system => {
      site     = [for key, probe in local.checked_probes : google_monitoring_uptime_check_config.probe[key].uptime_check_id if probe.system == system && probe.function == null]
      critical = [for key, probe in local.checked_probes : google_monitoring_uptime_check_config.probe[key].uptime_check_id if probe.system == system && probe.function != null]
      sign_in  = [for key, probe in local.checked_probes : google_monitoring_uptime_check_config.probe[key].uptime_check_id if probe.system == system && probe.signal == "authentication_failure"]
    }
  }
  # The newest result of each check and region: one that runs each five minutes counts until the next.
  check_window = "[6m]"
  critical_services = {
    for system in keys(local.policies) : system => distinct([
      for probe in values(local.probes) : lower(replace(probe.function, "_", "-")) if probe.system == system && probe.function != null
    ])
  }

  # The same as series of PromQL.
  series = {
    for system, policy in local.policies : system => {
      requests         = "logging_googleapis_com:user_${local.log_prefix[system]}_requests{monitored_resource=\"cloud_run_revision\"}"
      server_errors    = "logging_googleapis_com:user_${local.log_prefix[system]}_server_errors{monitored_resource=\"cloud_run_revision\"}"
      sign_ins         = "logging_googleapis_com:user_${local.log_prefix[system]}_sign_ins{monitored_resource=\"identitytoolkit_project\"}"
      sign_in_failures = "logging_googleapis_com:user_${local.log_prefix[system]}_sign_in_failures{monitored_resource=\"identitytoolkit_project\"}"
      database         = "firestore_googleapis_com:api_request_count{monitored_resource=\"firestore.googleapis.com/Database\",database_id!=\"${local.database}\"}"
      # Rules that refuse everything are a failure of the database too.
      database_errors = "firestore_googleapis_com:api_request_count{monitored_resource=\"firestore.googleapis.com/Database\",database_id!=\"${local.database}\",response_code=~\"${join("|", concat(local.unreachable, ["PERMISSION_DENIED"]))}\"}"
      latencies       = "run_googleapis_com:request_latencies_bucket{monitored_resource=\"cloud_run_revision\",project_id=\"${policy.project}\",location=\"${policy.region}\"}"
      site            = "monitoring_googleapis_com:uptime_check_check_passed{monitored_resource=\"uptime_url\",check_id=~\"${join("|", local.checks[system].site)}\"}"
      critical        = "monitoring_googleapis_com:uptime_check_check_passed{monitored_resource=\"uptime_url\",check_id=~\"${join("|", local.checks[system].critical)}\"}"
      quota           = "monitored_resource=\"consumer_quota\",project_id=\"${policy.project}\""
    }
  }
  enough_requests = {
    for system, policy in local.policies : system => try(policy.gates.minimum_requests, local.gate_defaults.minimum_requests)
  }

  # Fewer failed requests of a function never prove that it fails (decision 0081): they raise no alert.
  enough_failures = 8

  # Shares of failed calls, and what makes the calls enough.
  shares = {
    for system in keys(local.policies) : system => {
      for name, series in {
        requests = { failed = local.series[system].server_errors, all = local.series[system].requests }
        sign_ins = { failed = local.series[system].sign_in_failures, all = local.series[system].sign_ins }
        database = { failed = local.series[system].database_errors, all = local.series[system].database }
        } : name => {
        share  = "sum(rate(${series.failed}[2m])) / sum(rate(${series.all}[2m]))"
        enough = "sum(increase(${series.all}[5m])) >= ${local.enough_requests[system]}"
      }
    }
  }

  measures = {
    for system, policy in local.policies : system => {
      frontend_unavailable = [
        for checks in [local.checks[system].site] : {
          kind    = "query"
          name    = "a probe of the site fails in ${local.thresholds[system].frontend_unavailable} regions"
          query   = "count by (check_id) (last_over_time(${local.series[system].site}${local.check_window}) == 0) >= ${local.thresholds[system].frontend_unavailable}"
          lasting = local.lasting[system].frontend_unavailable
        } if length(checks) > 0
      ]

      # By filters, and both at once of one function: the notification of a query may not name it. The
      # log has the failed starts too; Cloud Run counts only what reached an instance.
      function_failure_rate = [
        {
          kind        = "filter"
          name        = "share of failed requests of a function, failed starts included"
          filter      = local.log_filters[system].server_errors
          denominator = local.log_filters[system].requests
          aligner     = "ALIGN_RATE"
          reducer     = "REDUCE_SUM"
          period      = 60
          group_by    = ["resource.label.service_name"]
          above       = local.thresholds[system].function_failure_rate
          lasting     = local.lasting[system].function_failure_rate
        },
        merge(local.shapes.count, {
          name     = "enough requests of that function"
          filter   = local.log_filters[system].requests
          period   = 300
          group_by = ["resource.label.service_name"]
          above    = local.enough_requests[system] - 1
        }),
        merge(local.shapes.count, {
          name     = "enough failed requests of that function"
          filter   = local.log_filters[system].server_errors
          period   = 300
          group_by = ["resource.label.service_name"]
          above    = local.enough_failures - 1
        }),
      ]

      # A function fails when its own failure rate is too much. Thin traffic says nothing.
      functions_failing_share = [{
        kind = "query"
        name = "share of functions that fail"
        query = join(" ", [
          "count(sum by (service_name) (increase(${local.series[system].server_errors}[2m]))",
          "/ sum by (service_name) (increase(${local.series[system].requests}[2m])) > ${local.thresholds[system].function_failure_rate})",
          "/ count(sum by (service_name) (increase(${local.series[system].requests}[2m])) > 0)",
          "> ${local.thresholds[system].functions_failing_share}",
          "and sum(increase(${local.series[system].requests}[2m])) >= ${local.enough_requests[system]}",
          "and sum(increase(${local.series[system].server_errors}[2m])) >= ${local.enough_failures}",
        ])
        lasting = local.lasting[system].functions_failing_share
      }]

      critical_path_blocked = concat(
        [
          for services in [local.critical_services[system]] : merge(local.shapes.slowest, {
            name = "95th percentile of a critical function"
            filter = join(" AND ", [
              local.latencies_metric,
              "resource.type=\"cloud_run_revision\"",
              "resource.label.project_id=\"${policy.project}\"",
              "resource.label.location=\"${policy.region}\"",
              "resource.label.service_name=one_of(\"${join("\",\"", services)}\")",
            ])
            above   = local.thresholds[system].critical_path_blocked * 1000
            lasting = local.lasting[system].critical_path_blocked
          }) if length(services) > 0
        ],
        # A function whose time-out is shorter than the threshold never takes that long.
        [
          for checks in [local.checks[system].critical] : {
            kind    = "query"
            name    = "a probe of a critical function fails in ${local.failing_regions} regions"
            query   = "count by (check_id) (last_over_time(${local.series[system].critical}${local.check_window}) == 0) >= ${local.failing_regions}"
            lasting = local.lasting[system].critical_path_blocked
          } if length(checks) > 0
        ],
      )

      # By how much each function's median is above that of the same hour yesterday: of that the
      # median over the functions, so that one slow function is not a slow system.
      performance_degraded = [{
        kind = "query"
        name = "slower than yesterday"
        query = join(" ", [
          "quantile(0.5, histogram_quantile(0.5, sum by (service_name, le) (increase(${local.series[system].latencies}[5m])))",
          "/ histogram_quantile(0.5, sum by (service_name, le) (increase(${local.series[system].latencies}[1h] offset 23h30m)))",
          "and on (service_name) sum by (service_name) (increase(${local.series[system].requests}[5m])) >= ${local.enough_requests[system]})",
          "- 1 > ${local.thresholds[system].performance_degraded}",
        ])
        lasting = local.lasting[system].performance_degraded
      }]

      authentication_failure = [{
        kind    = "query"
        name    = "share of failed sign-ins"
        query   = "${local.shares[system].sign_ins.share} > ${local.thresholds[system].authentication_failure} and ${local.shares[system].sign_ins.enough}"
        lasting = local.lasting[system].authentication_failure
      }]

      database_connectivity = [
        merge(local.shapes.count, {
          name   = "database failures that the functions tell of"
          filter = local.log_filters[system].database_failures
          period = local.lasting[system].database_connectivity
          above  = local.thresholds[system].database_connectivity - 1
        }),
        merge(local.shapes.count, {
          name   = "calls that Firestore failed"
          filter = "${local.firestore_calls} AND metric.label.response_code=one_of(\"${join("\",\"", local.unreachable)}\")"
          period = local.lasting[system].database_connectivity
          above  = local.thresholds[system].database_connectivity - 1
        }),
      ]

      database_failure_rate = [{
        kind    = "query"
        name    = "share of calls that Firestore failed"
        query   = "${local.shares[system].database.share} > ${local.thresholds[system].database_failure_rate} and ${local.shares[system].database.enough}"
        lasting = local.lasting[system].database_failure_rate
      }]

      slow_response = [
        for index, filter in local.run_filters[system] : merge(local.shapes.slowest, {
          name    = "95th percentile of a function (${index + 1})"
          filter  = "${local.latencies_metric} AND ${filter}"
          above   = local.thresholds[system].slow_response * 1000
          lasting = local.lasting[system].slow_response
        })
      ]

      error_rate = [{
        kind    = "query"
        name    = "share of failed requests of all functions"
        query   = "${local.shares[system].requests.share} > ${local.thresholds[system].error_rate} and ${local.shares[system].requests.enough}"
        lasting = local.lasting[system].error_rate
      }]

      # Limits are sampled daily. A minute's usage is compared with limits per minute only.
      quota_usage = [
        {
          kind = "query"
          name = "share of a quota per minute"
          query = join(" ", [
            "sum by (service, quota_metric, location) (increase(serviceruntime_googleapis_com:quota_rate_net_usage{${local.series[system].quota}}[1m]))",
            "/ min by (service, quota_metric, location) (last_over_time(serviceruntime_googleapis_com:quota_limit{${local.series[system].quota},limit_name=~\"(?i).*per-?minute.*\"}[1d]))",
            "> ${local.thresholds[system].quota_usage}",
          ])
          lasting = local.lasting[system].quota_usage
        },
        {
          kind = "query"
          name = "share of an allocation quota"
          query = join(" ", [
            "max by (service, quota_metric, location) (last_over_time(serviceruntime_googleapis_com:quota_allocation_usage{${local.series[system].quota}}[1d]))",
            "/ min by (service, quota_metric, location) (last_over_time(serviceruntime_googleapis_com:quota_limit{${local.series[system].quota}}[1d]))",
            "> ${local.thresholds[system].quota_usage}",
          ])
          lasting = local.lasting[system].quota_usage
        },
        merge(local.shapes.count, {
          name     = "a quota is exceeded"
          filter   = "metric.type=\"serviceruntime.googleapis.com/quota/exceeded\" AND resource.type=\"consumer_quota\" AND resource.label.project_id=\"${policy.project}\""
          aligner  = "ALIGN_COUNT_TRUE"
          period   = 60
          group_by = ["metric.label.quota_metric"]
          above    = 0
        }),
      ]
    }
  }

  # `also`, by its unit: a share of all requests, failed checks of one probe within the duration
  # (no answer within the probe's timeout is a failed check), or seconds of one function.
  also = {
    for key, signal in local.signals : key => flatten([
      for condition in signal.also : {
        ratio = [{
          kind    = "query"
          name    = "share of failed requests of all functions"
          query   = "${local.shares[signal.system].requests.share} > ${condition.threshold} and ${local.shares[signal.system].requests.enough}"
          lasting = condition.seconds
        }]
        count = [
          for checks in [signal.name == "authentication_failure" ? local.checks[signal.system].sign_in : concat(local.checks[signal.system].site, signal.name == "frontend_unavailable" ? [] : local.checks[signal.system].critical)] : merge(local.shapes.count, {
            name     = "failed checks of a probe"
            filter   = "metric.type=\"monitoring.googleapis.com/uptime_check/check_passed\" AND resource.type=\"uptime_url\" AND metric.label.check_id=one_of(\"${join("\",\"", checks)}\")"
            aligner  = "ALIGN_COUNT_FALSE"
            period   = max(300, condition.seconds) # no check runs less often
            group_by = ["metric.label.check_id"]
            above    = condition.threshold - 1
          }) if length(checks) > 0
        ]
        seconds = [
          for index, filter in local.run_filters[signal.system] : merge(local.shapes.slowest, {
            name    = "95th percentile of a function (${index + 1})"
            filter  = "${local.latencies_metric} AND ${filter}"
            above   = condition.threshold * 1000
            lasting = condition.seconds
          })
        ]
      }[condition.unit]
    ])
  }

  # Groups of several functions whose services are known: not those with "*" or a codebase, which no
  # regular expression covers. A label names the group, so that each group opens an alert of its own.
  quiet_groups = {
    for system, policy in local.policies : system => [
      for name, services in local.group_services[system] : join("", [
        "label_replace((sum(increase(${replace(local.series[system].server_errors, "}", ",service_name=~\"${join("|", services)}\"}")}[15m])) >= ${local.enough_failures})",
        " / (sum(increase(${replace(local.series[system].requests, "}", ",service_name=~\"${join("|", services)}\"}")}[15m])) >= ${local.enough_requests[system]})",
        " > ${local.thresholds[system].function_failure_rate}, \"group\", \"${name}\", \"\", \"\")",
      ]) if length(try(policy.groups[name].codebases, [])) == 0 && !contains(services, ".*") && (length(services) > 1 || length(regexall("\\.", join("", services))) > 0)
    ]
  }

  # function_failure_rate of quiet functions and groups. A query of groups ends with the group that passes
  # a multiple of 5,000 characters.
  quiet = {
    for system in keys(local.policies) : system => [
      for condition in concat(
        [{
          name = "share of failed requests of a function within 15 minutes"
          query = join(" ", [
            "(sum by (service_name) (increase(${local.series[system].server_errors}[15m])) >= ${local.enough_failures})",
            "/ (sum by (service_name) (increase(${local.series[system].requests}[15m])) >= ${local.enough_requests[system]})",
            "> ${local.thresholds[system].function_failure_rate}",
          ])
        }],
        [
          for queries in values({
            for index, query in local.quiet_groups[system] :
            floor(length(join("", slice(local.quiet_groups[system], 0, index))) / 5000) => query...
          }) : { name = "share of failed requests of a group within 15 minutes", query = join(" or ", queries) }
        ],
      ) : merge(condition, { kind = "query", lasting = max(60, local.lasting[system].function_failure_rate) })
    ]
  }

  # The alert policies of each signal: one; for function_failure_rate, whose conditions hold only together,
  # another one for quiet functions and one for its `also`.
  alerts = merge(
    {
      for key, signal in local.signals : key => merge(signal, {
        combiner   = signal.name == "function_failure_rate" ? "AND_WITH_MATCHING_RESOURCE" : "OR"
        conditions = concat(local.measures[signal.system][signal.name], [for condition in local.also[key] : condition if signal.name != "function_failure_rate"])
      })
    },
    {
      for key, signal in local.signals : "${key}/also" => merge(signal, { combiner = "OR", conditions = local.also[key] })
      if signal.name == "function_failure_rate" && length(local.also[key]) > 0
    },
    {
      for key, signal in local.signals : "${key}/quiet" => merge(signal, { combiner = "OR", conditions = local.quiet[signal.system] })
      if signal.name == "function_failure_rate"
    },
  )
}
