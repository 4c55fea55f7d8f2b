# What the policy files say, as values that conditions are made of: one map entry per system and
# signal. What each signal is measured by stands in alert_conditions.tf.

locals {
  # What holds where a policy file does not say: the embedded cloud's rules (local/services/monitoring) and
  # the code's defaults (shared/domain/policy/system_policy.py), compared by a test.
  signal_defaults = {
    frontend_unavailable    = { threshold = 2, duration = "1m" }
    function_failure_rate   = { threshold = 0.5, duration = "2m" }
    functions_failing_share = { threshold = 0.25, duration = "0s" }
    critical_path_blocked   = { threshold = 45, duration = "1m" }
    performance_degraded    = { threshold = 0.5, duration = "5m" }
    authentication_failure  = { threshold = 0.8, duration = "5m" }
    database_connectivity   = { threshold = 10, duration = "1m" }
    database_failure_rate   = { threshold = 0.5, duration = "1m" }
    slow_response           = { threshold = 30, duration = "1m" }
    error_rate              = { threshold = 0.1, duration = "5m" }
    quota_usage             = { threshold = 0.8, duration = "1m" }
  }
  gate_defaults = { auto_close = "7d", minimum_requests = 20 }
  probe_timeout = "10s"

  # What no metric shows. They come on rollback-commands, or on rollback-alerts from an
  # alert policy of somebody else that carries both labels.
  unmeasured_signals = {
    database_corruption = "only an integrity check that reads the documents can tell"
    data_loss           = "only an integrity check that reads the documents can tell"
    security_breach     = "declared by a person, or by a finding (security_findings.tf)"
  }

  # Signals that have no alert here, by system and signal, each with its reason.
  signals_without_alert = merge([
    for system, policy in local.policies : {
      for name, signal in policy.signals : "${system}/${name}" => (
        contains(keys(local.unmeasured_signals), name) ? local.unmeasured_signals[name] :
        !contains(var.alert_severities, signal.severity) ? "alert_severities has no ${signal.severity}" :
        "uptime_checks is off: the responders' own looks alone tell it"
      )
      if contains(keys(local.unmeasured_signals), name) || !contains(var.alert_severities, signal.severity) ||
      !var.uptime_checks && name == "frontend_unavailable" && alltrue([for condition in try(signal.also, []) : condition.unit == "count"])
    }
  ]...)

  # `also` is measured on requests and probes: for other signals it would mean something else.
  # Of sign-in, the probes that name its signal alone tell: `count`.
  signals_with_also = [
    "critical_path_blocked", "error_rate", "frontend_unavailable", "function_failure_rate",
    "functions_failing_share", "performance_degraded", "slow_response",
  ]

  # A probe fails where this many regions see it fail: one alone may be the region's own trouble.
  failing_regions = 2

  severities = { CRITICAL = "CRITICAL", HIGH = "ERROR", MEDIUM = "WARNING", LOW = null }

  # Durations as people write them (1h30m), in seconds.
  durations = toset(compact(flatten([
    local.probe_timeout,
    local.gate_defaults.auto_close,
    values(local.signal_defaults)[*].duration,
    [for policy in values(local.policies) : [
      try(policy.gates.auto_close, null),
      [for probe in try(policy.probes, []) : try(probe.timeout, null)],
      [for signal in values(policy.signals) : [
        try(signal.duration, null),
        [for condition in try(signal.also, []) : try(condition.duration, null)],
      ]],
    ]],
  ])))
  seconds = {
    for text in local.durations : text => sum([
      for part in regexall("([0-9]+)([dhms])", text) :
      tonumber(part[0]) * { d = 86400, h = 3600, m = 60, s = 1 }[part[1]]
    ])
  }

  # Alert policies, their channels and metrics stand in the project of the application: there the
  # metrics are, no metrics scope is needed, and a notification names that project as its own, so
  # that the responders do not take it for a foreign one.
  signals = merge([
    for system, policy in local.policies : {
      for name, signal in policy.signals : "${system}/${name}" => {
        system     = system
        name       = name
        project    = policy.project
        severity   = signal.severity
        scenario   = signal.scenario
        auto_close = local.seconds[try(policy.gates.auto_close, local.gate_defaults.auto_close)]
        also = [
          for condition in try(signal.also, []) : {
            unit      = condition.unit
            threshold = condition.threshold
            seconds   = try(local.seconds[condition.duration], max(60, local.seconds[local.signal_defaults[name].duration]))
          }
        ]
      } if !contains(keys(local.signals_without_alert), "${system}/${name}")
    }
  ]...)

  # Per system and signal: what is too much, and for how long (seconds).
  thresholds = {
    for system, policy in local.policies : system => {
      for name, default in local.signal_defaults :
      name => coalesce(try(policy.signals[name].threshold, null), default.threshold)
    }
  }
  lasting = {
    for system, policy in local.policies : system => {
      for name, default in local.signal_defaults :
      name => local.seconds[coalesce(try(policy.signals[name].duration, null), default.duration)]
    }
  }

  # Those that Google requests: no check signs in.
  checked_probes = { for key, probe in local.probes : key => probe if var.uptime_checks && !probe.signs_in }
  probes = merge([
    for system, policy in local.policies : {
      for probe in try(policy.probes, []) : "${system}/${probe.name}" => {
        system   = system
        name     = probe.name
        project  = policy.project
        function = try(probe.function, null)
        signal   = try(probe.signal, null)
        # 60 is the shortest that Google offers: nothing else confirms in time that a site fails.
        period       = contains(["", "frontend_unavailable"], try(coalesce(probe.signal), "")) ? 60 : 300
        address      = regex("^https://(\\[[^\\]]+\\]|[^/:?]+)(?::([0-9]+))?(.*)$", probe.url)
        signs_in     = try(probe.sign_in, null) != null
        method       = try(probe.method, "GET")
        body         = try(probe.body, null) == null ? null : try(tostring(probe.body), jsonencode(probe.body))
        headers      = try(probe.headers, {})
        status       = try(probe.expect.status, null)
        text         = try(probe.expect.text, "")
        status_below = try(probe.status_below, 500)
        timeout      = local.seconds[try(probe.timeout, local.probe_timeout)]
      } if try(probe.url, "") != ""
    }
  ]...)
}
