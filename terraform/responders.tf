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
      past  = "reads the points in time to which data can be restored"
      state = "stores commands, controls and rollbacks"
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
        rollback-dead-letters = "messages that it refuses"
        rollback-notices      = "that an incident was detected"
        rollback-work         = "the rollback to be decided"
      }
      roles = { state = "stores alerts, incidents and rollbacks" }
    }
    on_clock = {
      description     = "Dispatches scheduled work and runs the probes, twice a minute; starts exports and data checks."
      topics          = ["rollback-clock"]
      cpu             = "0.333" # it waits nearly all of the time, and is paid for by the second
      memory          = "512Mi"
      concurrency     = 1   # all that an instance with less than a CPU may
      instances       = 5   # two minutes of ticks from two regions, and one more
      timeout_seconds = 300 # two sweeps, half a minute apart; the last looks end within two minutes, copies and checks of data within two more
      publishes = {
        rollback-dead-letters = "messages that it refuses"
        rollback-deployments  = "scheduled checks of deployments"
        rollback-notices      = "scheduled notices and status pages, incidents of the probes, notices of refused messages"
        rollback-work         = "scheduled rollbacks, and rollbacks for incidents of the probes"
      }
      roles = {
        assets  = "checks that declared buckets lie in more than one region, and that declared topics exist"
        backups = "starts exports, counts the documents that they must hold, and checks Google's own backups"
        copies  = "creates a database from a backup or from the past, by an operator's command"
        data    = "checks documents against the declared schemas, and since when they are invalid"
        media   = "checks that the files of documents can be read"
        proofs  = "restores the newest backup each day as a test"
        scratch = "fills and deletes the databases of copies and restore tests"
        state   = "stores schedules, probe results, sealed audit chains, the list of backups and data findings; reads deployments"
      }
      buckets = merge(
        { audit = { anchors = "stores heads of the audit chains, where nobody can change them" } },
        { for system in keys(var.exports) : "exports-${system}" => { anchors = "stores the live state beside each export", read_objects = "compares an export with its copy" } },
        { for system in keys(var.exports) : "exports-${system}-second" => { mirrors = "stores the copy of each export" } },
      )
    }
    on_command = merge(local.command_responder, {
      description = "Executes operator commands."
      topics      = ["rollback-commands"]
      instances   = 5
    })
    on_override = merge(local.command_responder, {
      description = "Executes commands without a token while sign-in is down."
      topics      = ["rollback-override"]
      instances   = 2
    })
    on_deployment = {
      description     = "Records deployments by comparison with the live state."
      topics          = ["rollback-deployments"]
      cpu             = "1"
      memory          = "1Gi" # until its largest inventory is measured
      concurrency     = 1
      instances       = 5
      timeout_seconds = 240 # a look, then half a minute of copies, the last of which take as long
      publishes = {
        rollback-dead-letters = "messages that it refuses"
        rollback-notices      = "notices of refused messages and of deployments that cannot be restored"
      }
      roles = {
        configurations = "reads the values of variables, to store them"
        estate         = "reads the live configuration beside the functions, and whether the runtime accounts are enabled"
        images         = "checks that the images of deployments exist"
        inventory      = "reads the live functions and revisions"
        metrics        = "counts the requests of a new deployment, and how many fail"
        sources        = "copies the sources of functions"
        state          = "stores deployments and the last inventory"
      }
      buckets = {
        sources = { keeper = "stores copies of the sources of functions while a record names them" }
        values  = { keeper = "stores values of variables, which it cannot read again" }
      }
    }
    on_notice = {
      description     = "Sends one notice to one channel; writes the status pages."
      topics          = ["rollback-notices"]
      cpu             = "1"
      memory          = "512Mi"
      concurrency     = 4 # its threads
      instances       = 10
      timeout_seconds = 60
      publishes = {
        rollback-dead-letters = "messages that it refuses"
        rollback-notices      = "notices of refused messages"
      }
      roles = {
        mail      = "writes mails to users that a person has approved"
        push      = "notifies subscribed users that an incident began or ended"
        pushed_to = "reads the devices and addresses of users for channels that declare them"
        state     = "stores notices, reads the public state of incidents"
      }
      buckets = { status = { pages = "replaces the status pages" } }
    }
    on_work = {
      description     = "Decides on rollbacks and executes them."
      topics          = ["rollback-work"]
      cpu             = "1"
      memory          = "1Gi" # until its largest inventory is measured
      concurrency     = 1     # the lease is one request's; a second would wait for it in vain
      instances       = 10
      timeout_seconds = 300 # it yields after 120; what is then in flight has its own deadline
      publishes = {
        rollback-dead-letters = "messages that it refuses"
        rollback-notices      = "notices of each state of the rollback"
        rollback-work         = "the handover to the next worker"
      }
      roles = {
        alerts    = "checks whether the alert is still open"
        images    = "checks that the images of the target exist"
        media     = "checks that the files of documents can be read before the documents are restored"
        metrics   = "counts failed requests before and after a rollback"
        repair    = "restores documents, unless they changed since they were read; reads the triggers that this starts"
        rebuild   = "rebuilds a function from the stored copy of its source when its revision is gone"
        shift     = "reads the live revisions and shifts traffic"
        state     = "stores rollbacks, their steps and audit log"
        ways_back = "restores Hosting, Remote Config, rules, sign-in settings and indexes"
      }
      buckets = merge(
        {
          quarantine = { mirrors = "stores documents as they were before a repair, and reads them to undo it" }
          sources    = { (local.reads_one_object) = "reads the source for a rebuild" }
          values     = { (local.reads_one_object) = "reads values of variables for a rebuild" }
        },
        { for system in keys(var.exports) : "exports-${system}" => { holds = "keeps exports under a legal hold" } },
        { for system in keys(var.exports) : "exports-${system}-second" => { holds = "keeps their copies under a legal hold" } },
      )
    }
  }
}
