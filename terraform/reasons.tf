# Why each grant is there, by the address of its resource; where one resource holds several, by address
# and member, or by address, role and member. docs/security.md prints them.

locals {
  reasons = merge(
    {
      # The build would otherwise run as the compute account, an editor of everything.
      "google_artifact_registry_repository_iam_member.build" = "The build stores the image."
      "google_project_iam_member.build_logs"                 = "The build writes its log."
      "google_project_iam_member.build_sources"              = "The build reads the copy of the source that Cloud Functions makes for it."

      "google_cloud_run_v2_service_iam_member.push"     = "Pub/Sub pushes messages to the Cloud Run service of the function; nobody else may call it."
      "google_cloud_run_v2_service_iam_member.console"  = "Browsers of operators reach the sign-in page, directly or through the proxy of gcloud."
      "google_service_account_iam_member.console_signs" = "The console signs the commands of operators as itself, and as no other account."

      "google_service_account_iam_member.push_identity" = "Pub/Sub signs its pushes as the one account that may call the functions; agents from before 2021-04-08 need this grant."

      "google_kms_crypto_key_iam_member.buckets" = "Cloud Storage's agent encrypts with the key; it needs the grant before the bucket exists."
      "google_kms_crypto_key_iam_member.state"   = "Firestore's agent encrypts with the key; it needs the grant before the database exists."

      "google_project_iam_audit_config.access"   = "The audit log records who read a secret or a backup."
      "google_project_iam_binding.state_readers" = "CI reads whether a rollback is in progress, and people read its result; in this one database."
      "google_project_iam_binding.users"         = "on_command and the console check whether the operator is disabled or the token revoked."
      "google_project_iam_binding.viewers"       = "doctor reads the configuration of the responders and of the application."
      "google_service_account_iam_member.act_as" = "Cloud Run requires it of an account that shifts the traffic of a service: to act as the runtime account."

      "google_pubsub_subscription_iam_member.given_up"             = "Pub/Sub acknowledges the messages that it has moved to the dead-letter topic."
      "google_pubsub_subscription_iam_binding.letters_from"        = "An operator who replays a message reads its topic from the subscription."
      "google_pubsub_subscription_iam_binding.letters_kept"        = "An operator who replays messages takes them from the dead-letter subscription."
      "google_pubsub_topic_iam_member.changes"                     = "Each log sink publishes its hints with an identity that is known after the apply. The role has the permission of roles/pubsub.publisher: the binding of that role on this topic lists all members, and would remove the sink."
      "google_pubsub_topic_iam_member.findings"                    = "Security Command Center of the application's project publishes its findings."
      "google_pubsub_topic_iam_member.monitoring_publishes_alerts" = "Cloud Monitoring of the application's project publishes its alerts."
      "google_pubsub_topic_iam_member.override"                    = "Administrators publish commands without a token while sign-in is down."
      "google_pubsub_topic_iam_member.regeneration"                = "on_work requests the application to regenerate data, by the command regenerate or after a repair, on the topics of its policy."
      "google_pubsub_topic_iam_member.replayed_alerts"             = "An operator replays a dead-letter message to its topic."

      "google_secret_manager_secret_iam_binding.readers" = "Only the responders that need the value read it."
    },
    {
      for key, role in local.application_roles : "google_project_iam_binding.applications[\"${key}\"]" => join("; ", distinct([
        for grant in local.application_grants : grant.reason if grant.project == role.project && grant.role == role.role
      ]))
    },
    {
      for key, reasons in {
        for entry_point, responder in local.responders :
        "google_project_iam_binding.state ${google_service_account.responders[entry_point].member}" => responder.roles.state...
      } : key => join("; ", distinct(reasons))
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
