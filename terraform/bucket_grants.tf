# What is granted in each bucket, and nothing else: a policy takes the place of what Cloud Storage gives
# viewers and editors of the project with each new bucket, which is to read objects, and to give that to
# anybody (cloud.google.com/storage/docs/access-control/iam-roles, read 2026-11). Owners of the project
# could give themselves anything, so they keep it; whoever applies is one of them.
locals {
  granted_buckets = merge(
    google_storage_bucket.audit,
    google_storage_bucket.kept,
    google_storage_bucket.quarantine,
    { policies = google_storage_bucket.policies, source = google_storage_bucket.source },
    { for bucket in values(google_storage_bucket.status) : "status" => bucket },
    { for key, bucket in google_storage_bucket.exports : "exports-${key}" => bucket },
  )
  reads_one_object = "roles/storage.legacyObjectReader" # exactly storage.objects.get

  responder_bucket_grants = flatten([
    for entry_point, responder in local.responders : [
      for bucket, roles in merge(try(responder.buckets, {}), { policies = { read_objects = "reads the policies in force" } }) : [
        for role, reason in roles : { bucket = bucket, role = role, member = google_service_account.responders[entry_point].member, reason = reason }
      ] if contains(keys(local.granted_buckets), bucket)
    ]
  ])

  bucket_grants = concat(
    local.responder_bucket_grants,
    [
      for pair in setproduct(contains(keys(local.granted_buckets), "audit") ? ["audit", "policies"] : ["policies"], concat(tolist(var.viewers), values(google_service_account.console)[*].member)) : {
        bucket = pair[0]
        role   = "read_objects"
        member = pair[1]
        reason = pair[0] == "audit" ? "Whoever checks the audit chains compares them with their heads." : "The command line previews rollbacks, and the console shows systems, by the policies in force."
      }
    ],
    [{
      bucket = "source"
      role   = "roles/storage.objectViewer"
      member = google_service_account.build.member
      reason = "The build reads the source itself."
    }],
    [
      for project in setsubtract(local.applications, [var.operations_project]) : {
        bucket = "sources"
        role   = local.reads_one_object
        member = "serviceAccount:service-${data.google_project.every[project].number}@gcf-admin-robot.iam.gserviceaccount.com"
        reason = "A function that is built again is read by Functions' agent of its own project, which has no rights in ours."
      }
    ],
    [
      # Firestore's agent asks for the bucket as well: scripts in use give it roles/storage.admin there
      # (cloud.google.com/firestore/docs/manage-data/export-import, read 2026-11-25).
      for system in keys(var.exports) : {
        bucket = "exports-${system}"
        role   = "roles/storage.admin"
        member = var.exports[system].app_engine_agent ? "serviceAccount:${local.policies[system].project}@appspot.gserviceaccount.com" : "serviceAccount:service-${data.google_project.every[local.policies[system].project].number}@gcp-sa-firestore.iam.gserviceaccount.com"
        reason = "Firestore's agent of the application's project writes the export that on_clock asks for."
      }
    ],
    [
      # Of Google's roles the one that cannot list. It goes on a bucket alone, not on a folder in it, so
      # the bucket holds nothing else.
      for bucket in values(google_storage_bucket.status) : {
        bucket = "status"
        role   = local.reads_one_object
        member = "allUsers"
        reason = "Everybody reads the status pages, which is all that is there, and cannot list them."
      }
    ],
    [
      for pair in setproduct(keys(local.granted_buckets), ["legacyBucketOwner", "legacyObjectOwner", "legacyObjectReader"]) : {
        bucket = pair[0]
        role   = "roles/storage.${pair[1]}"
        member = "projectOwner:${var.operations_project}"
        reason = "Owners of the project could give themselves anything; editors and viewers lose it."
      }
    ],
  )

  bucket_bindings = {
    for bucket in keys(local.granted_buckets) : bucket => {
      for grant in local.bucket_grants : grant.role => grant.member... if grant.bucket == bucket
    }
  }
}

resource "google_storage_bucket_iam_policy" "buckets" {
  for_each = local.granted_buckets

  bucket = each.value.name
  policy_data = jsonencode({
    bindings = [
      for role, members in local.bucket_bindings[each.key] : {
        role    = startswith(role, "roles/") ? role : "projects/${var.operations_project}/roles/${google_project_iam_custom_role.operations[role].role_id}"
        members = sort(distinct(members))
      }
    ]
  })

  # Functions' and Firestore's agents of other projects are there once their APIs are on.
  depends_on = [google_project_service.operations, google_project_service.others]
}
