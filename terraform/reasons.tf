# Why each grant is there, by the name of its resource. Where one resource makes many, each of them
# has the reason that stands beside it in the responders.

locals {
  reasons = merge(
    {
      # The build would otherwise run as the compute account, an editor of everything.
      "google_artifact_registry_repository_iam_member.build" = "The build keeps the image."
      "google_project_iam_member.build_logs"                 = "The build says what it does."
      "google_project_iam_member.build_sources"              = "The build reads the copy of the source that Cloud Functions makes for it."
      "google_storage_bucket_iam_member.build"               = "The build reads the source itself."

      "google_cloud_run_v2_service_iam_member.push"       = "Pub/Sub's pushes get in, on the Cloud Run service that carries the function's name; and nobody else, not even us."
      "google_cloud_run_v2_service_iam_member.console"    = "Operators' browsers get in, by themselves or through gcloud's proxy, as far as the page of signing in."
      "google_project_iam_member.console_reads"           = "The console shows what is kept. In this one database."
      "google_project_iam_member.console_users"           = "The console sees whether whoever has signed in is disabled or revoked."
      "google_pubsub_topic_iam_member.console"            = "What operators say at the console is a command like any other."
      "google_service_account_iam_member.console_signs"   = "The console signs as itself what operators say; as nobody else."
      "google_storage_bucket_iam_member.console_heads"    = "The console verifies audit chains against their heads."
      "google_storage_bucket_iam_member.console_policies" = "The console shows systems by the policies in force."

      "google_service_account_iam_member.push_identity" = "Pub/Sub signs its pushes as the one account that gets in; agents from before 2021-04-08 may not by themselves."

      "google_kms_crypto_key_iam_member.buckets" = "Cloud Storage's agent encrypts with the key, before there is a bucket that wants it."
      "google_kms_crypto_key_iam_member.state"   = "Firestore's agent encrypts with the key, before there is a database that wants it."

      "google_project_iam_audit_config.access"            = "Who looked at a secret or a backup is told."
      "google_project_iam_member.state_readers"           = "CI sees whether a rollback is under way; people see what became of it. In this one database."
      "google_project_iam_member.users"                   = "Whoever carries out commands sees whether the speaker is disabled or the token revoked."
      "google_project_iam_member.viewers"                 = "doctor looks at how the responders are set up."
      "google_project_iam_member.viewers_of_applications" = "doctor looks at what the responders look at."
      "google_project_iam_member.viewers_of_identity"     = "doctor looks whether people can be looked up."
      "google_service_account_iam_member.act_as"          = "Cloud Run asks whoever shifts a service's traffic to be allowed to act as the account that it runs as."
      "google_storage_bucket_iam_member.exporters"        = "Firestore's agent of the application's project writes the export that on_clock asks for."
      "google_storage_bucket_iam_binding.owners"          = "Owners of the project could give themselves anything; the role must have somebody, and editors and viewers are to lose it."
      "google_storage_bucket_iam_binding.values_reader"   = "The worker alone reads values of variables, to build a function again; viewers of the project lose it."
      "google_storage_bucket_iam_member.heads"            = "Whoever checks the audit chains compares them with their heads."
      "google_storage_bucket_iam_member.policies"         = "The command line previews rollbacks by the policies in force."
      "google_storage_bucket_iam_member.public"           = "Everybody reads the status pages, which is all that is there, and cannot list them."
      "google_storage_bucket_iam_member.rebuilders"       = "Functions' agent of the application's project reads the copy that a function is built of again."

      "google_pubsub_subscription_iam_member.given_up"             = "Pub/Sub acknowledges what it has moved to the dead letters."
      "google_pubsub_subscription_iam_member.letters_from"         = "Which topic a given-up letter came from, its subscription tells whoever replays."
      "google_pubsub_subscription_iam_member.letters_kept"         = "Whoever replays takes the letters out."
      "google_pubsub_topic_iam_member.changes"                     = "Each sink writes its hints with an identity of its own."
      "google_pubsub_topic_iam_member.clock"                       = "Scheduler's agent ticks; it has this by a role on the whole project, unless the organisation took it away."
      "google_pubsub_topic_iam_member.findings"                    = "Security Command Center of the application's project says there what it has found."
      "google_pubsub_topic_iam_member.given_up"                    = "Pub/Sub moves to the dead letters what was not acknowledged in all its attempts."
      "google_pubsub_topic_iam_member.monitoring_publishes_alerts" = "Cloud Monitoring of the application's project says there what it has seen, and nothing else."
      "google_pubsub_topic_iam_member.people"                      = "People and CI speak, each on the one topic that is theirs."
      "google_pubsub_topic_iam_member.regeneration"                = "The worker asks the application to make data again, at a person's word, on the topics that its policy declares."
      "google_pubsub_topic_iam_member.replay"                      = "Dead letters go back where they came from, but never to where a message alone is an order."

      "google_secret_manager_secret_iam_member.readers" = "Whoever needs the value reads it, and nobody else."
    },
    { for key, grant in local.application_grants : "google_project_iam_member.applications[\"${key}\"]" => grant.reason },
    { for entry_point, responder in local.responders : "google_project_iam_member.state[\"${entry_point}\"]" => responder.roles.state },
    { for key, grant in local.bucket_grants : "google_storage_bucket_iam_member.responders[\"${key}\"]" => grant.reason },
    { for key, grant in local.publish_grants : "google_pubsub_topic_iam_member.responders[\"${key}\"]" => grant.reason },
  )
}
