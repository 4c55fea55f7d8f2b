locals {
  # The APIs that the operations project needs, and what for. Requests of the responders to an
  # application or the identity project are counted here as well.
  apis = {
    "artifactregistry.googleapis.com"     = "images of the functions"
    "cloudbuild.googleapis.com"           = "builds of the functions"
    "cloudfunctions.googleapis.com"       = "the functions; reading an application's"
    "cloudresourcemanager.googleapis.com" = "project numbers, grants; reading an application's"
    "cloudscheduler.googleapis.com"       = "the clock; reading an application's schedules"
    "firebasehosting.googleapis.com"      = "reading an application's sites"
    "firebaseremoteconfig.googleapis.com" = "reading an application's client configuration"
    "firebaserules.googleapis.com"        = "reading an application's rules"
    "firestore.googleapis.com"            = "state; reading an application's indexes"
    "iam.googleapis.com"                  = "accounts, custom roles"
    "identitytoolkit.googleapis.com"      = "looking up who speaks; reading an application's settings of sign-in"
    "logging.googleapis.com"              = "logs of the functions"
    "monitoring.googleapis.com"           = "reading an application's metrics"
    "pubsub.googleapis.com"               = "topics"
    "run.googleapis.com"                  = "services of the functions; shifting an application's traffic"
    "secretmanager.googleapis.com"        = "secrets; reading which an application has"
    "storage.googleapis.com"              = "sources, exports, audit, status page"
  }

  projects = setunion([var.operations_project], local.applications)
}

resource "google_project_service" "operations" {
  for_each = local.apis

  project            = var.operations_project
  service            = each.key
  disable_on_destroy = false # somebody else may have come to need it
}

# Numbers, which the names of Google's agents are made of. Read in the plan: what depends on them
# could not be planned otherwise, so cloudresourcemanager is switched on by hand before (README).
data "google_project" "every" {
  for_each = local.projects

  project_id = each.key
}

# Agents are born when they are first needed; a grant to one that is not there yet is refused.
resource "google_project_service_identity" "agents" {
  provider = google-beta
  for_each = toset(["cloudscheduler.googleapis.com", "firestore.googleapis.com", "pubsub.googleapis.com"])

  project = var.operations_project
  service = each.key

  depends_on = [google_project_service.operations]
}

locals {
  # Made of the number, because not every service tells its agent's name.
  agents = {
    for name in ["cloudscheduler", "firestore", "pubsub"] :
    name => "serviceAccount:service-${data.google_project.every[var.operations_project].number}@gcp-sa-${name}.iam.gserviceaccount.com"
  }
}
