# How long the images of an application's functions are stored, so that its last deployments are
# restored without a build. Cloud Functions makes the repository with the first deployment, and
# `firebase deploy --force` then has it cleaned up after one day: it is managed here only where it was
# imported or is not there yet. Two systems of one project and region share a repository: name one.
resource "google_artifact_registry_repository" "applications" {
  for_each = var.application_images

  project         = local.policies[each.key].project
  location        = local.policies[each.key].region
  repository_id   = "gcf-artifacts"
  format          = "DOCKER"
  deletion_policy = "ABANDON" # a destroy leaves the images where they are

  # The name of Firebase's own policy: its CLI sets no other where it finds this one.
  cleanup_policies {
    id     = "firebase-functions-cleanup"
    action = "DELETE"
    condition {
      older_than = "${each.value.days * 86400}s"
    }
  }

  cleanup_policies {
    id     = "newest-deployments"
    action = "KEEP"
    most_recent_versions {
      keep_count = each.value.newest
    }
  }

  lifecycle {
    ignore_changes = [description, docker_config, kms_key_name, labels, vulnerability_scanning_config]
  }

  depends_on = [google_project_service.operations, google_project_service.others]
}
