variable "alert_severities" {
  description = "The severities whose signals get an alert policy, and with it the log-based counters that it reads. CRITICAL and HIGH are what a rollback answers; each condition and each series that it reads is paid for."
  type        = set(string)
  default     = ["CRITICAL", "HIGH"]

  validation {
    condition     = length(setsubtract(var.alert_severities, ["CRITICAL", "HIGH", "MEDIUM", "LOW"])) == 0
    error_message = "Of CRITICAL, HIGH, MEDIUM and LOW."
  }
}

variable "billing_account" {
  description = "Billing account of the operations project, such as 012345-6789AB-CDEF01; null: no budget. The account that applies needs roles/billing.costsManager on it."
  type        = string
  default     = null

  validation {
    condition     = var.billing_account == null || can(regex("^[0-9A-F]{6}(-[0-9A-F]{6}){2}$", var.billing_account))
    error_message = "A billing account is written as 012345-6789AB-CDEF01."
  }
}

variable "budget_amount" {
  description = "What the operations project may cost in a month, in whole units of the billing account's currency. The default covers the minimal example (docs/operate.md, What it costs). For your policy, set the sum that rollback cost prints. If the application is in the same project, add its costs."
  type        = number
  default     = 50

  validation {
    condition     = var.budget_amount >= 1 && floor(var.budget_amount) == var.budget_amount
    error_message = "The budget is a whole number, at least 1."
  }
}

variable "dashboards" {
  description = "Make a dashboard of each system's health and one of the responders, with the counters that only they show."
  type        = bool
  default     = false
}

variable "dead_man_url" {
  description = "Address of a dead man's switch outside Google Cloud, which notifies people when the ping of each minute stops; null: no ping. Terraform's state contains it; with the address one can only keep the switch quiet."
  type        = string
  default     = null

  validation {
    condition     = var.dead_man_url == null || can(regex("^https://[^\\s]+$", var.dead_man_url))
    error_message = "The dead man's switch has an https address."
  }
}

variable "existing_pager_channels" {
  description = "Full names (projects/P/notificationChannels/N) of channels of the operations project that were created by hand because they hold a secret, such as PagerDuty's or Slack's. Used like pager_channels."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for name in var.existing_pager_channels : can(regex("^projects/[^/]+/notificationChannels/[0-9]+$", name))])
    error_message = "A channel's name is projects/P/notificationChannels/N."
  }
  validation {
    condition     = alltrue([for name in var.existing_pager_channels : startswith(name, "projects/${var.operations_project}/")])
    error_message = "A pager channel belongs to the operations project: alerts of an application's project notify the responders alone."
  }
}

variable "health_alerts" {
  description = "Notify health_channels when a system misses a figure of the runbook: answers within 3 s on average and 99.9 % availability of the site (with uptime_checks, each probe of frontend_unavailable), 99.9 % of the functions, reads of the database within 100 ms and writes within 500 ms (as the functions log them). Nine alert policies a system with one such probe, free before September 2027, then about 0.35 USD a month for each of them."
  type        = bool
  default     = false
}

variable "health_channels" {
  description = "Channels to people that need no secret, by name; created in the project of each application. Monitoring notifies them of health_alerts, and of nothing else. Do not name a pager: one release can cause several notifications. Without channels, health_alerts notifies nobody."
  type = map(object({
    type   = string
    labels = map(string)
  }))
  default = {}

  validation {
    condition     = alltrue([for channel in values(var.health_channels) : contains(["email", "sms"], channel.type)])
    error_message = "Only email (label email_address) and sms (label number) need no secret; others are set up in Monitoring."
  }

  validation {
    condition = alltrue([
      for channel in values(var.health_channels) :
      try(length(channel.labels[channel.type == "sms" ? "number" : "email_address"]) > 0, false)
    ])
    error_message = "An email channel has the label email_address, an sms channel the label number."
  }
}

variable "pager_channels" {
  description = "Channels to a person that need no secret, by name; created in the operations project. Monitoring notifies them when the responders fail, when they give up a message, when a backup or a stored deployment cannot be restored, and when nobody acknowledges an incident. Mail channels also receive the budget alert. No alert about a single service of the application reaches them."
  type = map(object({
    type   = string
    labels = map(string)
  }))
  default = {}

  validation {
    condition     = alltrue([for channel in values(var.pager_channels) : contains(["email", "sms"], channel.type)])
    error_message = "Only email (label email_address) and sms (label number) need no secret; name others in existing_pager_channels."
  }

  validation {
    condition = alltrue([
      for channel in values(var.pager_channels) :
      try(length(channel.labels[channel.type == "sms" ? "number" : "email_address"]) > 0, false)
    ])
    error_message = "An email channel has the label email_address, an sms channel the label number."
  }
}

variable "uptime_checks" {
  description = "Let Google ask the probes of the policy files, from each of uptime_regions: each run is paid for. The responders ask those that name a signal twice a minute themselves, checks or no checks: Google asks these every five minutes, and every minute those of frontend_unavailable and those without a signal."
  type        = bool
  default     = false
}

variable "uptime_regions" {
  description = "Regions from which Google calls the probes; Google requires at least three, and two that fail together count as a failure."
  type        = list(string)
  default     = ["USA_IOWA", "USA_VIRGINIA", "EUROPE", "ASIA_PACIFIC"]

  validation {
    condition     = length(distinct(var.uptime_regions)) >= 3
    error_message = "At least three different regions."
  }
  validation {
    condition     = length(setsubtract(var.uptime_regions, ["ASIA_PACIFIC", "EUROPE", "SOUTH_AMERICA", "USA_IOWA", "USA_OREGON", "USA_VIRGINIA"])) == 0
    error_message = "Of ASIA_PACIFIC, EUROPE, SOUTH_AMERICA, USA_IOWA, USA_OREGON and USA_VIRGINIA."
  }
}
