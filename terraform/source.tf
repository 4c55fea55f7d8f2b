locals {
  # What the functions are made of, by its place in the zip, and nothing else: neither tests nor
  # what Python leaves behind.
  source_files = merge(
    { for file in ["main.py", "requirements.txt", "policies/policy.schema.json"] : file => "${local.repository}/${file}" },
    { for file in fileset(local.repository, "{responders,shared}/**/*.{json,py}") : file => "${local.repository}/${file}" },
    { for file in var.policies : "policies/${basename(file)}" => file },
  )
}

# The same files make the same zip, whenever and wherever it is made.
data "archive_file" "source" {
  type             = "zip"
  output_path      = "${path.root}/.terraform/rollback-source.zip"
  output_file_mode = "0644"

  dynamic "source" {
    for_each = local.source_files
    content {
      filename = source.key
      content  = file(source.value)
    }
  }
}

resource "google_storage_bucket" "source" {
  project                     = var.operations_project
  name                        = "${var.operations_project}-rollback-source"
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
      days_since_noncurrent_time = 30
    }
  }

  depends_on = [google_project_service.operations]
}

# Its name changes with its content: that is what makes a new revision.
resource "google_storage_bucket_object" "source" {
  bucket = google_storage_bucket.source.name
  name   = "source-${data.archive_file.source.output_sha256}.zip"
  source = data.archive_file.source.output_path
}
