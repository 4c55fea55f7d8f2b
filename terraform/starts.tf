# The stand of each system whose policy names one: a service on which the worker puts copies of
# revisions, one after the other, so that Cloud Run starts one instance of each. Nobody may call it,
# and no event comes to it. What stands on it is the worker's; an apply leaves that alone.
resource "google_cloud_run_v2_service" "starts" {
  for_each = { for system, policy in local.policies : system => policy if try(policy.deployments.starts, "") != "" }

  project             = each.value.project
  location            = each.value.region
  name                = each.value.deployments.starts
  description         = "Copies of revisions are started here to see whether they come up. Never called."
  ingress             = "INGRESS_TRAFFIC_INTERNAL_ONLY"
  labels              = var.labels
  deletion_protection = false # made anew, it forgets what a person has put there

  template {
    revision        = "${each.value.deployments.starts}-new" # the worker knows it by that (shared/stand.py)
    service_account = local.stand_accounts[each.key]

    scaling {
      max_instance_count = 1
    }

    containers {
      image = "us-docker.pkg.dev/cloudrun/container/hello"
    }
  }

  lifecycle {
    ignore_changes = [client, client_version, template]
  }

  depends_on = [google_project_service.operations, google_project_service.others]
}

locals {
  # The worker may act as those that its system's functions run as; the placeholder runs as one.
  stand_accounts = {
    for system, policy in local.policies : system => tolist(lookup(var.runtime_accounts, system, ["${data.google_project.every[policy.project].number}-compute@developer.gserviceaccount.com"]))[0]
  }
}
