"""What is provisioned, beside the code that it is provisioned for."""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import re
import subprocess
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import main
from cli.doctor.gathering import MARK_SIGNS, code_of
from cli.doctor.installation import CODE_LABEL, POLICY_LABEL, RUNTIME
from cli.doctor.rights import ASKED, roles_in
from local import state
from shared import status_rendering, topics
from shared.assets import derived_topics
from shared.policy import Policy
from shared.policy_file import load, loads
from shared.settings import Settings
from shared.traffic import LATEST, TrafficTarget
from tests.terraform.checks import functions, grants, members, operations_project, permissions
from tests.terraform.conftest import TERRAFORM
from tests.terraform.evaluator import Configuration, evaluated
from tests.terraform.test_variables import SMALLEST
from tests.test_copying import ask as ask_for_a_copy
from tests.test_copying import world as copying
from tests.test_proving_backups import world as exporting
from tests.test_repairing import Shop

ROOT = TERRAFORM.parent
RECEIVES = {
    topic: entry_point for entry_point, several in topics.ENTRY_POINTS.items() for topic in several
}
"""The entry point that each topic is pushed to."""


def docstring(entry_point: str) -> str:
    """What an entry point says of itself, in one line."""
    return " ".join((inspect.getdoc(getattr(main, entry_point)) or "").split())


def declared(said: str) -> set[str]:
    """The permissions of the adapters that a docstring names."""
    named = re.findall(r"(the first of )?`(shared\.gcp\.\w+)\.(\w*PERMISSIONS)`", said)
    return {
        one
        for first, module, name in named
        for one in getattr(importlib.import_module(module), name)[: 1 if first else None]
    }


def settings_of(configuration: Configuration, entry_point: str) -> Settings:
    """What a function reads from its environment."""
    [service] = functions(configuration)[entry_point]["service_config"]
    return Settings.from_mapping({**service["environment_variables"], "K_SERVICE": entry_point})


def needed(configuration: Configuration, entry_point: str) -> dict[str, set[str]]:
    """The permissions that an entry point says it needs, by project, bucket or secret.

    What its docstring says of no place, it needs in each application.
    """
    settings, said = settings_of(configuration, entry_point), docstring(entry_point)
    outputs, packed = outputs_of(configuration), policies_of(configuration)
    exports = [
        one.values["name"]
        for one in configuration.of("google_storage_bucket")
        if one.name == "exports"
    ]
    second = [one for one in exports if one.endswith("-second")]
    secrets = [one.values["secret_id"] for one in configuration.of("google_secret_manager_secret")]
    accounts = [one for one in secrets if one.startswith("rollback-probe-")]
    places: dict[str, list[str | None]] = {
        "in applications that are backed up": [
            one.project for one in packed if ASKED["backups"](one)
        ],
        "in applications that declare collections": [
            one.project for one in packed if ASKED["data"](one)
        ],
        "in applications whose backups are proven": [
            one.project for one in packed if ASKED["proofs"](one)
        ],
        "in applications that admit copies": [
            one.project for one in packed if ASKED["copies"](one)
        ],
        "in applications that declare assets": [
            one.project for one in packed if ASKED["assets"](one)
        ],
        "in applications whose documents name files": [
            one.project for one in packed if ASKED["media"](one)
        ],
        "in applications that make data again": [
            one.project for one in packed if derived_topics(one)
        ],
        "in applications that have such a channel": [
            one.project for one in packed if ASKED["push"](one)
        ],
        "in applications whose channels look users up": [
            one.project for one in packed if ASKED["pushed_to"](one)
        ],
        "in the audit bucket": [settings.audit_bucket],
        "in the export buckets": [one for one in exports if one not in second],
        "in the identity project": [settings.identity_project or settings.project],
        "in the second buckets": second,
        "in the quarantine bucket": [outputs["buckets"].get("quarantine")],
        "in the sources bucket": [outputs["buckets"]["sources"]],
        "in the values bucket": [settings.values_bucket],
        "in the status bucket": [settings.status_bucket],
        "the secrets of the test accounts among them": accounts,
        "the secrets that channels name": [one for one in secrets if one not in accounts],
    }
    found = defaultdict(set, {settings.project: set(EVERYBODY)})
    for place, names in places.items():
        if clause := re.search(place + r" \([^)]*\)", said):
            said = said.replace(clause[0], "")
            for name in filter(None, names):
                found[name] |= declared(clause[0])
    if elsewhere := declared(said):
        for project in outputs["applications"].values():
            found[project] |= elsewhere
    return dict(found)


