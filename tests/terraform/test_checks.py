import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.terraform import checks
from tests.terraform.checks import findings, grants, members
from tests.terraform.conftest import TERRAFORM
from tests.terraform.evaluator.evaluator import Configuration
from tests.terraform.module.minimal_variables import smallest_module

Mistake = Callable[[Configuration], None]


def test_nothing_is_found_in_the_examples(example: Configuration) -> None:
    """Every check holds for each example."""
    assert findings(example) == []


def without(*addresses: str) -> Mistake:
    """Some resources were forgotten."""

    def mistake(configuration: Configuration) -> None:
        for address in addresses:
            configuration.resources.remove(configuration.named(address))

    return mistake


def lacking(address: str, argument: str) -> Mistake:
    """An argument was forgotten."""

    def mistake(configuration: Configuration) -> None:
        del configuration.named(address).values[argument]

    return mistake


def saying(address: str, *path: Any, value: Any) -> Mistake:
    """An argument has another value."""

    def mistake(configuration: Configuration) -> None:
        place: Any = configuration.named(address).values
        for step in path[:-1]:
            place = place[step]
        place[path[-1]] = value

    return mistake


def unordered(address: str) -> Mistake:
    """What a resource waits for was forgotten."""

    def mistake(configuration: Configuration) -> None:
        configuration.named(address).depends_on = ()

    return mistake


def lifting(address: str) -> Mistake:
    """What an apply leaves alone was forgotten."""

    def mistake(configuration: Configuration) -> None:
        configuration.named(address).ignored = ()

    return mistake


def granting(bucket: str, role: str, member: str) -> Mistake:
    """Somebody has a role in a bucket that is nothing for them."""

    def mistake(configuration: Configuration) -> None:
        policy = configuration.named(BUCKET.format(bucket)).values
        bindings = json.loads(policy["policy_data"])["bindings"]
        policy["policy_data"] = json.dumps({"bindings": [*bindings, {"role": role, "members": [member]}]})

    return mistake


FUNCTION = 'google_cloudfunctions2_function.responders["{}"]'
PUBLISHERS = 'google_pubsub_topic_iam_binding.publishers["{}"]'
INVOKER = 'google_cloud_run_v2_service_iam_member.push["{}"]'
AUDIT = 'google_storage_bucket.audit["audit"]'
BUCKET = 'google_storage_bucket_iam_policy.buckets["{}"]'
PUSH = 'google_pubsub_subscription.push["{}"]'
TOPIC = 'google_pubsub_topic.rollback["{}"]'
SINK = 'google_logging_project_sink.changes["cvplus"]'
MISTAKES: dict[str, list[Mistake]] = {
    "topic_without_publisher": [without(PUBLISHERS.format("rollback-commands"))],
    "source_without_grant": [
        without(PUBLISHERS.format("rollback-clock")),
        without('google_pubsub_topic_iam_member.changes["cvplus"]'),
    ],
    "subscription_that_loses": [
        lacking(PUSH.format("rollback-work"), "dead_letter_policy"),
        lacking(PUSH.format("rollback-alerts"), "expiration_policy"),
        without("google_pubsub_subscription.letters_kept"),
    ],
    "letters_that_cannot_move": [
        without(PUBLISHERS.format("rollback-dead-letters")),
        without('google_pubsub_subscription_iam_member.given_up["rollback-work"]'),
    ],
    "push_that_is_refused": [
        without(INVOKER.format("on_alert")),
        saying(
            PUSH.format("rollback-work"),
            "push_config",
            0,
            "push_endpoint",
            value="https://rollback-on-work-europe-west3.a.run.app",
        ),
    ],
    "sink_of_our_own_changes": [
        saying(SINK, "exclusions", value=[]),
        saying(SINK, "exclusions", 0, "filter", value='principalEmail="rollback-on-work"'),
        saying(SINK, "exclusions", 1, "filter", value='resourceName:"/rollback-on-work"'),
    ],
    "schema_on_what_google_writes": [
        saying(TOPIC.format("rollback-alerts"), "schema_settings", value=[{"schema": "any"}]),
        saying(TOPIC.format("rollback-deployments"), "schema_settings", value=[{"schema": "any"}]),
    ],
    "basic_role": [saying("google_project_iam_member.build_logs", "role", value="roles/editor")],
    "open_to_everybody": [
        saying(INVOKER.format("on_work"), "member", value="allUsers"),
        granting("status", "roles/storage.objectViewer", "allUsers"),
        granting("audit", "roles/storage.legacyObjectReader", "allUsers"),
        saying(AUDIT, "public_access_prevention", value="inherited"),
        saying(FUNCTION.format("on_alert"), "service_config", 0, "ingress_settings", value="ALLOW_ALL"),
    ],
    "readable_by_the_project": [
        without(BUCKET.format("values")),
        granting(
            "exports-bookshop-second", "roles/storage.legacyObjectReader", "projectViewer:example-operations"
        ),
    ],
    "shared_account": [
        saying(
            FUNCTION.format("on_alert"),
            "service_config",
            0,
            "service_account_email",
            value="rollback-on-work@example-operations.iam.gserviceaccount.com",
        )
    ],
    "too_much_at_once": [
        saying(FUNCTION.format("on_work"), "service_config", 0, "max_instance_request_concurrency", value=2),
        saying(FUNCTION.format("on_alert"), "service_config", 0, "available_cpu", value="0.5"),
    ],
    "key_without_grant": [
        without('google_kms_crypto_key_iam_member.buckets["audit"]'),
        unordered(AUDIT),
        unordered("google_firestore_database.state"),
    ],
    "stop_that_is_lifted": [
        lifting('google_service_account.responders["on_work"]'),
        lifting(PUSH.format("rollback-work")),
    ],
    "unconfined_state": [lacking("google_project_iam_binding.state", "condition")],
}


