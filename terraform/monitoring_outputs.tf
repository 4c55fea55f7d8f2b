output "alert_policies" {
  description = "The alert policies, by system and signal: the last part of each name is what a notification carries."
  value       = { for key, policy in google_monitoring_alert_policy.signal : key => policy.name }
}

output "signals_without_alert" {
  description = "Signals of the policy files that no metric shows, with the reason: declare them by a command, or by an alert policy of your own with both labels."
  value = merge([
    for system, policy in local.policies : {
      for name, reason in local.unmeasured_signals : "${system}/${name}" => reason if contains(keys(policy.signals), name)
    }
  ]...)
}