def outputs_of(configuration: Configuration) -> dict[str, Any]:
    """What the module says, of itself or in an example."""
    said: dict[str, Any] = configuration.outputs.get("rollback", configuration.outputs)
    return said


def policies_of(configuration: Configuration) -> list[Policy]:
    """Those that the functions read."""
    return [
        loads(one["content"], one["filename"])
        for one in configuration.named("archive_file.source").values["source"]
        if re.fullmatch(r"policies/[^/]*\.yaml", one["filename"])
    ]


EVERYBODY = declared(inspect.getdoc(main) or "")
"""What each entry point needs, as the module's docstring says."""


def test_topics_are_those_of_the_code(example: Configuration) -> None:
    """None is missing, none is nobody's."""
    names = {one.values["name"] for one in example.of("google_pubsub_topic")}

    assert names == set(topics.ALL)


def test_functions_are_the_entry_points(example: Configuration) -> None:
    """One function for each, in the Python that the project asks for."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    runtime = "python" + project["requires-python"].removeprefix(">=").replace(".", "")
    entry_points = {
        name for name, _ in inspect.getmembers(main, inspect.isfunction) if name.startswith("on_")
    }

    made = functions(example)

    assert set(made) == entry_points
    assert {one["build_config"][0]["runtime"] for one in made.values()} == {runtime}


def test_functions_understand_their_environment(example: Configuration) -> None:
    """Settings read every variable that is set, and find there what was provisioned."""
    source = inspect.getsource(importlib.import_module("shared.settings"))
    state = example.named("google_firestore_database.state").values

    for entry_point, function in functions(example).items():
        environment = function["service_config"][0]["environment_variables"]
        settings = settings_of(example, entry_point)
        assert (settings.project, settings.database) == (state["project"], state["name"])
        assert [name for name in environment if f'"{name}"' not in source] == []


def test_subscriptions_are_those_of_the_embedded_cloud(example: Configuration) -> None:
    """What is tried here is delivered as it is there: where to, how often, how long apart."""
    expected: dict[str, Any] = {}
    for topic in RECEIVES:
        backoff = topics.backoff(topic)
        expected[f"{topic}-push"] = {
            "ack_deadline_seconds": topics.ACK_DEADLINE // timedelta(seconds=1),
            "attempts": topics.LIMIT_ATTEMPTS,
            "backoff": [f"{int(one.total_seconds())}s" for one in backoff],
            "name": functions(example)[RECEIVES[topic]]["name"],
            "path": f"/projects/{operations_project(example)}/topics/{topic}",
        }

    found = {}
    for one in example.of("google_pubsub_subscription"):
        if "push_config" in one.values:
            [push], [retry] = one.values["push_config"], one.values["retry_policy"]
            host, path = re.fullmatch(r"https://([^/]+)(/.*)", push["push_endpoint"]).groups()  # type: ignore[union-attr]
            region = functions(example)["on_work"]["location"]
            found[one.values["name"]] = {
                "ack_deadline_seconds": one.values["ack_deadline_seconds"],
                "attempts": one.values["dead_letter_policy"][0]["max_delivery_attempts"],
                "backoff": [retry["minimum_backoff"], retry["maximum_backoff"]],
                "name": host.removesuffix(f"-{region}.a.run.app"),
                "path": path,
            }
    assert found == expected


def test_dead_letters_are_kept_where_replay_looks(example: Configuration) -> None:
    """As long as Pub/Sub keeps anything."""
    kept = example.named("google_pubsub_subscription.letters_kept").values

    assert kept["name"] == topics.LETTERS_KEPT
    assert kept["topic"].endswith(f"/topics/{topics.DEAD_LETTERS}")
    assert (
        kept["message_retention_duration"] == f"{topics.LETTERS_KEPT_FOR // timedelta(seconds=1)}s"
    )


@pytest.mark.parametrize("entry_point", sorted(topics.ENTRY_POINTS))
def test_a_responder_publishes_what_it_says(entry_point: str, example: Configuration) -> None:
    """The topics of its docstring, and no other."""
    said = re.search(r"Publishes on rollback(-[^.;]*)", docstring(entry_point))
    assert said is not None
    wanted = {f"rollback{name}" for name in re.findall(r"-[a-z]+(?:-[a-z]+)*", said[1])}
    account = functions(example)[entry_point]["service_config"][0]["service_account_email"]

    granted = {
        one.values["topic"]
        for one in example.of("google_pubsub_topic_iam_member")
        if one.values["member"] == f"serviceAccount:{account}" and one.name == "responders"
    }

    assert granted == wanted


def test_the_worker_asks_for_data_where_a_policy_says_so(example: Configuration) -> None:
    """On each declared topic, in its application's project, and on no other."""
    declared_by = {
        (one.project, topic) for one in policies_of(example) for topic in derived_topics(one)
    }
    account = functions(example)["on_work"]["service_config"][0]["service_account_email"]

    granted = [
        one.values
        for one in example.of("google_pubsub_topic_iam_member")
        if one.name == "regeneration"
    ]

    assert {(one["project"], one["topic"]) for one in granted} == declared_by
    assert {one["member"] for one in granted} == {f"serviceAccount:{account}"}
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

    made = evaluated(TERRAFORM, {**SMALLEST, "policies": both})

    may = permissions(made, entry_point)
    assert may == needed(made, entry_point)
    assert permission in may["bare-bones"]
    assert permission not in may.get("plain-bones", set())


