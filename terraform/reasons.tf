# Why each grant is there, by the address of its resource; where one resource holds several, by address
# and member, or by address, role and member. docs/security.md prints them.

locals {
  reasons = merge(
    {
      # The build would otherwise run as the compute account, an editor of everything.
      "google_artifact_registry_repository_iam_member.build" = "The build keeps the image."
      "google_project_iam_member.build_logs"                 = "The build says what it does."
      "google_project_iam_member.build_sources"              = "The build reads the copy of the source that Cloud Functions makes for it."

      "google_cloud_run_v2_service_iam_member.push"     = "Pub/Sub's pushes get in, on the Cloud Run service that carries the function's name; and nobody else, not even us."
      "google_cloud_run_v2_service_iam_member.console"  = "Operators' browsers get in, by themselves or through gcloud's proxy, as far as the page of signing in."
      "google_service_account_iam_member.console_signs" = "The console signs as itself what operators say; as nobody else."

      "google_service_account_iam_member.push_identity" = "Pub/Sub signs its pushes as the one account that gets in; agents from before 2021-04-08 may not by themselves."

      "google_kms_crypto_key_iam_member.buckets" = "Cloud Storage's agent encrypts with the key, before there is a bucket that wants it."
      "google_kms_crypto_key_iam_member.state"   = "Firestore's agent encrypts with the key, before there is a database that wants it."

      "google_project_iam_audit_config.access"   = "Who looked at a secret or a backup is told."
      "google_project_iam_binding.state_readers" = "CI sees whether a rollback is under way; people see what became of it. In this one database."
      "google_project_iam_binding.users"         = "Whoever carries out commands, and the console, see whether the speaker is disabled or the token revoked."
      "google_project_iam_binding.viewers"       = "doctor looks at how the responders are set up, and at what they look at."
      "google_service_account_iam_member.act_as" = "Cloud Run asks whoever shifts a service's traffic to be allowed to act as the account that it runs as."

      "google_pubsub_subscription_iam_member.given_up"             = "Pub/Sub acknowledges what it has moved to the dead letters."
      "google_pubsub_subscription_iam_binding.letters_from"        = "Which topic a given-up letter came from, its subscription tells whoever replays."
      "google_pubsub_subscription_iam_binding.letters_kept"        = "Whoever replays takes the letters out."
      "google_pubsub_topic_iam_member.changes"                     = "Each sink writes its hints with an identity of its own."
      "google_pubsub_topic_iam_member.findings"                    = "Security Command Center of the application's project says there what it has found."
      "google_pubsub_topic_iam_member.monitoring_publishes_alerts" = "Cloud Monitoring of the application's project says there what it has seen, and nothing else."
      "google_pubsub_topic_iam_member.override"                    = "Commands without a token, on the day when sign-in is down."
      "google_pubsub_topic_iam_member.regeneration"                = "The worker asks the application to make data again, at a person's word, on the topics that its policy declares."
      "google_pubsub_topic_iam_member.replayed_alerts"             = "Dead letters go back where they came from."

      "google_secret_manager_secret_iam_binding.readers" = "Whoever needs the value reads it, and nobody else."
    },
    {
      for key, role in local.application_roles : "google_project_iam_binding.applications[\"${key}\"]" => join("; ", distinct([
        for grant in local.application_grants : grant.reason if grant.project == role.project && grant.role == role.role
      ]))
    },
    {
      for entry_point, responder in local.responders :
      "google_project_iam_binding.state ${google_service_account.responders[entry_point].member}" => responder.roles.state
    },
    {
      for key, reasons in {
        for grant in local.topic_grants : "google_pubsub_topic_iam_binding.publishers[\"${grant.topic}\"] ${grant.member}" => grant.reason...
      } : key => join("; ", distinct(reasons))
    },
    {
      for key, reasons in {
        for grant in local.bucket_grants :
        "google_storage_bucket_iam_policy.buckets[\"${grant.bucket}\"] ${trimprefix(grant.role, "roles/")} ${grant.member}" => grant.reason...
      } : key => join("; ", distinct(reasons))
    },
  )
}
