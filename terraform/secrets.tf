# Containers alone: a value never passes through Terraform, its state or its logs.

locals {
  # What the policies name, as "SECRET READER": channels are spoken through by on_notice; whoever
  # asks a probe that signs in reads its two. The clock asks only those that name a signal.
  asked_secrets = toset(flatten([
    for policy in values(local.policies) : [
      [for channel in try(policy.channels, []) : "${channel.secret} on_notice" if try(channel.secret, null) != null],
      [
        for probe in try(policy.probes, []) : [
          for pair in setproduct(
            [probe.sign_in.password_secret, probe.sign_in.api_key_secret],
            concat(["on_deployment", "on_work"], try(probe.signal, null) == null ? [] : ["on_clock"]),
          ) : join(" ", pair)
        ] if try(probe.sign_in, null) != null
      ],
    ]
  ]))
  read_secrets = toset(flatten([
    for name, secret in var.secrets : [for reader in secret.readers : "${name} ${reader}"]
  ]))
}

resource "google_secret_manager_secret" "rollback" {
  for_each = var.secrets

  project             = var.operations_project
  secret_id           = each.key
  labels              = var.labels
  deletion_protection = true

  replication {
    auto {}
  }

  lifecycle {
    precondition {
      condition     = alltrue([for reader in each.value.readers : contains(keys(local.responders), reader)])
      error_message = "readers of ${each.key} must be entry points: ${join(", ", keys(local.responders))}."
    }
  }

  depends_on = [google_project_service.operations]
}

resource "google_secret_manager_secret_iam_binding" "readers" {
  for_each = { for name, secret in var.secrets : name => secret if length(secret.readers) > 0 }

  project   = var.operations_project
  secret_id = google_secret_manager_secret.rollback[each.key].secret_id
  role      = "roles/secretmanager.secretAccessor" # exactly to read the value of a version
  members   = [for reader in each.value.readers : google_service_account.responders[reader].member]
}

# Terraform warns, and applies all the same: what the secret is for is dead, and nothing else.
check "secrets_are_read" {
  assert {
    condition     = length(setsubtract(local.asked_secrets, local.read_secrets)) == 0
    error_message = "The policies name secrets that nobody here makes, or not for who reads them: ${join(", ", [for pair in sort(tolist(setsubtract(local.asked_secrets, local.read_secrets))) : replace(pair, " ", " for ")])}. A channel or a probe of theirs does nothing: see secrets."
  }
}