def test_no_role_is_made_that_nobody_is_given(example: Configuration) -> None:
    """What stands in a project unused is one more thing to explain."""
    given = {one.values["role"] for one in grants(example)}

    roles = example.of("google_project_iam_custom_role")

    made = {f"projects/{one.values['project']}/roles/{one.values['role_id']}" for one in roles}
    assert made - given == set()


def test_doctor_asks_for_the_roles_that_are_given(example: Configuration) -> None:
    """What a responder has in an application, by name; and the runtime of every function."""
    members = {
        f"serviceAccount:{one['service_config'][0]['service_account_email']}": entry_point
        for entry_point, one in functions(example).items()
    }
    grants = [
        one.values
        for one in example.of("google_project_iam_member")
        if one.address.startswith("google_project_iam_member.applications")
    ]

    for policy in policies_of(example):
        given: dict[str, set[str]] = defaultdict(set)
        for one in grants:
            if one["project"] == policy.project:
                given[members[one["member"]]].add(one["role"])
        assert given == {who: roles for who, roles in roles_in(policy).items() if roles}
    runtimes = {one["build_config"][0]["runtime"] for one in functions(example).values()}
    assert runtimes == {RUNTIME}


def test_heads_are_anchored_wherever_there_is_a_bucket_for_them(example: Configuration) -> None:
    """The clock is told of it, and nobody else."""
    bucket = example.outputs["rollback"]["buckets"].get("audit")

    told = {one: settings_of(example, one).audit_bucket for one in functions(example)}

    assert told == dict.fromkeys(functions(example)) | {"on_clock": bucket}


def test_values_have_one_reader(example: Configuration) -> None:
    """Nobody but the worker gets what lies in their bucket, viewers of the project included."""
    buckets, worker = example.outputs["rollback"]["buckets"], account(example, "on_work")
    told = {one: settings_of(example, one) for one in functions(example)}

    reads = {
        member
        for one in grants(example)
        if one.values.get("bucket") == buckets["values"]
        and not str(one.values["role"]).endswith("/roles/rollback_keeper")
        for member in members(one)
    }

    owners = f"projectOwner:{operations_project(example)}"  # who may give the bucket to anybody
    assert reads == {f"serviceAccount:{worker}", owners}
    assert {one for one, seen in told.items() if seen.values_bucket == buckets["values"]} == {
        "on_deployment",
        "on_work",
    }
    assert {one for one, seen in told.items() if seen.sources_bucket == buckets["sources"]} == {
        "on_deployment"
    }


def account(configuration: Configuration, entry_point: str) -> str:
    """Whom a function runs as."""
    [service] = functions(configuration)[entry_point]["service_config"]
    email: str = service["service_account_email"]
    return email


def test_status_pages_are_written_wherever_there_is_a_bucket_for_them(
    example: Configuration,
) -> None:
    """Whoever asks for them is told of it, and whoever writes them."""
    bucket = example.outputs["rollback"]["buckets"].get("status")

    told = {one: settings_of(example, one).status_bucket for one in functions(example)}

    assert told == dict.fromkeys(functions(example)) | {"on_clock": bucket, "on_notice": bucket}
    below = example.outputs["rollback"]["status_page"]
    wanted = f"https://storage.googleapis.com/{bucket}/{status_rendering.folder('')}"
    assert below == (wanted if bucket else None)


