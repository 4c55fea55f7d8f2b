# What may be granted in the project of an application. A responder has one custom role there: the rights
# that responders.tf names for it, where some policy of that project has a use for them. A right under a
# condition is a role of its own.
locals {
  application_rights = {
    # See whether an alert is still open.
    alerts = ["monitoring.alerts.get"]
    # See where declared buckets lie, and whether declared topics are there.
    assets = ["pubsub.topics.get", "storage.buckets.get"]
    # Export databases, see their backups.
    backups = [
      "datastore.backupSchedules.list",
      "datastore.backups.list",
      "datastore.databases.export",
      "datastore.databases.get",
      "datastore.databases.getMetadata",
      "datastore.entities.list",
      "datastore.operations.get",
      "datastore.operations.list",
    ]
    # Make databases of the past and of backups, and look through them.
    copies = [
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
    # See what functions are configured with.
    configurations = ["cloudfunctions.functions.get"]
    # Read documents, as they are and as they were.
    data = ["datastore.databases.get", "datastore.entities.get", "datastore.entities.list"]
    # See what is live beside the functions.
    estate = [
      "cloudconfig.configs.get",
      "cloudscheduler.jobs.list",
      "datastore.schemas.list",
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
    # See which images of functions are stored, and when they are deleted.
    images = ["artifactregistry.dockerimages.list", "artifactregistry.repositories.get"]
    # See which functions are live.
    inventory = ["cloudfunctions.functions.list", "run.revisions.list", "run.services.list"]
    # Put mails to users into the collection of Trigger Email.
    mail = ["datastore.entities.create"]
    # See whether declared files can be read.
    media = ["storage.objects.get", "storage.objects.list"]
    # Read metrics.
    metrics = ["monitoring.timeSeries.list"]
    # See how far back a database reaches, and its backups.
    past = ["datastore.backups.list", "datastore.databases.getMetadata"]
    # Push to users of the application.
    push = ["cloudmessaging.messages.create"]
    # See which devices and addresses of users are notified.
    pushed_to = ["datastore.databases.get", "datastore.entities.get", "datastore.entities.list"]
    # See what custom roles permit.
    roles = ["iam.roles.get"]
    # See what the platform admits, and which APIs are on.
    quotas = ["serviceusage.quotas.get", "serviceusage.services.get"]
    # See what alerts and dashboards ask for, and whether it is known.
    watched = [
      "monitoring.alertPolicies.list",
      "monitoring.dashboards.list",
      "monitoring.metricDescriptors.list",
      "monitoring.monitoredResourceDescriptors.list",
      "monitoring.timeSeries.list",
    ]
    # Build functions again from kept sources.
    rebuild = [
      "cloudfunctions.functions.create",
      "cloudfunctions.functions.get",
      "cloudfunctions.functions.update",
      "cloudfunctions.operations.get",
      "cloudfunctions.operations.list",
    ]
    # Bring documents back, as they were.
    repair = [
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
    # Shift traffic between revisions.
    shift = [
      "cloudfunctions.functions.list",
      "run.operations.get",
      "run.revisions.get",
      "run.revisions.list",
      "run.services.get",
      "run.services.list",
      "run.services.update",
    ]
    # Make databases of backups, and look through them.
    proofs = [
      "datastore.backups.restoreDatabase",
      "datastore.databases.create",
      "datastore.databases.list",
      "datastore.entities.get",
      "datastore.entities.list",
      "datastore.operations.get",
      "datastore.operations.list",
    ]
    # Fill copies and scratch databases, take erased people out, delete them.
    scratch = ["datastore.databases.delete", "datastore.databases.import", "datastore.entities.delete"]
    # See what hears of events.
    triggers = ["eventarc.triggers.list"]
    # Bring back what is beside the functions, delete nothing.
    ways_back = [
      "cloudconfig.configs.get",
      "cloudconfig.configs.update",
      "datastore.schemas.create",
      "datastore.schemas.list",
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
    # Copy what functions are built from.
    sources = ["storage.objects.get"]
  }
}
