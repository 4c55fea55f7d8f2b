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

  # The audience of a push: the address of the function that is known before the function exists. The
  # function compares it with the token of each push.
  push_audience = "https://{function}-${data.google_project.every[var.operations_project].number}.${var.region}.run.app"

  function_names = { for entry_point in keys(local.responders) : entry_point => "rollback-${replace(entry_point, "_", "-")}" }
}
