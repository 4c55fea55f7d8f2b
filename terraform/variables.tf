# Three are required: operations_project, policies, region. All else is off or at its smallest.

locals {
  # What the validations below know of Google's places; nothing here depends on a variable.
  continents = {
    africa       = "Africa"
    asia         = "Asia"
    australia    = "Australia"
    eu           = "Europe"
    eur          = "Europe"
    europe       = "Europe"
    me           = "Middle East"
    nam          = "North America"
    northamerica = "North America"
    southamerica = "South America"
    us           = "North America"
  }
  # Where the key of a multi-region lies; a region's lies in the region.
  key_locations = { asia = "asia", eu = "europe", eur3 = "europe", nam5 = "us", nam7 = "us", us = "us" }
  # The bucket that is at the location of a database.
  export_locations = { eur3 = "EU", nam5 = "US", nam7 = "US" }
  # Where a bucket in two regions lies, by the place of one of them.
  dual_locations = { asia = "ASIA", eur = "EU", europe = "EU", nam = "US", us = "US" }

  key_name      = "^projects/[^/]+/locations/([^/]+)/keyRings/[^/]+/cryptoKeys/[^/]+$"
  bucket_place  = "^([A-Z]+[0-9]?|[a-z]+-[a-z]+[0-9]+)$"
  region_name   = "^[a-z]+-[a-z]+[0-9]+$"
  iam_principal = "^(user|group|serviceAccount|principal|principalSet):.+"
}

variable "access_logs" {
  description = "Log each access to secrets and backups, in the operations project and in the applications' (Data Access); in the operations project, to objects of buckets too. Where both share a project, the application's accesses are logged and paid for as well."
  type        = bool
  default     = false
}

variable "application_databases" {
  description = "Databases of the protected applications that get backup schedules, by system. 0 days or weeks: no such schedule (a database takes one of each, so leave out what exists). adopt_location: the database's location, once it has been imported (README): then its point-in-time recovery is switched on here too."
  type = map(object({
    name           = optional(string, "(default)")
    daily_days     = optional(number, 7)
    weekly_weeks   = optional(number, 14)
    adopt_location = optional(string)
  }))
  default = {}

  validation {
    condition     = length(setsubtract(keys(var.application_databases), [for file in var.policies : yamldecode(file(file)).system])) == 0
    error_message = "The keys are systems, as the policy files name them."
  }
  validation {
    condition     = alltrue([for one in values(var.application_databases) : one.daily_days >= 0 && one.daily_days <= 98])
    error_message = "A daily backup is kept 1 to 98 days (14 weeks); 0: none."
  }
  validation {
    condition     = alltrue([for one in values(var.application_databases) : one.weekly_weeks >= 0 && one.weekly_weeks <= 14])
    error_message = "A weekly backup is kept 1 to 14 weeks; 0: none."
  }
  validation {
    condition = alltrue([
      for one in values(var.application_databases) : one.adopt_location == null ? true :
      can(regex(local.region_name, one.adopt_location)) || contains(keys(local.export_locations), one.adopt_location)
    ])
    error_message = "adopt_location is where the database is: eur3, nam5, nam7, or a region such as us-east1 (gcloud firestore databases describe)."
  }
}

variable "application_images" {
  description = "How long Artifact Registry stores the images of the functions of protected applications, by system: images are deleted after days, but for the newest deployments of each function. Only for a repository gcf-artifacts that does not exist yet or has been imported (README)."
  type = map(object({
    days   = optional(number, 60)
    newest = optional(number, 30)
  }))
  default = {}

  validation {
    condition     = length(setsubtract(keys(var.application_images), [for file in var.policies : yamldecode(file(file)).system])) == 0
    error_message = "The keys are systems, as the policy files name them."
  }
  validation {
    condition     = alltrue([for one in values(var.application_images) : one.days >= 1 && one.newest >= 1])
    error_message = "days and newest are at least 1."
  }
}

variable "audit_bucket" {
  description = "Where heads of the audit chains are anchored; null: no bucket. locked makes the retention irreversible: nobody, Google included, can shorten it or remove the bucket before its objects are old enough."
  type = object({
    location       = string
    retention_days = optional(number, 30)
    locked         = optional(bool, false)
    kms_key        = optional(string)
  })
  default = null

  validation {
    condition     = var.audit_bucket == null ? true : var.audit_bucket.retention_days >= 1 && var.audit_bucket.retention_days <= 3650
    error_message = "retention_days is 1 to 3650."
  }
  validation {
    condition     = var.audit_bucket == null ? true : can(regex(local.bucket_place, var.audit_bucket.location)) && can(local.continents[regex("^[a-z]+", lower(var.audit_bucket.location))])
    error_message = "location is a bucket's: US, EU, ASIA, or a region such as us-east1."
  }
  validation {
    condition     = try(var.audit_bucket.kms_key, null) == null ? true : try(regex(local.key_name, var.audit_bucket.kms_key)[0], "") == lookup(local.key_locations, lower(var.audit_bucket.location), lower(var.audit_bucket.location))
    error_message = "kms_key is projects/P/locations/L/keyRings/R/cryptoKeys/K, in the bucket's location (us for US, europe for EU)."
  }
}

