locals {
  application_roles = {
    alerts = {
      title       = "Rollback: see whether an alert is still open"
      permissions = ["monitoring.alerts.get"]
    }
    assets = {
      title       = "Rollback: see where declared buckets lie, and whether declared topics are there"
      permissions = ["pubsub.topics.get", "storage.buckets.get"]
    }
    backups = {
      title = "Rollback: export databases, see their backups"
      permissions = [
        "datastore.backupSchedules.list",
        "datastore.backups.list",
        "datastore.databases.export",
        "datastore.databases.get",
        "datastore.databases.getMetadata",
        "datastore.entities.list",
        "datastore.operations.get",
        "datastore.operations.list",
      ]
    }
    copies = {
      title = "Rollback: make databases of the past and of backups, and look through them"
      permissions = [
        "datastore.backups.restoreDatabase",
        "datastore.databases.clone",
        "datastore.databases.create",
        "datastore.databases.get",
        "datastore.databases.list",
        "datastore.entities.get",
        "datastore.entities.list",
        "datastore.operations.get",
        "datastore.operations.list",
      ]
    }
    copies_made = {
      title       = "Rollback: fill copies, take erased people out, delete them"
      permissions = ["datastore.databases.delete", "datastore.databases.import", "datastore.entities.delete"]
    }
    configurations = {
      title = "Rollback: see what functions are configured with, and may be written for"
      permissions = [
        "cloudfunctions.functions.get",
        "cloudfunctions.runtimes.list",
      ]
    }
    data = {
      title = "Rollback: read documents, as they are and as they were"
      permissions = [
        "datastore.databases.get",
        "datastore.entities.get",
        "datastore.entities.list",
      ]
    }
    estate = {
      title = "Rollback: see what is live beside the functions"
      permissions = [
        "cloudconfig.configs.get",
        "cloudscheduler.jobs.list",
        "datastore.indexes.list",
        "firebaseauth.configs.get",
        "firebasehosting.sites.get",
        "firebasehosting.sites.list",
        "firebaserules.releases.list",
        "firebaserules.rulesets.get",
        "iam.serviceAccounts.get",
        "resourcemanager.projects.getIamPolicy",
        "run.services.getIamPolicy",
        "secretmanager.secrets.list",
        "secretmanager.versions.list",
        "serviceusage.services.use",
      ]
    }
    images = {
      title       = "Rollback: see which images of functions are stored, and when they are deleted"
      permissions = ["artifactregistry.dockerimages.list", "artifactregistry.repositories.get"]
    }
    inventory = {
      title = "Rollback: see which functions are live"
      permissions = [
        "cloudfunctions.functions.list",
        "run.revisions.list",
        "run.services.list",
      ]
    }
    mail = {
      title       = "Rollback: put mails to users into the collection of Trigger Email"
      permissions = ["datastore.entities.create"]
    }
    media = {
      title       = "Rollback: see whether declared files can be read"
      permissions = ["storage.objects.get", "storage.objects.list"]
    }
    metrics = {
      title       = "Rollback: read metrics"
      permissions = ["monitoring.timeSeries.list"]
    }
    past = {
      title       = "Rollback: see how far back a database reaches, and its backups"
      permissions = ["datastore.backups.list", "datastore.databases.getMetadata"]
    }
    push = {
      title       = "Rollback: push to users of the application"
      permissions = ["cloudmessaging.messages.create"]
    }
    pushed_to = {
      title = "Rollback: see which devices and addresses of users are notified"
      permissions = [
        "datastore.databases.get",
        "datastore.entities.get",
        "datastore.entities.list",
      ]
    }
    quotas = {
      title       = "Rollback: see what the platform admits, and which APIs are on"
      permissions = ["serviceusage.quotas.get", "serviceusage.services.get"]
    }
    watched = {
      title = "Rollback: see what alerts and dashboards ask for, and whether it is known"
      permissions = [
        "monitoring.alertPolicies.list",
        "monitoring.dashboards.list",
        "monitoring.metricDescriptors.list",
        "monitoring.monitoredResourceDescriptors.list",
        "monitoring.timeSeries.list",
      ]
    }
    rebuild = {
      title = "Rollback: build functions again from kept sources"
      permissions = [
        "cloudfunctions.functions.create",
        "cloudfunctions.functions.get",
        "cloudfunctions.functions.update",
        "cloudfunctions.operations.get",
        "cloudfunctions.operations.list",
      ]
    }
    repair = {
      title = "Rollback: bring documents back, as they were"
      permissions = [
        "datastore.backups.list",
        "datastore.databases.get",
        "datastore.databases.getMetadata",
        "datastore.entities.create",
        "datastore.entities.delete",
        "datastore.entities.get",
        "datastore.entities.list",
        "datastore.entities.update",
        "eventarc.triggers.list",
      ]
    }
    shift = {
      title = "Rollback: shift traffic between revisions"
      permissions = [
        "cloudfunctions.functions.list",
        "run.operations.get",
        "run.revisions.get",
        "run.revisions.list",
        "run.services.get",
        "run.services.list",
        "run.services.update",
      ]
    }
    proofs = {
      title = "Rollback: make databases of backups, and look through them"
      permissions = [
        "datastore.backups.restoreDatabase",
        "datastore.databases.create",
        "datastore.databases.list",
        "datastore.entities.get",
        "datastore.entities.list",
        "datastore.operations.get",
        "datastore.operations.list",
      ]
    }
    proofs_scratch = {
      title       = "Rollback: fill scratch databases, take erased people out, delete them"
      permissions = ["datastore.databases.delete", "datastore.databases.import", "datastore.entities.delete"]
    }
    triggers = {
      title       = "Rollback: see what hears of events"
      permissions = ["eventarc.triggers.list"]
    }
    ways_back = {
      title = "Rollback: bring back what is beside the functions, delete nothing"
      permissions = [
        "cloudconfig.configs.get",
        "cloudconfig.configs.update",
        "datastore.indexes.create",
        "datastore.indexes.list",
        "firebaseauth.configs.get",
        "firebaseauth.configs.update",
        "firebaseauth.users.get",
        "firebaseauth.users.update",
        "firebasehosting.sites.get",
        "firebasehosting.sites.list",
        "firebasehosting.sites.update",
        "firebaserules.releases.create",
        "firebaserules.releases.list",
        "firebaserules.releases.update",
        "firebaserules.rulesets.create",
        "firebaserules.rulesets.get",
        "serviceusage.services.use",
      ]
    }
    sources = {
      title       = "Rollback: copy what functions are built from"
      permissions = ["storage.objects.get"]
    }
  }
}
