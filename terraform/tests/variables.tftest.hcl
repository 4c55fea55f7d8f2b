# terraform test, without a cloud: each variable at its limits and beyond them.

mock_provider "google" {
  # OpenTofu gives a plan mocked values too, and the provider checks their form.
  mock_data "google_project" {
    defaults = { number = "123456789012" }
  }
  mock_resource "google_logging_project_sink" {
    defaults = { writer_identity = "serviceAccount:sink@gcp-sa-logging.iam.gserviceaccount.com" }
  }
  mock_resource "google_service_account" {
    defaults = {
      email  = "an-account@example-operations.iam.gserviceaccount.com"
      member = "serviceAccount:an-account@example-operations.iam.gserviceaccount.com"
      name   = "projects/example-operations/serviceAccounts/an-account@example-operations.iam.gserviceaccount.com"
    }
  }
}
mock_provider "time" {}

variables {
  operations_project = "example-operations"
  pager_channels     = { oncall = { type = "email", labels = { email_address = "oncall@example.com" } } }
  policies           = ["../policies/cvplus.yaml"]
  region             = "us-east1"

  secrets = { # of the test account that the probes sign in as
    rollback-probe-key      = { readers = ["on_clock", "on_deployment", "on_work"] }
    rollback-probe-password = { readers = ["on_clock", "on_deployment", "on_work"] }
  }
}

# Each run breaks every variable in another way, and expects the refusal of each.
run "values_that_cannot_work" {
  command = plan

  variables {
    alert_severities        = ["URGENT"]
    application_databases   = { another = {} }
    application_images      = { another = {} }
    audit_bucket            = { location = "US", retention_days = 0 }
    billing_account         = "012345-6789ab-CDEF01"
    budget_amount           = 0
    clock_regions           = ["us-east1", "us-east1"]
    command_publishers      = ["allUsers"]
    console                 = { invokers = ["allAuthenticatedUsers"] }
    dead_man_url            = "http://switch.example.com"
    deployment_publishers   = ["allUsers"]
    existing_pager_channels = ["pagerduty"]
    health_channels         = { chat = { type = "slack", labels = {} } }
    identity_project        = "Short"
    labels                  = { Owner = "operations" }
    letter_keepers          = ["oncall@example.com"]
    override_publishers     = ["serviceAccount:ci-deploy@example.iam.gserviceaccount.com"]
    pager_channels          = { chat = { type = "slack", labels = {} } }
    region                  = "US"
    runtime_accounts        = { another = [] }
    secrets                 = { "rollback.chat" = { readers = [] } }
    state_location          = "us-east1"
    state_readers           = ["allUsers"]
    status_page             = "nam5"
    templates               = ["../policies/cvplus.yaml"]
    uptime_regions          = ["EUROPE", "USA_IOWA"]
    viewers                 = ["allUsers"]
  }

  expect_failures = [
    var.alert_severities, var.application_databases, var.application_images, var.audit_bucket, var.billing_account,
    var.budget_amount, var.clock_regions, var.command_publishers, var.console, var.dead_man_url,
    var.deployment_publishers, var.existing_pager_channels, var.health_channels, var.identity_project,
    var.labels, var.letter_keepers, var.override_publishers, var.pager_channels, var.region, var.runtime_accounts,
    var.secrets, var.state_location, var.state_readers, var.status_page, var.templates, var.uptime_regions, var.viewers,
  ]
}

run "values_just_beyond_their_limits" {
  command = plan

  variables {
    application_databases = { cvplus = { daily_days = 99 } }
    application_images    = { cvplus = { days = 0 } }
    audit_bucket          = { location = "US", retention_days = 3651 }
    budget_amount         = 1.5
    clock_regions         = ["us-east1"]
    health_channels       = { team = { type = "sms", labels = { email_address = "team@example.com" } } }
    identity_project      = "a-name-of-thirty-one-characters"
    kept                  = { values_kms_key = "projects/keys/locations/us/keyRings/rollback/cryptoKeys/values" }
    operations_project    = "short"
    pager_channels        = { oncall = { type = "sms", labels = { email_address = "oncall@example.com" } } }
    quarantine            = { days = 0 }
    runtime_accounts      = { cvplus = ["somebody@example.com"] }
    uptime_regions        = ["EUROPE", "USA_IOWA", "MARS"]
  }

  expect_failures = [
    var.application_databases, var.application_images, var.audit_bucket, var.budget_amount, var.clock_regions,
    var.health_channels, var.identity_project, var.kept, var.operations_project,
    var.pager_channels, var.quarantine, var.runtime_accounts, var.uptime_regions,
  ]
}

