# What an application's data needs, so that there is something to go back to. The database itself
# is the application's: it is managed here only when it was imported, and then only its
# point-in-time recovery.
locals {
  application_databases = {
    for system, database in var.application_databases :
    system => merge(database, { project = local.policies[system].project })
  }
}

resource "google_firestore_database" "applications" {
  for_each = { for system, database in local.application_databases : system => database if database.adopt_location != null }

  project                           = each.value.project
  name                              = each.value.name
  location_id                       = each.value.adopt_location
  type                              = "FIRESTORE_NATIVE"
  point_in_time_recovery_enablement = "POINT_IN_TIME_RECOVERY_ENABLED"
  deletion_policy                   = "ABANDON"

  lifecycle {
    ignore_changes = [
      app_engine_integration_mode,
      cmek_config,
      concurrency_mode,
      database_edition,
      delete_protection_state,
      firestore_data_access_mode,
      mongodb_compatible_data_access_mode,
      realtime_updates_mode,
      tags,
      type,
    ]
  }
}

resource "google_firestore_backup_schedule" "applications_daily" {
  for_each = { for system, database in local.application_databases : system => database if database.daily_days > 0 }

  project   = each.value.project
  database  = each.value.name
  retention = "${each.value.daily_days * 86400}s"

  daily_recurrence {}

  depends_on = [google_project_service.operations, google_project_service.others]
}

resource "google_firestore_backup_schedule" "applications_weekly" {
  for_each = { for system, database in local.application_databases : system => database if database.weekly_weeks > 0 }

  project   = each.value.project
  database  = each.value.name
  retention = "${each.value.weekly_weeks * 604800}s"

  weekly_recurrence {
    day = "SUNDAY"
  }

  depends_on = [google_project_service.operations, google_project_service.others]
}