variable "change_hints" {
  description = "Let the audit log of each application tell rollback-deployments of changes as they happen."
  type        = bool
  default     = true
}

variable "clock_regions" {
  description = "The two regions from which Cloud Scheduler ticks the clock: one of them may be down."
  type        = list(string)
  default     = ["us-central1", "us-east1"]

  validation {
    condition     = length(var.clock_regions) == 2 && length(distinct(var.clock_regions)) == 2
    error_message = "Two different regions."
  }
  validation {
    condition     = alltrue([for one in var.clock_regions : can(regex(local.region_name, one))])
    error_message = "Regions, such as us-east1."
  }
}

variable "command_publishers" {
  description = "Who may publish on rollback-commands, as IAM members (group:oncall@example.com)."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for one in var.command_publishers : can(regex(local.iam_principal, one))])
    error_message = "IAM members, such as group:oncall@example.com; never allUsers or allAuthenticatedUsers."
  }
}

variable "console" {
  description = "The operators' console. invokers reach it, as IAM members: people who go through `gcloud run services proxy`, or allUsers for everybody's browser; all it shows them then is the page of signing in. api_key: the web API key of the project that people sign in to, where no policy states it (identity.api_key). null: there is no console."
  type = object({
    invokers = set(string)
    api_key  = optional(string)
  })
  default = null

  validation {
    condition     = var.console == null ? true : alltrue([for one in var.console.invokers : one == "allUsers" || can(regex(local.iam_principal, one))])
    error_message = "IAM members, such as group:oncall@example.com, or allUsers."
  }
}

variable "deployment_publishers" {
  description = "Who may publish on rollback-deployments, as IAM members: the accounts of CI, which announce deployments, and the operators who record the baseline."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for one in var.deployment_publishers : can(regex(local.iam_principal, one))])
    error_message = "IAM members, such as serviceAccount:ci-deploy@example.iam.gserviceaccount.com; never allUsers or allAuthenticatedUsers."
  }
}

variable "exports" {
  description = "Buckets for exports of an application's database, by system: one at database_location, where the database is (for nam5 that is US), and a second one in another continent. dual_region: two regions of that continent instead, such as [\"us-central1\", \"us-east1\"]. A key lies where its bucket does; for two regions that is us, europe or asia. app_engine_agent: Firestore still acts as the App Engine account there (the console's Import/Export page shows it)."
  type = map(object({
    app_engine_agent  = optional(bool, false)
    database_location = string
    dual_region       = optional(list(string))
    kms_key           = optional(string)
    retention_days    = optional(number, 30)
    second = optional(object({
      location = string
      kms_key  = optional(string)
    }))
  }))
  default = {}

  validation {
    condition     = length(setsubtract(keys(var.exports), [for file in var.policies : yamldecode(file(file)).system])) == 0
    error_message = "The keys are systems, as the policy files name them."
  }
  validation {
    condition     = alltrue([for one in values(var.exports) : can(regex(local.region_name, one.database_location)) || contains(keys(local.export_locations), one.database_location)])
    error_message = "database_location is where the database is: eur3, nam5, nam7, or a region such as us-east1 (gcloud firestore databases describe)."
  }
  validation {
    condition = alltrue([
      for system, one in var.exports :
      try(var.application_databases[system].adopt_location, null) == null ? true : one.database_location == var.application_databases[system].adopt_location
    ])
    error_message = "database_location and adopt_location of a system are of the same database, and differ."
  }
  validation {
    condition = alltrue([
      for one in values(var.exports) : one.second == null ? true :
      can(regex(local.bucket_place, one.second.location)) && can(local.continents[regex("^[a-z]+", lower(one.second.location))])
    ])
    error_message = "second.location is a bucket's: US, EU, ASIA, or a region such as us-east1."
  }
  validation {
    condition = alltrue([
      for one in values(var.exports) : one.second == null ? true :
      try(local.continents[regex("^[a-z]+", lower(one.second.location))], "") != try(local.continents[regex("^[a-z]+", one.database_location)], "")
    ])
    error_message = "The second location must be in another continent than the database."
  }
  validation {
    condition = alltrue([
      for one in values(var.exports) : one.dual_region == null ? true :
      length(distinct(one.dual_region)) == 2 && alltrue([
        for region in one.dual_region : can(regex(local.region_name, region)) &&
        try(local.dual_locations[regex("^[a-z]+", region)], "") == try(local.dual_locations[regex("^[a-z]+", one.database_location)], "nowhere")
      ])
    ])
    error_message = "dual_region names two regions of the database's continent, in asia, europe or us."
  }
  validation {
    condition     = alltrue([for one in values(var.exports) : one.retention_days >= 1 && one.retention_days <= 3650])
    error_message = "retention_days is 1 to 3650."
  }
  validation {
    condition = alltrue(flatten([
      for one in values(var.exports) : [
        for place, key in {
          (lower(one.dual_region == null ? lookup(local.export_locations, one.database_location, one.database_location) : lookup(local.dual_locations, regex("^[a-z]+", one.database_location), ""))) = one.kms_key
          (lower(try(one.second.location, "nowhere")))                                                                                                                                                = try(one.second.kms_key, null)
        } : key == null ? true : try(regex(local.key_name, key)[0], "") == lookup(local.key_locations, place, place)
      ]
    ]))
    error_message = "kms_key is projects/P/locations/L/keyRings/R/cryptoKeys/K, in its bucket's location (us for US, europe for EU)."
  }
}

