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

# What has ended goes by itself. These are all collections in which something expires; a collection
# of the same name below another document counts as well.
resource "google_firestore_field" "expires_at" {
  for_each = toset([
    "alerts",
    "anchors",
    "audit",
    "backups",
    "commands",
    "copies",
    "counters",
    "deployments",
    "incidents",
    "journal",
    "notices",
    "pins",
    "proofs",
    "record",
    "reports",
    "rollbacks",
    "seals",
    "steps",
    "surveys",
    "ticks",
    "tokens",
  ])

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
# that none starves another. Functions are deployed once these are ready.
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
