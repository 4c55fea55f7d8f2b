locals {
  # Which accesses are told, by service: whoever looked at a secret or a backup. Reading a document
  # of a database is none of it: that would be a line for each read of the application.
  secret_accesses = ["ADMIN_READ", "DATA_READ", "DATA_WRITE"]
  # Firestore's logs are configured by the name of Datastore; reading backups and their schedules is
  # ADMIN_READ (docs.cloud.google.com/firestore/docs/audit-logging, read 2026-11).
  backup_accesses = ["ADMIN_READ"]
  bucket_accesses = ["DATA_READ", "DATA_WRITE"]

  accesses = merge(
    {
      for project in local.projects : "${project} secretmanager.googleapis.com" => {
        project = project, service = "secretmanager.googleapis.com", types = local.secret_accesses
      }
    },
    {
      for project in local.projects : "${project} datastore.googleapis.com" => {
        project = project, service = "datastore.googleapis.com", types = local.backup_accesses
      }
    },
    # Exports, copies and audit heads lie in the operations project.
    {
      "${var.operations_project} storage.googleapis.com" = {
        project = var.operations_project, service = "storage.googleapis.com", types = local.bucket_accesses
      }
    },
  )
}

# Who read a backup or a secret. What is changed is logged always, and cannot be switched off.
resource "google_project_iam_audit_config" "access" {
  for_each = { for key, access in local.accesses : key => access if var.access_logs }

  project = each.value.project
  service = each.value.service

  dynamic "audit_log_config" {
    for_each = toset(each.value.types)
    content {
      log_type = audit_log_config.value
    }
  }

  depends_on = [google_project_service.operations, google_project_service.others]
}
