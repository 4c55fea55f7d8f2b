"""Who may do what, beside the code that has to do it."""

from collections import defaultdict
from pathlib import Path

import pytest

from local.installation.provisioning import derived_topics
from shared.adapters.gcp.permissions import application_roles
from shared.adapters.gcp.pubsub import dead_letters
from shared.core import topics
from shared.domain.presentation import status_page_html
from tests.terraform.checks import (
    account_of,
    custom_roles,
    functions,
    grants,
    members,
    operations_project,
    permissions,
)
from tests.terraform.entry_points import needed, policies_of, settings_of
from tests.terraform.evaluator.evaluator import Configuration
from tests.terraform.module.minimal_variables import smallest_module


def member_of(configuration: Configuration, entry_point: str) -> str:
    """Whom a function runs as, as a member of a grant."""
    return f"serviceAccount:{account_of(functions(configuration)[entry_point])}"


@pytest.mark.parametrize("entry_point", sorted(topics.ENTRY_POINTS))
def test_a_responder_publishes_on_its_topics(entry_point: str, example: Configuration) -> None:
    """The topics of the table, and no other."""
    granted = {
        one.values["topic"]
        for one in example.of("google_pubsub_topic_iam_binding")
        if member_of(example, entry_point) in members(one)
    }

    assert granted == {*topics.PUBLISHES[entry_point]}


def test_the_worker_asks_for_data_where_a_policy_says_so(example: Configuration) -> None:
    """On each declared topic, in its application's project, and on no other."""
    declared_by = {(one.project, topic) for one in policies_of(example) for topic in derived_topics(one)}

    granted = [one.values for one in example.of("google_pubsub_topic_iam_member", name="regeneration")]

    assert {(one["project"], one["topic"]) for one in granted} == declared_by
    assert {one["member"] for one in granted} == {member_of(example, "on_work")}
    assert len(declared_by) == 1


@pytest.mark.parametrize("entry_point", sorted(topics.ENTRY_POINTS))
def test_a_responder_may_do_what_its_adapters_do(entry_point: str, example: Configuration) -> None:
    """Nothing is missing, nothing unused: in each project, and in the bucket that it is told of."""
    assert permissions(example, entry_point) == needed(example, entry_point)


ASKING = """\
system: bare
project: bare-bones
region: europe-west1
groups: { all: { functions: [readIt] } }
signals: { error_rate: { severity: LOW, scenario: functions, mode: observe } }
scenarios: { functions: observe }
"""


@pytest.mark.parametrize(
    ("said", "entry_point", "permission"),
    [
        ("backups: { bucket: exports }", "on_clock", "datastore.databases.export"),
        ("backups: { native: true }", "on_clock", "datastore.backups.list"),
        ("backups: { native: true, proof: {} }", "on_clock", "datastore.databases.import"),
        ("backups: { copies: {} }", "on_clock", "datastore.databases.clone"),
        ("backups: { copies: {} }", "on_command", "datastore.backups.list"),
        (
            "channels: [{ name: users, kind: push, target: outages }]",
            "on_notice",
            "cloudmessaging.messages.create",
        ),
        (
            "collections: { users: {} }\nchannels:\n- name: users\n  kind: push\n"
            "  audience: users\n  users: { collection: users, tokens: device, at_most: 9 }",
            "on_notice",
            "datastore.entities.list",
        ),
    ],
)
def test_a_right_that_few_applications_need_is_given_where_a_policy_asks_for_it(
    said: str, entry_point: str, permission: str, tmp_path: Path
) -> None:
    """There it is all that its adapter declares; in other applications nobody has it."""
    (tmp_path / "bare.yaml").write_text(ASKING + said)
    (tmp_path / "plain.yaml").write_text(ASKING.replace("bare", "plain"))
    both = [str(tmp_path / name) for name in ("bare.yaml", "plain.yaml")]

    made = smallest_module(policies=both)

    may = permissions(made, entry_point)
    assert may == needed(made, entry_point)
    assert permission in may["bare-bones"]
    assert permission not in may.get("plain-bones", set())


