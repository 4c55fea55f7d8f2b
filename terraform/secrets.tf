# Containers alone: a value never passes through Terraform, its state or its logs.
resource "google_secret_manager_secret" "rollback" {
  for_each = var.secrets

  project             = var.operations_project
  secret_id           = each.key
  labels              = var.labels
  deletion_protection = true

  replication {
    auto {}
  }

  lifecycle {
    precondition {
      condition     = alltrue([for reader in each.value.readers : contains(keys(local.responders), reader)])
      error_message = "readers of ${each.key} must be entry points: ${join(", ", keys(local.responders))}."
    }
  }

  depends_on = [google_project_service.operations]
}

# Whoever needs the value, and nobody else.
resource "google_secret_manager_secret_iam_member" "readers" {
  for_each = merge([
    for name, secret in var.secrets : { for reader in secret.readers : "${name} ${reader}" => { name = name, reader = reader } }
  ]...)

  project   = var.operations_project
  secret_id = google_secret_manager_secret.rollback[each.value.name].secret_id
  role      = "roles/secretmanager.secretAccessor" # exactly to read the value of a version
  member    = google_service_account.responders[each.value.reader].member
}