@pytest.mark.parametrize(
    ("check", "mistake"), [(check, mistake) for check in MISTAKES for mistake in MISTAKES[check]]
)
def test_a_mistake_is_found(check: str, mistake: Mistake, two_projects: Configuration) -> None:
    """By the check that it is meant for."""
    mistake(two_projects)

    assert check in {one.partition(":")[0] for one in findings(two_projects)}


def test_a_subscription_that_is_made_anew_gets_its_grants_again() -> None:
    """To lift the emergency stop replaces it, and Google forgets the grants on the old one."""
    written = (TERRAFORM / "subscriptions.tf").read_text()

    for name in ("_member.given_up", "_binding.letters_from"):
        kind, _, name = f"google_pubsub_subscription_iam{name}".partition(".")
        _, _, grant = written.partition(f'resource "{kind}" "{name}"')
        again = "replace_triggered_by = [google_pubsub_subscription.push[each.key].id]"
        assert again in grant.partition("\n}\n")[0]


def test_exports_are_written_by_the_account_that_firestore_acts_as() -> None:
    """Its own agent, or the App Engine account where an older project was never migrated."""
    exports = {"cvplus": {"database_location": "nam5", "app_engine_agent": True}}

    made = smallest_module(exports=exports)

    [writes] = [one for one in grants(made) if one.values["role"] == "roles/storage.admin"]
    assert members(writes) == ["serviceAccount:cvplus@appspot.gserviceaccount.com"]


def test_no_function_is_built_before_its_grants_have_spread(example: Configuration) -> None:
    """Of the responders and of the console."""
    [sleep] = example.of("time_sleep", name="build_granted")

    assert "google_artifact_registry_repository_iam_member.build" in sleep.depends_on
    assert {"time_sleep.build_granted"} <= {
        awaited for one in example.of("google_cloudfunctions2_function") for awaited in one.depends_on
    }


def test_an_application_s_own_function_is_found(two_projects: Configuration) -> None:
    """Whatever a rollback changes must not be in the state that an apply restores."""
    two_projects.named(FUNCTION.format("on_alert")).name = "application"

    assert [one.partition(":")[0] for one in findings(two_projects)] == ["application_that_is_managed"]


