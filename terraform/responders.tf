locals {
  # What on_command and on_override have in common: both execute operator commands.
  command_responder = {
    cpu             = "1"
    memory          = "512Mi"
    concurrency     = 4 # its threads
    timeout_seconds = 60
    publishes = {
      rollback-dead-letters = "messages that it refuses"
      rollback-deployments  = "the proof of a deployment that a person marked stable"
      rollback-notices      = "notices that a command was executed or refused"
      rollback-work         = "the rollback that was requested or changed"
    }
    roles = {
      past  = "the points in time to which data can be restored, before a copy or an order"
      state = "commands, controls, rollbacks"
    }
  }

  # The responders: one entry makes a function, its account, its subscriptions and its grants. Each
  # grant has its reason here: publishes by topic; roles in the state (iam.tf) or the applications, by
  # their rights (application_roles.tf); buckets (of buckets.tf) by the roles in them.
  # timeout_seconds is at most 600, the longest that a push waits for its acknowledgement.
  responders = {
    on_alert = {
      description     = "Records notifications of Cloud Monitoring and opens or joins incidents."
      topics          = ["rollback-alerts"]
      cpu             = "1"
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
      description     = "Hands on what is due and looks through the probes, twice a minute; has data exported and checked."
      topics          = ["rollback-clock"]
      cpu             = "0.333" # it waits nearly all of the time, and is paid for by the second
      memory          = "512Mi"
      concurrency     = 1   # all that an instance with less than a CPU may
      instances       = 5   # two minutes of ticks from two regions, and one more
      timeout_seconds = 300 # two sweeps, half a minute apart; the last looks end within two minutes, copies and checks of data within two more
      publishes = {
        rollback-dead-letters = "what it refuses"
        rollback-deployments  = "looks and proofs that are due"
        rollback-notices      = "notices and status pages that are due, what the probes show, and that it refused something"
        rollback-work         = "rollbacks that are due, and those that the probes ask for"
      }
      roles = {
        assets  = "whether declared buckets lie in more than one region, and declared topics are there"
        backups = "exports by time slot, how many documents they must hold, and whether Google's own backups are made"
        copies  = "the past of a database, or a backup, as a database of its own, for whoever asked for it"
        data    = "whether the documents keep what is declared of them, and since when they do not"
        media   = "whether the files that they name can be read"
        proofs  = "the newest backup, restored each day to see that it can be"
        scratch = "the databases that copies and restore tests fill, which nobody else uses yet"
        state   = "what is due; what the probes show; the chains that it seals; the catalogue of backups; what is wrong with data, and the deployments that may be why"
      }
      buckets = merge(
        { audit = { anchors = "heads of the chains, where nobody can change them" } },
        { for system in keys(var.exports) : "exports-${system}" => { anchors = "what was live, beside each export", read_objects = "what was exported, to be compared with its copy" } },
        { for system in keys(var.exports) : "exports-${system}-second" => { mirrors = "the copy of each export" } },
      )
    }
    on_command = merge(local.command_responder, {
      description = "Executes operator commands."
      topics      = ["rollback-commands"]
      instances   = 5
    })
    on_override = merge(local.command_responder, {
      description = "Executes commands without a token, on the day when sign-in is down."
      topics      = ["rollback-override"]
      instances   = 2
    })
    on_deployment = {
      description     = "Records deployments from what is really live."
      topics          = ["rollback-deployments"]
      cpu             = "1"
      memory          = "1Gi" # until its largest inventory is measured
      concurrency     = 1
      instances       = 5
      timeout_seconds = 240 # a look, then half a minute of copies, the last of which take as long
      publishes = {
        rollback-dead-letters = "what it refuses"
        rollback-notices      = "that it refused something, or that nobody can go back"
      }
      roles = {
        configurations = "the values of variables, to keep them"
        estate         = "what is live beside the functions; whether the accounts that they run as are enabled"
        images         = "whether the images of deployments are there"
        inventory      = "what is live"
        metrics        = "whether requests reach what is new, and fail"
        sources        = "what functions are built from, to copy it"
        state          = "deployments, the last inventory"
      }
      buckets = {
        sources = { keeper = "copies of what functions are built from, as long as a record names them" }
        values  = { keeper = "values of variables, which it cannot read again" }
      }
    }
    on_notice = {
      description     = "Says one notice to one channel; writes the status pages."
      topics          = ["rollback-notices"]
      cpu             = "1"
      memory          = "512Mi"
      concurrency     = 4 # its threads
      instances       = 10
      timeout_seconds = 60
      publishes = {
        rollback-dead-letters = "what it refuses"
        rollback-notices      = "that it refused something"
      }
      roles = {
        mail      = "mails to users that a person has approved"
        push      = "that an incident began and is over, to users who have asked for it"
        pushed_to = "the devices and addresses of users whom a channel looks up"
        state     = "notices; what is public of incidents"
      }
      buckets = { status = { pages = "the status pages, in place of older ones" } }
    }
    on_work = {
      description     = "Decides rollbacks and carries them forward."
      topics          = ["rollback-work"]
      cpu             = "1"
      memory          = "1Gi" # until its largest inventory is measured
      concurrency     = 1     # the lease is one request's; a second would wait for it in vain
      instances       = 10
      timeout_seconds = 300 # it yields after 120; what is then in flight has its own deadline
      publishes = {
        rollback-dead-letters = "what it refuses"
        rollback-notices      = "each turn of the rollback"
        rollback-work         = "the hand-over to its successor"
      }
      roles = {
        alerts    = "whether the alert is still open"
        images    = "whether the images of the target are there"
        media     = "whether the files that documents name can be read, before they come back"
        metrics   = "whether requests fail, before and after"
        repair    = "documents back to what they were, under the time at which each was read; what hears of that"
        rebuild   = "a function whose revision is gone, from our copy of its source"
        shift     = "what is live, and traffic back to where it was"
        state     = "rollbacks, their steps and audit"
        ways_back = "hosting, configuration, rules, sign-in and indexes back to where they were"
      }
      buckets = merge(
        {
          quarantine = { mirrors = "documents as they were before a repair, and out again to undo it" }
          sources    = { (local.reads_one_object) = "what a function is built of again, which whoever deploys must be able to read" }
          values     = { (local.reads_one_object) = "values of variables, to build a function again; nobody else reads them" }
        },
        { for system in keys(var.exports) : "exports-${system}" => { holds = "exports that a person holds beyond their time" } },
        { for system in keys(var.exports) : "exports-${system}-second" => { holds = "their copies" } },
      )
    }
  }
}