def test_no_role_is_made_that_nobody_is_given(example: Configuration) -> None:
    """What stands in a project unused is one more thing to explain."""
    given = {one.values["role"] for one in grants(example)}

    assert {*custom_roles(example)} - given == set()


def test_doctor_asks_for_the_roles_that_are_given(example: Configuration) -> None:
    """What a responder has in an application, by role; and the runtime of every function."""
    accounts = {member_of(example, entry_point): entry_point for entry_point in functions(example)}
    applications = example.of("google_project_iam_binding", name="applications")
    permitted = custom_roles(example)

    for policy in policies_of(example):
        given: dict[str, dict[str, set[str]]] = defaultdict(dict)
        for one in applications:
            for member in members(one) if one.values["project"] == policy.project else ():
                role = one.values["role"]
                given[accounts[member]][role] = permitted[role]
        assert given == application_roles(policy)
    runtimes = {one["build_config"][0]["runtime"] for one in functions(example).values()}
    assert runtimes == {"python311"}


def test_heads_are_anchored_wherever_there_is_a_bucket_for_them(example: Configuration) -> None:
    """The clock is told of it, and nobody else."""
    bucket = example.outputs["rollback"]["buckets"].get("audit")

    told = {one: settings_of(example, one).audit_bucket for one in functions(example)}

    assert told == dict.fromkeys(functions(example)) | {"on_clock": bucket}


def test_values_have_one_reader(example: Configuration) -> None:
    """Nobody but the worker gets what lies in their bucket, viewers of the project included."""
    buckets = example.outputs["rollback"]["buckets"]
    told = {one: settings_of(example, one) for one in functions(example)}

    reads = {
        member
        for one in grants(example)
        if one.values.get("bucket") == buckets["values"]
        and not str(one.values["role"]).endswith("/roles/rollback_keeper")
        for member in members(one)
    }

    owners = f"projectOwner:{operations_project(example)}"  # who may give the bucket to anybody
    assert reads == {member_of(example, "on_work"), owners}
    assert {one for one, seen in told.items() if seen.values_bucket == buckets["values"]} == {
        "on_deployment",
        "on_work",
    }
    assert {one for one, seen in told.items() if seen.sources_bucket == buckets["sources"]} == {
        "on_deployment"
    }


def test_status_pages_are_written_wherever_there_is_a_bucket_for_them(example: Configuration) -> None:
    """Whoever asks for them is told of it, and whoever writes them."""
    bucket = example.outputs["rollback"]["buckets"].get("status")

    told = {one: settings_of(example, one).status_bucket for one in functions(example)}

    assert told == dict.fromkeys(functions(example)) | {"on_clock": bucket, "on_notice": bucket}
    below = example.outputs["rollback"]["status_page"]
    wanted = f"https://storage.googleapis.com/{bucket}/{status_page_html.system_folder('')}"
    assert below == (wanted if bucket else None)


def test_people_are_looked_up_where_they_sign_in(two_projects: Configuration) -> None:
    """Which need not be where the responders run."""
    assert settings_of(two_projects, "on_command").identity_project == "example-people"


def test_whoever_replays_may_do_what_replay_does(two_projects: Configuration) -> None:
    """Its adapter's permissions, on the subscriptions and topics alone."""
    member = "group:oncall@example.com"
    roles = {
        one.values["role_id"]: {*one.values["permissions"]}
        for one in two_projects.of("google_project_iam_custom_role")
    }
    granted = {
        one.values["role"].rpartition("/")[2]
        for one in grants(two_projects)
        if one.type.startswith("google_pubsub_") and member in members(one)
    }

    may = {permission for role in granted for permission in roles.get(role, {"pubsub.topics.publish"})}

    assert may == {*dead_letters.PERMISSIONS}
