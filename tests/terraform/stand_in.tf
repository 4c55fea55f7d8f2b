# What the monitoring files take from the rest of the module, as far as they look at it.

variable "clock_regions" {
  type    = list(string)
  default = ["us-central1", "us-east1"]
}

variable "labels" {
  type    = map(string)
  default = {}
}

variable "operations_project" {
  type = string
}

variable "policies" {
  type = set(string)
}

locals {
  policies       = { for file in var.policies : yamldecode(file(file)).system => yamldecode(file(file)) }
  applications   = toset([for policy in values(local.policies) : policy.project])
  projects       = setunion([var.operations_project], local.applications)
  database       = "rollback"
  function_names = { for name in ["on_alert", "on_clock", "on_work"] : name => "rollback-${replace(name, "_", "-")}" }
  own_functions  = values(local.function_names)
  topics         = ["rollback-alerts", "rollback-clock", "rollback-dead-letters", "rollback-work"]
}

data "google_project" "every" {
  for_each = local.projects

  project_id = each.key
}

resource "google_project_service" "operations" {
  for_each = toset(["monitoring.googleapis.com"])

  project = var.operations_project
  service = each.key
}

resource "google_service_account" "responders" {
  for_each = local.function_names

  project    = var.operations_project
  account_id = each.value
}

resource "google_pubsub_topic" "rollback" {
  for_each = toset(local.topics)

  project = var.operations_project
  name    = each.key
}

resource "google_pubsub_subscription" "push" {
  for_each = toset(["rollback-alerts", "rollback-clock", "rollback-work"])

  project = var.operations_project
  name    = "${each.key}-push"
  topic   = google_pubsub_topic.rollback[each.key].id
}

resource "google_pubsub_subscription" "letters_kept" {
  project = var.operations_project
  name    = "rollback-dead-letters-kept"
  topic   = google_pubsub_topic.rollback["rollback-dead-letters"].id
}
