# People and CI, who look and change nothing. Who may speak on which topic stands in topics.tf, who
# may take dead letters out in subscriptions.tf; what people may order, their own tokens say.

locals {
  # What doctor looks at in an application: as the responders see it, and what is admitted there; and
  # what the data can be brought back to.
  viewer_roles = ["estate", "images", "inventory", "metrics", "past", "quotas", "triggers", "watched"]
}

resource "google_project_iam_member" "viewers" {
  for_each = var.viewers

  project = var.operations_project
  role    = google_project_iam_custom_role.operations["look"].id
  member  = each.key
}

resource "google_project_iam_member" "viewers_of_applications" {
  for_each = {
    for one in setproduct(local.applications, local.viewer_roles, var.viewers) :
    "${one[0]} ${one[1]} ${one[2]}" => { project = one[0], role = one[1], member = one[2] }
  }

  project = each.value.project
  role    = google_project_iam_custom_role.applications["${each.value.project} ${each.value.role}"].id
  member  = each.value.member
}

# Where people sign in, when that is a project of its own.
resource "google_project_iam_custom_role" "viewers_of_identity" {
  count = length(var.viewers) > 0 && !contains(local.projects, local.identity_project) ? 1 : 0

  project     = local.identity_project
  role_id     = "rollback_look_at_identity"
  title       = "Rollback: see which APIs are on"
  permissions = ["serviceusage.services.get"]

  depends_on = [google_project_service.others]
}

resource "google_project_iam_member" "viewers_of_identity" {
  for_each = length(google_project_iam_custom_role.viewers_of_identity) > 0 ? var.viewers : toset([])

  project = local.identity_project
  role    = google_project_iam_custom_role.viewers_of_identity[0].id
  member  = each.key
}

resource "google_project_iam_member" "state_readers" {
  for_each = setunion(var.state_readers, var.viewers)

  project = var.operations_project
  role    = google_project_iam_custom_role.operations["read_state"].id
  member  = each.key

  condition {
    title       = "rollback-database-only"
    description = "Not the application's, where both share a project."
    expression  = "resource.name == \"${google_firestore_database.state.id}\""
  }
}

resource "google_storage_bucket_iam_member" "heads" {
  for_each = {
    for pair in setproduct(keys(google_storage_bucket.audit), var.viewers) :
    "${pair[0]} ${pair[1]}" => { bucket = pair[0], member = pair[1] }
  }

  bucket = google_storage_bucket.audit[each.value.bucket].name
  role   = google_project_iam_custom_role.operations["heads"].id
  member = each.value.member
}

resource "google_storage_bucket_iam_member" "policies" {
  for_each = var.viewers

  bucket = google_storage_bucket.policies.name
  role   = google_project_iam_custom_role.operations["policies"].id
  member = each.key
}
