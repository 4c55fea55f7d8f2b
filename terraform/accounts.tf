# An account of its own for each responder: what one may, the others may not.
resource "google_service_account" "responders" {
  for_each = local.responders

  project      = var.operations_project
  account_id   = local.function_names[each.key]
  display_name = each.key
  description  = each.value.description

  lifecycle {
    # Disabling the worker's account is an emergency stop: an apply must not lift it (checks.tf).
    ignore_changes = [disabled]
  }

  depends_on = [google_project_service.operations]
}

# Who Pub/Sub says it is when it pushes.
resource "google_service_account" "push" {
  project      = var.operations_project
  account_id   = "rollback-push"
  display_name = "push of the rollback topics"
  description  = "Invokes the rollback functions, and may do nothing else."

  depends_on = [google_project_service.operations]
}

# Who builds the functions: the default would be the compute account, an editor of everything.
resource "google_service_account" "build" {
  project      = var.operations_project
  account_id   = "rollback-build"
  display_name = "builds of the rollback functions"
  description  = "Builds the rollback functions, and may do nothing else."

  depends_on = [google_project_service.operations]
}
