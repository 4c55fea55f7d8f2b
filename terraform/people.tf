# People and CI, who look and change nothing. Who may speak on which topic stands in topics.tf, who
# may take dead letters out in subscriptions.tf; what people may order, their own tokens say.

locals {
  # What doctor looks at in the operations project.
  installation_rights = [
    "cloudfunctions.functions.list",
    "cloudscheduler.jobs.list",
    "cloudscheduler.locations.list",
    "monitoring.alertPolicies.list",
    "monitoring.dashboards.list",
    "monitoring.metricDescriptors.list",
    "monitoring.monitoredResourceDescriptors.list",
    "monitoring.timeSeries.list",
    "pubsub.subscriptions.list",
    "pubsub.topics.getIamPolicy",
    "pubsub.topics.list",
    "resourcemanager.projects.getIamPolicy",
    "serviceusage.services.get",
    "storage.buckets.getIamPolicy",
  ]
  # What doctor looks at in an application: as the responders see it, and what is admitted there; and
  # what the data can be brought back to.
  viewer_rights = ["estate", "images", "inventory", "metrics", "past", "quotas", "roles", "triggers", "watched"]

  # One role in each project, also where people sign in.
  viewer_permissions = {
    for project in setunion(local.projects, [local.identity_project]) : project => sort(distinct(concat(
      ["serviceusage.services.get"],
      project == var.operations_project ? local.installation_rights : [],
      contains(local.applications, project) ? flatten([for right in local.viewer_rights : local.application_rights[right]]) : [],
    ))) if length(var.viewers) > 0
  }

  state_readers = concat(tolist(setunion(var.state_readers, var.viewers)), values(google_service_account.console)[*].member)
}

resource "google_project_iam_custom_role" "viewers" {
  for_each = local.viewer_permissions

  project     = each.key
  role_id     = "rollback_viewer"
  title       = "Rollback: look at what doctor looks at"
  permissions = each.value

  depends_on = [google_project_service.operations, google_project_service.others]
}

resource "google_project_iam_binding" "viewers" {
  for_each = local.viewer_permissions

  project = each.key
  role    = "projects/${each.key}/roles/${google_project_iam_custom_role.viewers[each.key].role_id}"
  members = var.viewers
}

resource "google_project_iam_binding" "state_readers" {
  count = length(local.state_readers) > 0 ? 1 : 0

  project = var.operations_project
  role    = "projects/${var.operations_project}/roles/${google_project_iam_custom_role.operations["read_state"].role_id}"
  members = local.state_readers

  condition {
    title       = "rollback-database-only"
    description = "Not the application's, where both share a project."
    expression  = "resource.name == \"${local.state_name}\""
  }
}
