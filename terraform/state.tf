locals {
  # Not its id, which no plan shows before the first apply.
  state_name = "projects/${google_firestore_database.state.project}/databases/${google_firestore_database.state.name}"
}

# The responders' own database: several regions, so that it outlives the one that is in trouble.
resource "google_firestore_database" "state" {
  project                           = var.operations_project
  name                              = local.database
  location_id                       = var.state_location
  type                              = "FIRESTORE_NATIVE"
  concurrency_mode                  = "PESSIMISTIC"
  app_engine_integration_mode       = "DISABLED"
  point_in_time_recovery_enablement = "POINT_IN_TIME_RECOVERY_ENABLED"
  delete_protection_state           = "DELETE_PROTECTION_ENABLED"
  deletion_policy                   = "ABANDON" # the audit trail outlives a terraform destroy

  dynamic "cmek_config" {
    for_each = var.state_kms_key[*]
    content {
      kms_key_name = cmek_config.value
    }
  }

  depends_on = [
    google_kms_crypto_key_iam_member.state,
    google_project_service.operations,
  ]
}

resource "google_kms_crypto_key_iam_member" "state" {
  for_each = toset(var.state_kms_key[*])

  crypto_key_id = each.key
  role          = "roles/cloudkms.cryptoKeyEncrypterDecrypter"
  member        = local.agents.firestore

  depends_on = [google_workload_identity_service_agent.agents]
}

# What has ended expires. Firestore takes one policy for each collection, and no deletion is granted to a
# responder, so that each of these collections needs its own. A collection of the same name below another
# document counts as well.
locals {
  expiring = {
    alerts      = "notifications of alert policies and probes"
    anchors     = "heads of audit chains that are on their way to the audit bucket"
    audit       = "audit events of a rollback or a system"
    backups     = "exports of an application's database"
    commands    = "operator commands"
    copies      = "databases that copies were made into"
    counters    = "the number of the next incident of a day"
    decisions   = "decisions of automation with their facts"
    deployments = "deployments, newest and stable"
    incidents   = "incidents"
    journal     = "what one batch of a repair has changed"
    notices     = "notifications to people"
    pins        = "functions whose traffic a rollback holds"
    proofs      = "restore tests"
    record      = "what was live at a deployment"
    reports     = "incident reports"
    rollbacks   = "rollbacks"
    seals       = "seals of a system's audit chain"
    steps       = "steps of a rollback"
    surveys     = "what a repair of documents would change"
    ticks       = "that a tick or a daily job was done, so that it is done once"
    tokens      = "that a token was used, so that it is used once"
  }
}

resource "google_firestore_field" "expires_at" {
  for_each = local.expiring

  project    = var.operations_project
  database   = google_firestore_database.state.name
  collection = each.key
  field      = "expires_at"
  skip_wait  = true # each takes minutes, and the database takes them one after the other

  ttl_config {}
  index_config {} # nobody asks for it, and an index on a time that only grows is a hot spot
}

# Half an hour of looks, by probe, written anew twice a minute: nobody asks for one of them. The
# exemption of a map is that of all that is in it.
# (firebase.google.com/docs/firestore/solutions/index-map-field, read 2026-11)
resource "google_firestore_field" "looks" {
  project    = var.operations_project
  database   = google_firestore_database.state.name
  collection = "probes"
  field      = "looks"

  index_config {}
}

# What is due in one system, the longest due first: the clock asks for each system by itself, so
# that none starves another, and a query over two fields needs an index in each collection. Functions are
# deployed once these are ready.
resource "google_firestore_index" "due" {
  for_each = toset(["commands", "deployments", "incidents", "inventory", "notices", "reports", "rollbacks"])

  project     = var.operations_project
  database    = google_firestore_database.state.name
  collection  = each.key
  query_scope = "COLLECTION"

  fields {
    field_path = "system"
    order      = "ASCENDING"
  }

  fields {
    field_path = "due_at"
    order      = "ASCENDING"
  }
}

# The last days, day by day.
resource "google_firestore_backup_schedule" "state_daily" {
  project   = var.operations_project
  database  = google_firestore_database.state.name
  retention = "604800s" # 7 days

  daily_recurrence {}
}

# Further back than anything is kept in the database.
resource "google_firestore_backup_schedule" "state_weekly" {
  project   = var.operations_project
  database  = google_firestore_database.state.name
  retention = "8467200s" # 14 weeks, the longest

  weekly_recurrence {
    day = "SUNDAY"
  }
}
