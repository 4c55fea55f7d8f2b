output "alert_policies" {
  description = "The alert policies, by system and signal, and those of function_failure_rate for quiet functions and for `also` with /quiet and /also: the last part of each name is what a notification carries."
  value       = { for key, policy in google_monitoring_alert_policy.signal : key => policy.name }
}

output "signals_without_alert" {
  description = "Signals of the policy files without an alert policy, with the reason: what no metric shows is declared by a command, or by an alert policy of your own with both labels."
  value       = local.signals_without_alert
}