def test_an_apply_during_an_incident_undoes_no_rollback(two_projects: Configuration) -> None:
    """Nothing that a rollback changes is managed: no function, service, traffic, site or rule.

    All that stands in an application's project, or in the one where people sign in.
    """
    theirs = {"bookshop-prod", "cvplus", "example-people"}

    found = {one.type for one in two_projects.resources if one.values.get("project") in theirs}

    assert found == {
        "google_artifact_registry_repository",  # how its images are cleaned up
        "google_firestore_backup_schedule",
        "google_firestore_database",  # its point-in-time recovery, once it was adopted
        "google_logging_metric",
        "google_logging_project_sink",
        "google_monitoring_alert_policy",
        "google_monitoring_custom_service",
        "google_monitoring_dashboard",
        "google_monitoring_notification_channel",
        "google_monitoring_slo",
        "google_monitoring_uptime_check_config",
        "google_project_iam_audit_config",
        "google_project_iam_binding",
        "google_project_iam_custom_role",
        "google_project_service",
        "google_pubsub_topic_iam_member",  # who asks for data to be made again
    }


def test_an_adopted_database_keeps_what_a_person_changed(two_projects: Configuration) -> None:
    """Of the application's own only its point-in-time recovery is ours."""
    [adopted] = two_projects.of("google_firestore_database", name="applications")

    assert set(adopted.values) - {*adopted.ignored} == {
        "deletion_policy",
        "location_id",
        "name",
        "point_in_time_recovery_enablement",
        "project",
    }


def test_the_last_deployments_keep_their_images(two_projects: Configuration) -> None:
    """Runbook: "Last 30 deployments maintained with instant access".

    Firebase's CLI finds its own policy and sets none; nothing else of the repository is managed,
    and no destroy deletes it.
    """
    every = two_projects.of("google_artifact_registry_repository", name="applications")
    kept = {one.values["project"]: one for one in every}

    assert {*kept} == {"bookshop-prod", "cvplus"}
    ages = {}
    for project, one in kept.items():
        deletes, keeps = one.values["cleanup_policies"]
        assert (deletes["id"], deletes["action"]) == ("firebase-functions-cleanup", "DELETE")
        assert (keeps["action"], keeps["most_recent_versions"][0]["keep_count"]) == ("KEEP", 30)
        assert (one.values["repository_id"], one.values["deletion_policy"]) == ("gcf-artifacts", "ABANDON")
        assert {"description", "labels"} <= {*one.ignored}
        ages[project] = deletes["condition"][0]["older_than"]
    assert ages == {"bookshop-prod": "7776000s", "cvplus": "5184000s"}


def test_an_application_has_the_apis_that_the_responders_ask(two_projects: Configuration) -> None:
    """Of what its policy names, and no other; none of the operations project's."""
    services: dict[str, set[str]] = {}
    for one in two_projects.of("google_project_service", name="others"):
        name = one.values["service"].removesuffix(".googleapis.com")
        services.setdefault(one.values["project"], set()).add(name)

    always = {
        *("artifactregistry", "cloudfunctions", "cloudresourcemanager"),
        *("iam", "logging", "monitoring", "run"),
    }
    assert services == {
        "bookshop-prod": always | {"eventarc", "firebasehosting", "firebaserules", "firestore"},
        "cvplus": always
        | {
            "cloudscheduler",
            "eventarc",
            "firebasehosting",
            "firebaseremoteconfig",
            "firebaserules",
            "firestore",
            "identitytoolkit",
            "pubsub",
            "secretmanager",
            "storage",
        },
        "example-people": {"iam", "identitytoolkit"},
    }


def test_who_looks_at_a_backup_or_a_secret_is_told(two_projects: Configuration) -> None:
    """In each project; never each read of a document."""
    told = {
        (one.values["project"], one.values["service"].partition(".")[0]): {
            kind["log_type"] for kind in one.values["audit_log_config"]
        }
        for one in two_projects.of("google_project_iam_audit_config")
    }

    for project in ("bookshop-prod", "cvplus", "example-operations"):
        assert told.pop((project, "secretmanager")) == {"ADMIN_READ", "DATA_READ", "DATA_WRITE"}
        assert told.pop((project, "datastore")) == {"ADMIN_READ"}
    assert told == {("example-operations", "storage"): {"DATA_READ", "DATA_WRITE"}}


def test_a_role_that_is_too_broad_is_seen(two_projects: Configuration) -> None:
    """A role of Google's that nobody has measured is none that a responder may have."""
    grant = two_projects.named("google_project_iam_binding.state")
    grant.values["role"] = "roles/datastore.owner"

    with pytest.raises(KeyError):
        checks.permissions(two_projects, "on_alert")