def test_people_are_looked_up_where_they_sign_in(two_projects: Configuration) -> None:
    """Which need not be where the responders run."""
    assert settings_of(two_projects, "on_command").identity_project == "example-people"


def test_no_tick_waits_for_the_one_before(example: Configuration) -> None:
    """There is room for all of two minutes, the longest that the clock takes."""
    [service] = functions(example)["on_clock"]["service_config"]
    ticks = [one for one in example.of("google_cloud_scheduler_job") if one.name == "clock"]

    at_once = service["max_instance_request_concurrency"] * service["max_instance_count"]
    assert at_once >= 2 * len(ticks)
    assert service["timeout_seconds"] > 2 * 60


def test_whoever_replays_may_do_what_replay_does(two_projects: Configuration) -> None:
    """Its adapter's permissions, on the subscriptions and topics alone."""
    member = "group:oncall@example.com"
    roles = {
        one.values["role_id"]: {*one.values["permissions"]}
        for one in two_projects.of("google_project_iam_custom_role")
    }
    on = ("google_pubsub_subscription_iam_member", "google_pubsub_topic_iam_member")
    granted = {
        one.values["role"].rpartition("/")[2]
        for one in two_projects.of(*on)
        if one.values["member"] == member
    }

    may = {
        permission for role in granted for permission in roles.get(role, {"pubsub.topics.publish"})
    }

    assert may == declared("`shared.gcp.letters.PERMISSIONS`")


def test_an_example_warns_of_nothing(example: Configuration) -> None:
    """Whoever copies it has somebody who is woken."""
    assert example.warnings == []


def test_every_provider_is_pinned(two_projects: Configuration) -> None:
    """Each one of which there is a resource."""
    versions = (TERRAFORM / "versions.tf").read_text()
    kinds = {one.type.partition("_")[0] for one in (*two_projects.resources, *two_projects.data)}

    assert kinds >= {"archive", "google", "time"}
    assert {kind for kind in kinds if f'source  = "hashicorp/{kind}"' not in versions} == set()


def test_what_expires_has_its_time_to_live(two_projects: Configuration) -> None:
    """In a whole rollback something expires in just the collections that Terraform knows."""
    world = exporting()
    world.deploy_bad()
    world.alert()
    world.pass_time(timedelta(hours=1))
    world.publish(topics.COMMANDS, b"no command")
    world.ports.world.deploy()
    world.ports.world.change_by_hand("getBook", (TrafficTarget(LATEST, 100),))  # a pin ends
    world.pass_time(timedelta(minutes=10))
    world.announce("v3")  # what was found before has another name now
    world.command(command="pause", actor="ada@example.com")
    world.settle()
    repaired = Shop()
    repaired.order()
    repaired.parked()
    repaired.approve("bob")
    repaired.pass_time(timedelta(minutes=4))
    copied = copying()
    copied.ports.filled.failures.append("no room")  # a copy is over
    ask_for_a_copy(copied)
    copied.pass_time(timedelta(minutes=10))
    expiring = {
        path.split("/")[-2]
        for known in (world, repaired, copied)
        for path, fields in known.ports.store.documents.items()
        if fields.get("expires_at") is not None
    }

    fields = [
        one for one in two_projects.of("google_firestore_field") if "ttl_config" in one.values
    ]

    assert {one.values["collection"] for one in fields} == expiring == set(state.COLLECTIONS)
    assert {one.values["field"] for one in fields} == {"expires_at"}
    assert all(one.values["ttl_config"] == [{}] for one in fields)


