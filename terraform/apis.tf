locals {
  # The APIs that the operations project needs, and what for. Requests of the responders to an
  # application or the identity project are counted here as well. cloudresourcemanager and serviceusage
  # are on before the first plan, which asks both (README).
  apis = {
    "artifactregistry.googleapis.com"     = "images of the functions; whether an application's are kept"
    "cloudbuild.googleapis.com"           = "builds of the functions"
    "cloudfunctions.googleapis.com"       = "the functions; reading an application's"
    "cloudscheduler.googleapis.com"       = "the clock; reading an application's schedules"
    "eventarc.googleapis.com"             = "reading what hears of an application's documents"
    "fcm.googleapis.com"                  = "pushing to users of an application"
    "firebasehosting.googleapis.com"      = "reading an application's sites"
    "firebaseremoteconfig.googleapis.com" = "reading an application's client configuration"
    "firebaserules.googleapis.com"        = "reading an application's rules"
    "firestore.googleapis.com"            = "state; reading an application's indexes and documents"
    "iam.googleapis.com"                  = "accounts, custom roles; whether an application's accounts are enabled"
    "iamcredentials.googleapis.com"       = "the console's own tokens"
    "identitytoolkit.googleapis.com"      = "looking up who speaks; reading an application's settings of sign-in"
    "logging.googleapis.com"              = "logs of the functions"
    "monitoring.googleapis.com"           = "reading an application's metrics"
    "pubsub.googleapis.com"               = "topics; whether an application's are there"
    "run.googleapis.com"                  = "services of the functions; shifting an application's traffic"
    "secretmanager.googleapis.com"        = "secrets; reading which an application has"
    "storage.googleapis.com"              = "sources, exports, audit, status page; where an application's buckets lie"
    "workloadidentity.googleapis.com"     = "creating Google's service agents"
  }

  needed_apis = {
    "fcm.googleapis.com"            = anytrue([for rights in values(local.needed_rights) : rights.push])
    "iamcredentials.googleapis.com" = var.console != null
  }

  # Those of an application, where it is not the operations project, and of whoever lives beside it:
  # what the responders read or shift, and what is made there.
  application_apis = {
    for project in setsubtract(local.applications, [var.operations_project]) : project => distinct(flatten([
      for policy in values(local.policies) : [
        [
          "artifactregistry.googleapis.com", # images of its functions
          "cloudfunctions.googleapis.com",
          "cloudresourcemanager.googleapis.com", # who holds which role
          "iam.googleapis.com",                  # custom roles; whether accounts are enabled
          "logging.googleapis.com",
          "monitoring.googleapis.com",
          "run.googleapis.com",
        ],
        [
          for service, wanted in {
            "cloudscheduler.googleapis.com"       = try(policy.resources.schedules, null) != null
            "eventarc.googleapis.com"             = length(try(policy.collections, {})) > 0
            "fcm.googleapis.com"                  = contains([for channel in try(policy.channels, []) : channel.kind], "push")
            "firebasehosting.googleapis.com"      = length(try(policy.resources.hosting_sites, [])) > 0
            "firebaserules.googleapis.com"        = length(concat(try(policy.resources.databases, []), try(policy.resources.storage_buckets, []))) > 0
            "firebaseremoteconfig.googleapis.com" = try(policy.resources.remote_config, false)
            "firestore.googleapis.com"            = length(try(policy.resources.databases, [])) > 0 || try(policy.backups, null) != null || try(policy.collections, null) != null || contains(keys(merge(var.application_databases, var.exports)), policy.system)
            "identitytoolkit.googleapis.com"      = try(policy.resources.identity, false)
            "pubsub.googleapis.com"               = length(flatten([for collection in values(try(policy.collections, {})) : try(collection.derived, [])])) > 0
            "secretmanager.googleapis.com"        = try(policy.resources.secrets, null) != null
            "securitycenter.googleapis.com"       = try(policy.findings, null) != null
            "storage.googleapis.com"              = length(try(policy.assets.replicated, [])) > 0
          } : service if wanted
        ],
      ] if policy.project == project
    ]))
  }

  # Where people sign in, when that is a project of its own.
  identity_apis = local.identity_project == var.operations_project ? [] : ["iam.googleapis.com", "identitytoolkit.googleapis.com"]

  projects = setunion([var.operations_project], local.applications)
}

resource "google_project_service" "operations" {
  for_each = setunion([for api in keys(local.apis) : api if lookup(local.needed_apis, api, true)], [
    for policy in values(local.policies) : "securitycenter.googleapis.com" # findings, where the application lives here
    if policy.project == var.operations_project && try(policy.findings, null) != null
  ])

  project            = var.operations_project
  service            = each.key
  disable_on_destroy = false # somebody else may have come to need it
}

# What an application or the identity project lacks is switched on, and stays on.
resource "google_project_service" "others" {
  for_each = merge(
    { for service in local.identity_apis : "${local.identity_project} ${service}" => { project = local.identity_project, service = service } },
    merge([
      for project, services in local.application_apis : {
        for service in services : "${project} ${service}" => { project = project, service = service }
      }
    ]...),
  )

  project            = each.value.project
  service            = each.value.service
  disable_on_destroy = false # the application needs it
}

# Numbers, which the names of Google's agents are made of. Read in the plan: what depends on them
# could not be planned otherwise.
data "google_project" "every" {
  for_each = local.projects

  project_id = each.key
}

# Agents are born when they are first needed; a grant to one that is not there yet is refused. Firestore's
# gets a grant on a key and on the buckets of exports alone.
resource "google_workload_identity_service_agent" "agents" {
  for_each = setunion(
    ["cloudscheduler.googleapis.com", "pubsub.googleapis.com"],
    var.state_kms_key != null || length(var.exports) > 0 ? ["firestore.googleapis.com"] : [],
  )

  parent = "projects/${data.google_project.every[var.operations_project].number}/locations/global/serviceProducers/${each.key}"

  depends_on = [google_project_service.operations]
}

locals {
  # Made of the number, because not every service tells its agent's name.
  agents = {
    for name in ["cloudscheduler", "firestore", "pubsub"] :
    name => "serviceAccount:service-${data.google_project.every[var.operations_project].number}@gcp-sa-${name}.iam.gserviceaccount.com"
  }
}