run "places_that_do_not_fit" {
  command = plan

  variables {
    audit_bucket            = { location = "nam5" }
    clock_regions           = ["us-east1", "EU"]
    existing_pager_channels = ["projects/cvplus/notificationChannels/7"]
    exports                 = { cvplus = { database_location = "nam5", second = { location = "us-east1" } } }
    kept                    = { location = "Mars" }
    quarantine              = { location = "nam5" }
    state_kms_key           = "projects/keys/locations/europe/keyRings/rollback/cryptoKeys/state"
  }

  expect_failures = [
    var.audit_bucket, var.clock_regions, var.existing_pager_channels, var.exports, var.kept,
    var.quarantine, var.state_kms_key,
  ]
}

run "exports_of_a_system_that_is_not_there" {
  command = plan

  variables {
    application_databases = { cvplus = { adopt_location = "nam7" } }
    exports               = { another = { database_location = "nam5" } }
    quarantine            = { days = 31 }
  }

  expect_failures = [var.exports, var.quarantine]
}

run "exports_elsewhere_than_the_database" {
  command = plan

  variables {
    application_databases = { cvplus = { adopt_location = "nam7" } }
    exports               = { cvplus = { database_location = "nam5" } }
  }

  expect_failures = [var.exports]
}

run "exports_in_regions_of_two_continents" {
  command = plan

  variables {
    exports = { cvplus = { database_location = "nam5", dual_region = ["us-east1", "europe-west1"] } }
  }

  expect_failures = [var.exports]
}

run "values_just_below_their_limits" {
  command = plan

  variables {
    application_images = { cvplus = { newest = 0 } }
    dead_man_url       = "https://"
    exports            = { cvplus = { database_location = "nam5", retention_days = 0 } }
    health_channels    = { team = { type = "email", labels = { email_address = "" } } }
    kept               = { location = "us" }
    labels             = { owner = "Ada" }
    pager_channels     = { oncall = { type = "sms", labels = { number = "" } } }
  }

  expect_failures = [
    var.application_images, var.dead_man_url, var.exports, var.health_channels, var.kept,
    var.labels, var.pager_channels,
  ]
}

run "two_regions_that_are_one" {
  command = plan

  variables {
    exports = { cvplus = { database_location = "nam5", dual_region = ["us-east1", "us-east1"] } }
    labels  = { owner = "sixty-four-characters-are-one-more-than-a-label-may-have-for-it-" }
  }

  expect_failures = [var.exports, var.labels]
}

run "two_regions_of_which_one_is_named" {
  command = plan

  variables {
    exports = { cvplus = { database_location = "nam5", dual_region = ["us-east1"] } }
  }

  expect_failures = [var.exports]
}

run "a_second_place_that_does_not_exist" {
  command = plan

  variables {
    exports = { cvplus = { database_location = "nam5", second = { location = "eu" } } }
  }

  expect_failures = [var.exports]
}

run "a_second_key_that_does_not_fit" {
  command = plan

  variables {
    exports = {
      cvplus = {
        database_location = "nam5"
        second            = { location = "EU", kms_key = "projects/keys/locations/us/keyRings/rollback/cryptoKeys/exports" }
      }
    }
  }

  expect_failures = [var.exports]
}

run "exports_of_a_database_that_is_nowhere" {
  command = plan

  variables {
    exports = { cvplus = { database_location = "us" } }
  }

  expect_failures = [var.exports]
}

run "exports_that_are_stored_too_long" {
  command = plan

  variables {
    exports = { cvplus = { database_location = "nam5", retention_days = 3651 } }
  }

  expect_failures = [var.exports]
}

run "backups_of_less_than_no_days" {
  command = plan

  variables {
    application_databases = { cvplus = { daily_days = -1 } }
  }

  expect_failures = [var.application_databases]
}

run "backups_of_less_than_no_weeks" {
  command = plan

  variables {
    application_databases = { cvplus = { weekly_weeks = -1 } }
  }

  expect_failures = [var.application_databases]
}

run "a_policy_file_that_does_not_exist" {
  command = plan

  variables {
    policies = ["../policies/absent.yaml"]
  }

  expect_failures = [var.policies]
}

run "a_reader_that_is_no_entry_point" {
  command = plan

  variables {
    secrets = {
      rollback-probe-key      = { readers = ["on_clock", "on_deployment", "on_work"] }
      rollback-probe-password = { readers = ["on_clock", "on_deployment", "on_work", "on_sunday"] }
    }
  }

  expect_failures = [google_secret_manager_secret.rollback["rollback-probe-password"]]
}