def queries() -> Iterator[tuple[str, ast.Call]]:
    """Every query of the product, with the file that it stands in."""
    for folder in ("responders", "shared", "cli"):
        for file in sorted((ROOT / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(file.read_text())):
                if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Query":
                    yield str(file.relative_to(ROOT)), node


def fields_asked(file: str, call: ast.Call) -> list[str]:
    """The fields that a query filters and orders by, each once."""
    given = {one.arg: one.value for one in call.keywords}
    where = given.get("where", ast.Tuple([]))
    if isinstance(where, ast.Name):  # named a few lines before
        [where] = [
            node.value
            for node in ast.walk(ast.parse((ROOT / file).read_text()))
            if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == where.id
        ]
    found = [ast.literal_eval(one.elts[0]) for one in getattr(where, "elts", [])]
    if "order_by" in given:
        found.append(ast.literal_eval(given["order_by"]))
    return [*dict.fromkeys(found)]


def test_composite_indexes_are_those_that_queries_need(example: Configuration) -> None:
    """A query over one field needs none; one over several is Rejected without its own."""
    needed = {
        tuple(fields) for file, call in queries() if len(fields := fields_asked(file, call)) > 1
    }

    found = {
        tuple(field["field_path"] for field in one.values["fields"])
        for one in example.of("google_firestore_index")
    }

    assert [*queries()]
    assert found == needed


def test_what_has_no_index_is_never_asked_for(example: Configuration) -> None:
    """A query over such a field would be refused."""
    asked = {field for file, call in queries() for field in fields_asked(file, call)}

    fields = example.of("google_firestore_field")

    assert {one.values["field"] for one in fields} == {"expires_at", "looks"}
    assert [one.address for one in fields if one.values["index_config"] != [{}]] == []
    assert {one.values["field"] for one in fields} & asked == set()


def test_the_source_is_what_the_functions_run_and_nothing_else(example: Configuration) -> None:
    """Every file of main, responders and shared that is kept, its policies, its requirements."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],  # noqa: S607
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    kept = {
        file
        for file in listed
        if file.startswith(("responders/", "shared/")) and (ROOT / file).exists()
    }
    archive = example.named("archive_file.source").values

    packed = {one["filename"]: one["content"] for one in archive["source"]}

    policies = {file for file in packed if file.startswith("policies/")}
    assert set(packed) - policies == kept | {"main.py", "requirements.txt"}
    assert policies <= {
        "policies/cvplus.yaml",
        "policies/example.yaml",
        "policies/policy.schema.json",
    }
    assert len(policies) == 1 + len(example.outputs["rollback"]["applications"])
    assert all((ROOT / file).read_text() == content for file, content in packed.items())


def test_functions_say_what_they_were_made_of(example: Configuration) -> None:
    """As doctor works it out from a checkout and its policies."""
    files = {
        load(ROOT / "policies" / name).system: load(ROOT / "policies" / name).fingerprint
        for name in ("cvplus.yaml", "example.yaml")
    }
    wanted = {CODE_LABEL: code_of(ROOT)} | {
        f"{POLICY_LABEL}{system}": files[system][:MARK_SIGNS]
        for system in example.outputs["rollback"]["applications"]
    }

    for one in functions(example).values():
        assert wanted.items() <= one["labels"].items()


PROTO_TYPES = {
    "string": "string",
    "integer": "int32",
    "number": "double",
    "array": "repeated string",
    "boolean": "bool",
    "object": "Operator",
}


def test_the_schema_of_commands_is_that_of_the_responder(example: Configuration) -> None:
    """Whatever a command may hold, Pub/Sub lets through, by the same names."""
    schema = json.loads((ROOT / "shared" / "command.schema.json").read_text())
    [definition] = [one.values["definition"] for one in example.of("google_pubsub_schema")]
    messages = dict(re.findall(r"^message (\w+) \{\n(.*?)^\}", definition, re.M | re.S))
    shapes = (schema, *schema["oneOf"])

    assert fields_of(messages["Command"]) == proto_types(*(one["properties"] for one in shapes))
    said = schema["properties"]["operator"]["properties"]
    assert fields_of(messages["Operator"]) == proto_types(said)


def proto_types(*several: dict[str, Any]) -> dict[str, str]:
    """The types that the properties of schemas have in a message."""
    wanted: dict[str, str] = {}
    for properties in several:
        for name, said in properties.items():
            if said is not True:
                kind = said.get("type") or ("integer" if said.get("const") == 1 else "string")
                wanted[name] = PROTO_TYPES[kind]
    return wanted


def fields_of(message: str) -> dict[str, str]:
    """The types of a message's fields, no two of which have the same number."""
    fields = re.findall(r"^  ((?:repeated )?\w+) (\w+) = (\d+);$", message, re.M)
    assert len({number for *_, number in fields}) == len(fields)
    return {name: kind for kind, name, _ in fields}