variable "hold_traffic" {
  description = "Leave the traffic of our own functions as a person has split it: set it before an apply while one of them is held on an older revision. It then gets no new code."
  type        = bool
  default     = false
}

variable "identity_project" {
  description = "The Firebase project to which people sign in who command; null: the operations project."
  type        = string
  default     = null

  validation {
    condition     = var.identity_project == null || can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.identity_project))
    error_message = "A project id: 6 to 30 lower-case letters, digits and hyphens."
  }
}

variable "kept" {
  description = "Where what functions are made of is kept, so that they can be built again: copies of their sources, and values of their plain variables. location: null means region; each key must be there."
  type = object({
    location        = optional(string)
    sources_kms_key = optional(string)
    values_kms_key  = optional(string)
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.kept.location == null ? true : can(regex(local.bucket_place, var.kept.location)) && can(local.continents[regex("^[a-z]+", lower(var.kept.location))])
    error_message = "location is a bucket's: US, EU, ASIA, or a region such as us-east1."
  }
  validation {
    condition = alltrue([
      for key in [var.kept.sources_kms_key, var.kept.values_kms_key] : key == null ? true :
      try(regex(local.key_name, key)[0], "") == lookup(local.key_locations, lower(coalesce(var.kept.location, var.region)), lower(coalesce(var.kept.location, var.region)))
    ])
    error_message = "A key is projects/P/locations/L/keyRings/R/cryptoKeys/K, in the buckets' location (us for US, europe for EU)."
  }
}

variable "quarantine" {
  description = "Where documents are kept for some days as they were before a repair. location: null means region."
  type = object({
    location = optional(string)
    kms_key  = optional(string)
    days     = optional(number, 7)
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.quarantine.location == null ? true : can(regex(local.bucket_place, var.quarantine.location)) && can(local.continents[regex("^[a-z]+", lower(var.quarantine.location))])
    error_message = "location is a bucket's: US, EU, ASIA, or a region such as us-east1."
  }
  validation {
    condition     = var.quarantine.days >= 1 && var.quarantine.days <= 30 && floor(var.quarantine.days) == var.quarantine.days
    error_message = "days: 1 to 30; documents of an erased person may stay that long."
  }
  validation {
    condition = var.quarantine.kms_key == null ? true : (
      try(regex(local.key_name, var.quarantine.kms_key)[0], "") == lookup(local.key_locations, lower(coalesce(var.quarantine.location, var.region)), lower(coalesce(var.quarantine.location, var.region)))
    )
    error_message = "A key is projects/P/locations/L/keyRings/R/cryptoKeys/K, in the bucket's location (us for US, europe for EU)."
  }
}

variable "labels" {
  description = "Labels of everything that takes labels."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for key, value in var.labels : can(regex("^[a-z][a-z0-9_-]{0,62}$", key)) && can(regex("^[a-z0-9_-]{0,63}$", value))])
    error_message = "Lower-case letters, digits, _ and -; a key begins with a letter."
  }
}

variable "letter_keepers" {
  description = "Who may read and replay dead-letter messages (rollback replay), as IAM members. Never on rollback-override."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for one in var.letter_keepers : can(regex(local.iam_principal, one))])
    error_message = "IAM members, such as group:oncall@example.com; never allUsers or allAuthenticatedUsers."
  }
}

