locals {
  repository = "${path.module}/.."

  # The protected systems, as their policy files say.
  policies     = { for file in var.policies : yamldecode(file(file)).system => yamldecode(file(file)) }
  applications = toset([for policy in values(local.policies) : policy.project])

  database = "rollback"

  identity_project = coalesce(var.identity_project, var.operations_project)

  # Every topic, and what is said on it.
  topics = {
    rollback-alerts       = "notifications of Cloud Monitoring"
    rollback-clock        = "a tick a minute, from each of two regions"
    rollback-commands     = "what people ask for"
    rollback-dead-letters = "what was not understood, or given up"
    rollback-deployments  = "announcements by CI, hints from the audit log, looks that are due"
    rollback-notices      = "notices that are due"
    rollback-override     = "commands for the day when sign-in is down"
    rollback-work         = "rollbacks that are due"
  }

  # The responders: one entry makes a function, its account, its subscriptions and its grants.
  # timeout_seconds is at most 600, the longest that a push waits for its acknowledgement.
  responders = {
    on_alert = {
      description     = "Records notifications of Cloud Monitoring and opens or joins incidents."
      topics          = ["rollback-alerts"]
      memory          = "512Mi"
      concurrency     = 4 # its threads
      instances       = 20
      timeout_seconds = 60
      publishes = {
        rollback-dead-letters = "what it refuses"
        rollback-notices      = "that an incident was detected"
        rollback-work         = "the rollback to be decided"
      }
      roles = { state = "alerts, incidents, rollbacks" }
    }
    on_clock = {
      description     = "Hands on what is due and looks through the probes, twice a minute."
      topics          = ["rollback-clock"]
      memory          = "512Mi"
      concurrency     = 4 # its threads: two minutes of ticks from two regions
      instances       = 5
      timeout_seconds = 180 # two sweeps, half a minute apart; the last looks end within two minutes
      publishes = {
        rollback-dead-letters = "what it refuses"
        rollback-deployments  = "looks and proofs that are due"
        rollback-notices      = "notices that are due, what the probes show, and that it refused something"
        rollback-work         = "rollbacks that are due, and those that the probes ask for"
      }
      roles = { state = "what is due; what the probes show; the chains that it seals" }
    }
    on_command = {
      description     = "Carries out what people ask for."
      topics          = ["rollback-commands", "rollback-override"]
      memory          = "512Mi"
      concurrency     = 4 # its threads
      instances       = 5
      timeout_seconds = 60
      publishes = {
        rollback-dead-letters = "what it refuses"
        rollback-deployments  = "the proof of what a person called stable"
        rollback-notices      = "that a command was carried out or refused"
        rollback-work         = "the rollback that was ordered or changed"
      }
      roles = { state = "commands, controls, rollbacks" }
    }
    on_deployment = {
      description     = "Records deployments from what is really live."
      topics          = ["rollback-deployments"]
      memory          = "512Mi"
      concurrency     = 1
      instances       = 5
      timeout_seconds = 120
      publishes = {
        rollback-dead-letters = "what it refuses"
        rollback-notices      = "that it refused something, or that nobody can go back"
      }
      roles = {
        estate    = "what is live beside the functions"
        inventory = "what is live"
        metrics   = "whether requests reach what is new, and fail"
        state     = "deployments, the last inventory"
      }
    }
    on_notice = {
      description     = "Says one notice to one channel."
      topics          = ["rollback-notices"]
      memory          = "512Mi"
      concurrency     = 4 # its threads
      instances       = 10
      timeout_seconds = 60
      publishes = {
        rollback-dead-letters = "what it refuses"
        rollback-notices      = "that it refused something"
      }
      roles = { state = "notices" }
    }
    on_work = {
      description     = "Decides rollbacks and carries them forward."
      topics          = ["rollback-work"]
      memory          = "512Mi"
      concurrency     = 1 # the lease is one request's; a second would wait for it in vain
      instances       = 10
      timeout_seconds = 300 # it yields after 120; what is then in flight has its own deadline
      publishes = {
        rollback-dead-letters = "what it refuses"
        rollback-notices      = "each turn of the rollback"
        rollback-work         = "the hand-over to its successor"
      }
      roles = {
        alerts  = "whether the alert is still open"
        metrics = "whether requests fail, before and after"
        shift   = "what is live, and traffic back to where it was"
        state   = "rollbacks, their steps and audit"
      }
    }
  }

  function_names = { for entry_point in keys(local.responders) : entry_point => "rollback-${replace(entry_point, "_", "-")}" }
}
