locals {
  repository = "${path.module}/.."

  # The protected systems, as their policy files say.
  policies     = { for file in var.policies : yamldecode(file(file)).system => yamldecode(file(file)) }
  applications = toset([for policy in values(local.policies) : policy.project])

  database = "rollback"

  identity_project = coalesce(var.identity_project, var.operations_project)

  # Every topic, and what is said on it.
  topics = {
    rollback-alerts       = "notifications of Cloud Monitoring"
    rollback-clock        = "a tick a minute, from each of two regions"
    rollback-commands     = "what people ask for"
    rollback-dead-letters = "what was not understood, or given up"
    rollback-deployments  = "announcements by CI, hints from the audit log, looks that are due"
    rollback-notices      = "notices that are due"
    rollback-override     = "commands for the day when sign-in is down"
    rollback-work         = "rollbacks that are due"
  }

  function_names = { for entry_point in keys(local.responders) : entry_point => "rollback-${replace(entry_point, "_", "-")}" }
}
