# Heads of the audit chains. They stay when their rollbacks have expired: without them a rewritten
# chain is not told from a true one.
resource "google_storage_bucket" "audit" {
  for_each = { for bucket in var.audit_bucket[*] : "audit" => bucket }

  project                     = var.operations_project
  name                        = "${var.operations_project}-rollback-audit"
  location                    = each.value.location
  labels                      = var.labels
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"

  retention_policy {
    retention_period = tostring(each.value.retention_days * 86400)
    is_locked        = each.value.locked
  }

  dynamic "encryption" {
    for_each = each.value.kms_key[*]
    content {
      default_kms_key_name = encryption.value
    }
  }

  depends_on = [google_kms_crypto_key_iam_member.buckets]
}

locals {
  exports = merge(
    { for system, bucket in var.exports : system => { location = bucket.location, kms_key = bucket.kms_key, days = bucket.retention_days } },
    { for system, bucket in var.exports : "${system}-second" => { location = bucket.second.location, kms_key = bucket.second.kms_key, days = bucket.retention_days } if bucket.second != null },
  )

  bucket_keys = {
    for name, bucket in merge({ for bucket in var.audit_bucket[*] : "audit" => bucket }, local.exports) :
    name => bucket.kms_key if bucket.kms_key != null
  }
}

# Exports of the applications' databases. What must stay longer, a hold on the object keeps.
resource "google_storage_bucket" "exports" {
  for_each = local.exports

  project                     = var.operations_project
  name                        = "${var.operations_project}-rollback-exports-${each.key}"
  location                    = each.value.location
  labels                      = var.labels
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"

  lifecycle_rule {
    action {
      type = "Delete"
    }
    condition {
      age = each.value.days
    }
  }

  dynamic "encryption" {
    for_each = each.value.kms_key[*]
    content {
      default_kms_key_name = encryption.value
    }
  }

  depends_on = [google_kms_crypto_key_iam_member.buckets]
}

data "google_storage_project_service_account" "operations" {
  project = var.operations_project
}

# Cloud Storage's agent, before the bucket that is encrypted with the key.
resource "google_kms_crypto_key_iam_member" "buckets" {
  for_each = local.bucket_keys

  crypto_key_id = each.value
  role          = "roles/cloudkms.cryptoKeyEncrypterDecrypter"
  member        = "serviceAccount:${data.google_storage_project_service_account.operations.email_address}"
}

# The status page is an object, so that it lives while everything else is down.
resource "google_storage_bucket" "status" {
  for_each = toset(var.status_page[*])

  project                     = var.operations_project
  name                        = "${var.operations_project}-rollback-status"
  location                    = each.key
  labels                      = var.labels
  uniform_bucket_level_access = true
  public_access_prevention    = "inherited" # all others are enforced; this one has a public folder

  depends_on = [google_project_service.operations]
}

resource "google_storage_managed_folder" "public" {
  for_each = google_storage_bucket.status

  bucket = each.value.name
  name   = "public/"
}

# Everybody reads what lies in the folder, and cannot list it. A grant on the bucket could not be
# confined: conditions are refused for allUsers (cloud.google.com/iam/docs/conditions-overview, read 2026-11).
resource "google_storage_managed_folder_iam_member" "public" {
  for_each = google_storage_managed_folder.public

  bucket         = each.value.bucket
  managed_folder = each.value.name
  role           = "roles/storage.legacyObjectReader"
  member         = "allUsers"
}