variable "operations_project" {
  description = "The project of the responders, their topics and their database: the application's own, or better another one."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.operations_project))
    error_message = "A project id: 6 to 30 lower-case letters, digits and hyphens."
  }
}

variable "override_publishers" {
  description = "Who may publish on rollback-override, where a command needs no proof of identity. Nobody, until sign-in itself is down and an admin adds somebody, which the audit log shows."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for one in var.override_publishers : can(regex("^(user|group):.+", one))])
    error_message = "People, as user:... or group:...; no machine needs this topic."
  }
}

variable "policies" {
  description = "Paths of the policy files, one per protected system."
  type        = set(string)

  validation {
    condition     = length(var.policies) > 0 && alltrue([for one in var.policies : fileexists(one)])
    error_message = "At least one policy file, and each must exist."
  }
}

variable "region" {
  description = "The region of the functions: another one than the applications', so that they do not fail together."
  type        = string

  validation {
    condition     = can(regex(local.region_name, var.region))
    error_message = "A region, such as us-east1."
  }
}

variable "runtime_accounts" {
  description = "The service accounts (email addresses) that an application's functions run as, by system. Absent: the default compute account of its project."
  type        = map(set(string))
  default     = {}

  validation {
    condition     = length(setsubtract(keys(var.runtime_accounts), [for file in var.policies : yamldecode(file(file)).system])) == 0
    error_message = "The keys are systems, as the policy files name them."
  }
  validation {
    condition     = alltrue([for one in flatten([for emails in values(var.runtime_accounts) : tolist(emails)]) : can(regex("^[^@]+@(([a-z0-9-]+\\.)?[a-z0-9-]+\\.iam|developer|appspot)\\.gserviceaccount\\.com$", one))])
    error_message = "Email addresses of service accounts."
  }
}

variable "secrets" {
  description = "Secrets to make, by name, without values: those are added by hand (gcloud secrets versions add). readers are entry points, such as on_notice."
  type        = map(object({ readers = set(string) }))
  default     = {}

  validation {
    condition     = alltrue([for name in keys(var.secrets) : can(regex("^[A-Za-z0-9_-]{1,255}$", name))])
    error_message = "Names of letters, digits, _ and -."
  }
}

variable "state_kms_key" {
  description = "A key for the state database (projects/P/locations/L/keyRings/R/cryptoKeys/K); for nam5 its location is us, for eur3 europe. Cannot be changed afterwards."
  type        = string
  default     = null

  validation {
    condition     = var.state_kms_key == null ? true : try(regex(local.key_name, var.state_kms_key)[0], "") == lookup(local.key_locations, var.state_location, "")
    error_message = "projects/P/locations/L/keyRings/R/cryptoKeys/K, where L is us for nam5 and nam7, europe for eur3."
  }
}

variable "state_location" {
  description = "The multi-region of the state database. Cannot be changed afterwards."
  type        = string
  default     = "nam5"

  validation {
    condition     = contains(["eur3", "nam5", "nam7"], var.state_location)
    error_message = "A multi-region: eur3, nam5 or nam7."
  }
}

variable "state_readers" {
  description = "Who may read the state, and nothing else, as IAM members: the accounts of CI, which wait while a rollback is under way."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for one in var.state_readers : can(regex(local.iam_principal, one))])
    error_message = "IAM members, such as serviceAccount:ci-deploy@example.iam.gserviceaccount.com; never allUsers or allAuthenticatedUsers."
  }
}

variable "status_page" {
  description = "Location of a bucket for the public status pages; null: no bucket. Everybody reads what lies in it, and nothing else lies there."
  type        = string
  default     = null

  validation {
    condition     = var.status_page == null ? true : can(regex(local.bucket_place, var.status_page)) && can(local.continents[regex("^[a-z]+", lower(var.status_page))])
    error_message = "A bucket's location: US, EU, ASIA, or a region such as us-east1."
  }
}

variable "templates" {
  description = "Files that replace the texts of notices, by the names in shared/domain/presentation/templates/notices, such as users.txt, or users.de.txt for users who speak German."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for one in var.templates : fileexists(one) && fileexists("${local.repository}/shared/domain/presentation/templates/notices/${replace(basename(one), "/\\.[a-z-]+\\.txt$/", ".txt")}")])
    error_message = "Each file must exist, by a name in shared/domain/presentation/templates/notices, or with a language before .txt."
  }
}

variable "viewers" {
  description = "Who may look (status, explain, audit, doctor), and change nothing, as IAM members: groups of people, an account that runs doctor daily."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for one in var.viewers : can(regex(local.iam_principal, one))])
    error_message = "IAM members, such as group:oncall@example.com; never allUsers or allAuthenticatedUsers."
  }
}
