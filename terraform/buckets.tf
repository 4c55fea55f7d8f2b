locals {
  # The buckets that are kept private, by what they hold.
  buckets = merge(
    { for name, bucket in { audit = var.audit_bucket } : name => {
      location                    = bucket.location
      kms_key                     = bucket.kms_key
      retention_days              = bucket.retention_days
      locked                      = bucket.locked
      delete_after                = null # anchors stay: without them a rewritten chain is not told from a true one
    } if bucket != null },
    { for system, bucket in var.exports : "exports-${system}" => {
      location       = bucket.location
      kms_key        = bucket.kms_key
      retention_days = null # legal holds keep what must stay longer
      locked         = false
      delete_after   = bucket.retention_days
    } },
    { for system, bucket in var.exports : "exports-${system}-second" => {
      location       = bucket.second.location
      kms_key        = bucket.second.kms_key
      retention_days = null
      locked         = false
      delete_after   = bucket.retention_days
    } if bucket.second != null },
  )
}

resource "google_storage_bucket" "kept" {
  for_each = local.buckets

  project                     = var.operations_project
  name                        = "${var.operations_project}-rollback-${each.key}"
  location                    = each.value.location
  labels                      = var.labels
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"

  dynamic "encryption" {
    for_each = each.value.kms_key[*]
    content {
      default_kms_key_name = encryption.value
    }
  }

  dynamic "retention_policy" {
    for_each = each.value.retention_days[*]
    content {
      retention_period = tostring(retention_policy.value * 86400)
      is_locked        = each.value.locked
    }
  }

  dynamic "lifecycle_rule" {
    for_each = each.value.delete_after[*]
    content {
      action {
        type = "Delete"
      }
      condition {
        age = lifecycle_rule.value
      }
    }
  }

  depends_on = [google_kms_crypto_key_iam_member.buckets]
}

# Cloud Storage's agent, before the bucket that is encrypted with the key.
data "google_storage_project_service_account" "operations" {
  project = var.operations_project
}

resource "google_kms_crypto_key_iam_member" "buckets" {
  for_each = { for name, bucket in local.buckets : name => bucket.kms_key if bucket.kms_key != null }

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
