# Who read a backup or a secret. What is changed is logged always, and cannot be switched off.
resource "google_project_iam_audit_config" "access" {
  for_each = var.access_logs ? {
    "secretmanager.googleapis.com" = ["ADMIN_READ", "DATA_READ", "DATA_WRITE"]
    "storage.googleapis.com"       = ["DATA_READ", "DATA_WRITE"]
  } : {}

  project = var.operations_project
  service = each.key

  dynamic "audit_log_config" {
    for_each = toset(each.value)
    content {
      log_type = audit_log_config.value
    }
  }
}
