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
    { for system, bucket in var.exports : system => {
      location = bucket.dual_region == null ? lookup(local.export_locations, bucket.database_location, bucket.database_location) : local.dual_locations[regex("^[a-z]+", bucket.database_location)]
      regions  = bucket.dual_region == null ? [] : [for region in bucket.dual_region : upper(region)]
      kms_key  = bucket.kms_key
      days     = bucket.retention_days
    } },
    { for system, bucket in var.exports : "${system}-second" => { location = bucket.second.location, regions = [], kms_key = bucket.second.kms_key, days = bucket.retention_days } if bucket.second != null },
  )

  # What functions are made of: copies of their sources, and values of their plain variables.
  kept = {
    sources = { kms_key = var.kept.sources_kms_key }
    values  = { kms_key = var.kept.values_kms_key }
  }

  # Only where some policy says what is valid can anything be repaired.
  quarantines = { for key in ["quarantine"] : key => var.quarantine if anytrue([for policy in values(local.policies) : length(try(policy.collections, {})) > 0]) }

  bucket_keys = {
    for name, bucket in merge({ for bucket in var.audit_bucket[*] : "audit" => bucket }, local.exports, local.kept, local.quarantines) :
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

  dynamic "custom_placement_config" {
    for_each = length(each.value.regions) > 0 ? [each.value.regions] : []
    content {
      data_locations = custom_placement_config.value
    }
  }

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

# Objects stay until no record names them: on_deployment lets them go, once a day, and not their age,
# because a function that has not changed for years needs a copy that is as old. What it removes can be
# taken back for 30 days.
resource "google_storage_bucket" "kept" {
  for_each = local.kept

  project                     = var.operations_project
  name                        = "${var.operations_project}-rollback-${each.key}"
  location                    = coalesce(var.kept.location, var.region)
  labels                      = var.labels
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"

  versioning {
    enabled = true
  }

  lifecycle_rule {
    action {
      type = "Delete"
    }
    condition {
      days_since_noncurrent_time = 30
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

# The published policies. The responders find the policies in force, and those of plans that are under
# way, among the generations of one object: the newest ones stay whatever their age.
resource "google_storage_bucket" "policies" {
  project                     = var.operations_project
  name                        = "${var.operations_project}-rollback-policies"
  location                    = var.region
  labels                      = var.labels
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"

  versioning {
    enabled = true
  }

  lifecycle_rule {
    action {
      type = "Delete"
    }
    condition {
      days_since_noncurrent_time = 90
      num_newer_versions         = 20
    }
  }

  depends_on = [google_project_service.operations]
}

# An apply publishes policy files that have changed since the last apply. It leaves what somebody has
# published since then with `rollback policy publish`. The functions come first: they understand it.
resource "google_storage_bucket_object" "policies" {
  bucket       = google_storage_bucket.policies.name
  name         = "policies.json"
  content_type = "application/json"
  content      = jsonencode({ for file in var.policies : "${yamldecode(file(file)).system}.yaml" => file(file) })

  lifecycle {
    ignore_changes = [detect_md5hash]
  }

  depends_on = [google_cloudfunctions2_function.console, google_cloudfunctions2_function.responders]
}

# Documents of the applications as they were before a repair wrote them: the worker puts them here and
# takes them out to undo it. Their age removes them, and the worker those of people who are erased.
resource "google_storage_bucket" "quarantine" {
  for_each = local.quarantines

  project                     = var.operations_project
  name                        = "${var.operations_project}-rollback-quarantine"
  location                    = coalesce(each.value.location, var.region)
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

  soft_delete_policy {
    retention_duration_seconds = 0 # who was erased is not kept longer than that
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

resource "google_kms_crypto_key_iam_member" "buckets" {
  for_each = local.bucket_keys

  crypto_key_id = each.value
  role          = "roles/cloudkms.cryptoKeyEncrypterDecrypter"
  member        = "serviceAccount:${data.google_storage_project_service_account.operations.email_address}"

  depends_on = [google_project_service.operations]
}

# The status page is an object, so that it lives while everything else is down.
resource "google_storage_bucket" "status" {
  for_each = toset(var.status_page[*])

  project                     = var.operations_project
  name                        = "${var.operations_project}-rollback-status"
  location                    = each.key
  labels                      = var.labels
  uniform_bucket_level_access = true
  public_access_prevention    = "inherited" # all others are enforced; this one holds public pages alone

  depends_on = [google_project_service.operations]
}