run "exports_in_two_regions_under_a_key" {
  command = plan

  variables {
    exports = {
      cvplus = {
        database_location = "us-central1"
        dual_region       = ["us-central1", "us-east1"]
        kms_key           = "projects/keys/locations/us/keyRings/rollback/cryptoKeys/exports"
      }
    }
  }

  assert {
    condition     = google_storage_bucket.exports["cvplus"].location == "US" && length(google_storage_bucket.exports["cvplus"].custom_placement_config[0].data_locations) == 2
    error_message = "The bucket lies in both regions."
  }
}

run "backups_that_are_stored_too_long" {
  command = plan

  variables {
    application_databases = { cvplus = { weekly_weeks = 15 } }
  }

  expect_failures = [var.application_databases]
}

run "keys_that_do_not_fit" {
  command = plan

  variables {
    audit_bucket = { location = "EU", kms_key = "projects/keys/locations/us/keyRings/rollback/cryptoKeys/audit" }
    exports      = { cvplus = { database_location = "nam5", kms_key = "projects/keys/locations/nam5/keyRings/rollback/cryptoKeys/exports" } }
    quarantine   = { kms_key = "quarantine" }
  }

  expect_failures = [var.audit_bucket, var.exports, var.quarantine]
}

run "a_database_that_is_nowhere" {
  command = plan

  variables {
    application_databases = { cvplus = { adopt_location = "US" } }
  }

  expect_failures = [var.application_databases]
}

run "no_policy" {
  command = plan

  variables {
    policies = []
  }

  expect_failures = [var.policies]
}

run "values_at_their_limits" {
  command = plan

  variables {
    alert_severities      = []
    application_databases = { cvplus = { daily_days = 98, weekly_weeks = 14, adopt_location = "nam7" } }
    application_images    = { cvplus = { days = 1, newest = 1 } }
    audit_bucket          = { location = "US", retention_days = 3650, kms_key = "projects/keys/locations/us/keyRings/rollback/cryptoKeys/audit" }
    billing_account       = "012345-6789AB-CDEF01"
    budget_amount         = 1
    clock_regions         = ["us-east1", "us-west1"]
    console               = { invokers = ["allUsers"] }
    exports               = { cvplus = { database_location = "nam7", retention_days = 1, second = { location = "EU" } } }
    identity_project      = "thirty-characters-are-the-most"
    labels                = { a = "" }
    override_publishers   = ["group:commanders@example.com"]
    quarantine            = { days = 30, location = "US" }
    secrets = {
      _                       = { readers = [] }
      rollback-probe-key      = { readers = ["on_clock", "on_deployment", "on_work"] }
      rollback-probe-password = { readers = ["on_clock", "on_deployment", "on_work"] }
    }
    state_kms_key  = "projects/keys/locations/europe/keyRings/rollback/cryptoKeys/state"
    state_location = "eur3"
    uptime_checks  = true
    uptime_regions = ["ASIA_PACIFIC", "EUROPE", "SOUTH_AMERICA"]
  }

  assert {
    condition     = google_storage_bucket.exports["cvplus-second"].location == "EU"
    error_message = "The second bucket lies in another continent."
  }
}

run "values_at_their_other_limits" {
  command = plan

  variables {
    application_databases = { cvplus = { daily_days = 0, weekly_weeks = 0 } }
    application_images    = { cvplus = { days = 60, newest = 1 } }
    audit_bucket          = { location = "europe-west1", retention_days = 1 }
    dead_man_url          = "https://s"
    exports = {
      cvplus = {
        database_location = "us-central1"
        retention_days    = 3650
        second            = { location = "EU", kms_key = "projects/keys/locations/europe/keyRings/rollback/cryptoKeys/exports" }
      }
    }
    health_alerts    = true
    health_channels  = { team = { type = "sms", labels = { number = "+1" } } }
    identity_project = "six-ch"
    kept = {
      location        = "EU"
      sources_kms_key = "projects/keys/locations/europe/keyRings/rollback/cryptoKeys/sources"
      values_kms_key  = "projects/keys/locations/europe/keyRings/rollback/cryptoKeys/values"
    }
    labels             = { owner = "sixty-three-characters-are-the-most-that-a-label-may-have-here-" }
    operations_project = "six-ch"
    pager_channels     = { oncall = { type = "sms", labels = { number = "+1" } } }
    quarantine         = { days = 1 }
  }

  assert {
    condition     = length(google_firestore_backup_schedule.applications_daily) + length(google_firestore_backup_schedule.applications_weekly) == 0
    error_message = "0 days and 0 weeks: no schedule."
  }
}
