from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.terraform import checks
from tests.terraform.checks import findings
from tests.terraform.evaluator import Configuration

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


FUNCTION = 'google_cloudfunctions2_function.responders["{}"]'
PUBLISHER = 'google_pubsub_topic_iam_member.{}["{} group:oncall@example.com"]'
INVOKER = 'google_cloud_run_v2_service_iam_member.push["{}"]'
AUDIT = 'google_storage_bucket.audit["audit"]'
PUSH = 'google_pubsub_subscription.push["{}"]'
SINK = 'google_logging_project_sink.changes["cvplus"]'
MISTAKES: list[tuple[str, Mistake]] = [
    (
        "topic_without_publisher",
        without(PUBLISHER.format("people", "rollback-commands"),
                PUBLISHER.format("replay", "rollback-commands")),
    ),
    ("source_without_grant", without("google_pubsub_topic_iam_member.clock")),
    ("source_without_grant", without('google_pubsub_topic_iam_member.changes["cvplus"]')),
    ("subscription_that_loses", lacking(PUSH.format("rollback-work"), "dead_letter_policy")),
    ("subscription_that_loses", lacking(PUSH.format("rollback-alerts"), "expiration_policy")),
    ("subscription_that_loses", without("google_pubsub_subscription.letters_kept")),
    ("letters_that_cannot_move", without("google_pubsub_topic_iam_member.given_up")),
    (
        "letters_that_cannot_move",
        without('google_pubsub_subscription_iam_member.given_up["rollback-work"]'),
    ),
    (
        "push_that_is_refused",
        without(INVOKER.format("on_alert")),
    ),
    (
        "push_that_is_refused",
        saying(PUSH.format("rollback-work"), "push_config", 0, "push_endpoint",
               value="https://rollback-on-work-europe-west3.a.run.app"),
    ),
    ("sink_of_our_own_changes", saying(SINK, "exclusions", value=[])),
    (
        "sink_of_our_own_changes",
        saying(SINK, "exclusions", 0, "filter", value='principalEmail="rollback-on-work"'),
    ),
    (
        "schema_on_what_google_writes",
        saying('google_pubsub_topic.rollback["rollback-alerts"]', "schema_settings",
               value=[{"schema": "any", "encoding": "JSON"}]),
    ),
    (
        "schema_on_what_google_writes",
        saying('google_pubsub_topic.rollback["rollback-deployments"]', "schema_settings",
               value=[{"schema": "any", "encoding": "JSON"}]),
    ),
    ("basic_role", saying("google_project_iam_member.build_logs", "role", value="roles/editor")),
    (
        "open_to_everybody",
        saying(INVOKER.format("on_work"), "member", value="allUsers"),
    ),
    (
        "open_to_everybody",
        saying('google_storage_managed_folder_iam_member.public["US"]', "role",
               value="roles/storage.objectViewer"),
    ),
    (
        "open_to_everybody",
        saying(AUDIT, "public_access_prevention", value="inherited"),
    ),
    (
        "open_to_everybody",
        saying(FUNCTION.format("on_alert"), "service_config", 0, "ingress_settings",
               value="ALLOW_ALL"),
    ),
    (
        "shared_account",
        saying(FUNCTION.format("on_alert"), "service_config", 0, "service_account_email",
               value="rollback-on-work@example-operations.iam.gserviceaccount.com"),
    ),
    (
        "too_much_at_once",
        saying(FUNCTION.format("on_work"), "service_config", 0,
               "max_instance_request_concurrency", value=2),
    ),
    (
        "too_much_at_once",
        saying(FUNCTION.format("on_alert"), "service_config", 0, "available_cpu", value="0.5"),
    ),
    ("key_without_grant", without('google_kms_crypto_key_iam_member.buckets["audit"]')),
    ("key_without_grant", unordered(AUDIT)),
    ("key_without_grant", unordered("google_firestore_database.state")),
    ("stop_that_is_lifted", lifting('google_service_account.responders["on_work"]')),
    ("stop_that_is_lifted", lifting(PUSH.format("rollback-work"))),
    ("unconfined_state", lacking('google_project_iam_member.state["on_alert"]', "condition")),
]  # fmt: skip


@pytest.mark.parametrize(("check", "mistake"), MISTAKES)
def test_a_mistake_is_found(check: str, mistake: Mistake, two_projects: Configuration) -> None:
    """By the check that it is meant for."""
    mistake(two_projects)

    assert check in {one.partition(":")[0] for one in findings(two_projects)}


def test_an_application_s_own_function_is_found(two_projects: Configuration) -> None:
    """Whatever a rollback changes must not be in the state that an apply restores."""
    two_projects.named(FUNCTION.format("on_alert")).name = "application"

    assert [one.partition(":")[0] for one in findings(two_projects)] == [
        "application_that_is_managed"
    ]


def test_a_role_that_is_too_broad_is_seen(two_projects: Configuration) -> None:
    """A role of Google's that nobody has measured is none that a responder may have."""
    grant = two_projects.named('google_project_iam_member.state["on_alert"]')
    grant.values["role"] = "roles/datastore.owner"

    with pytest.raises(KeyError):
        checks.permissions(two_projects, "on_alert")
