locals {
  # What the functions are made of, by its place in the zip, and nothing else: neither tests nor
  # what Python leaves behind.
  code_files = merge(
    { for file in ["main.py", "requirements.txt"] : file => "${local.repository}/${file}" },
    { for file in fileset(local.repository, "{responders,shared}/**/*.{atom,css,html,js,json,md,py,txt}") : file => "${local.repository}/${file}" },
  )
  source_files = merge(
    local.code_files,
    { "policies/policy.schema.json" = "${local.repository}/policies/policy.schema.json" },
    { for file in var.policies : "policies/${basename(file)}" => file },
    { for file in var.templates : "policies/templates/${basename(file)}" => file },
  )

  source_archive = "${path.root}/.terraform/rollback-source.zip"
  source_hash    = sha256(join("\n", [for name, file in local.source_files : "${name} ${filesha256(file)}"]))

  # What the functions were made of, for whoever compares it with a checkout (rollback doctor).
  source_labels = merge(
    { rollback-code = substr(sha256(join("\n", [for file in sort(keys(local.code_files)) : "${file} ${filesha256(local.code_files[file])}"])), 0, 40) },
    { for file in var.policies : "rollback-policy-${yamldecode(file(file)).system}" => substr(filesha256(file), 0, 40) },
  )
}

# Made by the apply, so that a saved plan can be applied on another machine, and from the files: no text
# of theirs is in the plan or the state. The same files make the same zip.
resource "terraform_data" "source" {
  triggers_replace = local.source_hash

  provisioner "local-exec" {
    command     = "python3 '${path.module}/package_source.py' '${local.source_archive}'"
    environment = { SOURCE_FILES = jsonencode(local.source_files) }
  }

  depends_on = [google_storage_bucket.source] # right before the upload
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
  name   = "source-${local.source_hash}.zip"
  source = local.source_archive

  lifecycle {
    ignore_changes = [detect_md5hash, source] # the archive is where it was made, and nowhere else
  }

  depends_on = [terraform_data.source]
}
