# Three are required: operations_project, policies, region. All else is off or at its smallest.

variable "access_logs" {
  description = "Log each access to buckets and secrets of the operations project (Data Access). Where operations and application share a project, the application's accesses are logged and paid for as well."
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
    condition     = length(distinct(var.clock_regions)) == 2
    error_message = "Two different regions."
  }
}

variable "command_publishers" {
  description = "Who may publish on rollback-commands, as IAM members (group:oncall@example.com)."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for one in var.command_publishers : can(regex("^(user|group|serviceAccount|principal|principalSet):.+", one))])
    error_message = "IAM members, such as group:oncall@example.com; never allUsers or allAuthenticatedUsers."
  }
}

variable "deployment_publishers" {
  description = "Who may announce deployments on rollback-deployments, as IAM members: the accounts of CI."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for one in var.deployment_publishers : can(regex("^(user|group|serviceAccount|principal|principalSet):.+", one))])
    error_message = "IAM members, such as serviceAccount:ci@example.iam.gserviceaccount.com; never allUsers or allAuthenticatedUsers."
  }
}

variable "exports" {
  description = "Buckets for exports of an application's database, by system: one at the database's location (US for nam5), and a second one in another continent."
  type = map(object({
    location       = string
    kms_key        = optional(string)
    retention_days = optional(number, 30)
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
    condition     = alltrue([for one in values(var.exports) : one.second == null ? true : lower(substr(one.second.location, 0, 2)) != lower(substr(one.location, 0, 2))])
    error_message = "The second location must be in another continent than the first."
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
  description = "Who may read the dead letters and send them once more (rollback replay), as IAM members. Never on rollback-override."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for one in var.letter_keepers : can(regex("^(user|group|serviceAccount|principal|principalSet):.+", one))])
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
    condition     = can(regex("^[a-z]+-[a-z]+[0-9]+$", var.region))
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

variable "status_page" {
  description = "Location of a bucket for the public status page; null: no bucket. Only what lies below public/ in it can be read by everybody."
  type        = string
  default     = null
}
