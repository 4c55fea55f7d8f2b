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
from typing import Any

import pytest

import main
from cli.doctor.gathering import MARK_SIGNS, code_of
from cli.doctor.installation import CODE_LABEL, POLICY_LABEL
from shared import topics
from shared.policy_file import load
from shared.settings import Settings
from tests.terraform.checks import functions, operations_project, permissions
from tests.terraform.conftest import EXAMPLES, TERRAFORM
from tests.terraform.evaluator import Configuration
from tests.world import World

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
    """The permissions that an entry point says it needs, by project or bucket.

    What its docstring says of no place, it needs in each application.
    """
    settings, said = settings_of(configuration, entry_point), docstring(entry_point)
    places = {
        "in the audit bucket": settings.audit_bucket,
        "in the identity project": settings.identity_project or settings.project,
    }
    found = defaultdict(set, {settings.project: set(EVERYBODY)})
    for place, name in places.items():
        if clause := re.search(place + r" \([^)]*\)", said):
            said = said.replace(clause[0], "")
            if name is not None:
                found[name] |= declared(clause[0])
    if elsewhere := declared(said):
        for project in configuration.outputs["rollback"]["applications"].values():
            found[project] |= elsewhere
    return dict(found)


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
        if one.values["member"] == f"serviceAccount:{account}"
    }

    assert granted == wanted


@pytest.mark.parametrize("entry_point", sorted(topics.ENTRY_POINTS))
def test_a_responder_may_do_what_its_adapters_do(entry_point: str, example: Configuration) -> None:
    """Nothing is missing, nothing unused: in each project, and in the bucket that it is told of."""
    assert permissions(example, entry_point) == needed(example, entry_point)


def test_heads_are_anchored_wherever_there_is_a_bucket_for_them(example: Configuration) -> None:
    """The clock is told of it, and nobody else."""
    bucket = example.outputs["rollback"]["buckets"].get("audit")

    told = {one: settings_of(example, one).audit_bucket for one in functions(example)}

    assert told == dict.fromkeys(functions(example)) | {"on_clock": bucket}


def test_people_are_looked_up_where_they_sign_in(two_projects: Configuration) -> None:
    """Which need not be where the responders run."""
    assert settings_of(two_projects, "on_command").identity_project == "example-people"


def test_no_tick_waits_for_the_one_before(example: Configuration) -> None:
    """One instance has room for all of two minutes, the longest that the clock takes."""
    [service] = functions(example)["on_clock"]["service_config"]
    ticks = [one for one in example.of("google_cloud_scheduler_job") if one.name == "clock"]

    assert service["max_instance_request_concurrency"] >= 2 * len(ticks)
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


@pytest.mark.parametrize("folder", [".", *(f"examples/{name}" for name in EXAMPLES)])
def test_every_provider_is_pinned(folder: str, two_projects: Configuration) -> None:
    """Each one of which there is a resource, in the module and in each example."""
    versions = (TERRAFORM / folder / "versions.tf").read_text()
    kinds = {one.type.partition("_")[0] for one in (*two_projects.resources, *two_projects.data)}

    assert kinds >= {"archive", "google", "time"}
    assert {kind for kind in kinds if f'source  = "hashicorp/{kind}"' not in versions} == set()


def test_every_reason_is_written_down() -> None:
    """Each role and each topic of a responder says what for; each other grant has a comment."""
    for file in sorted(TERRAFORM.glob("*.tf")):
        text = file.read_text()
        for found in re.finditer(r'^resource "google_\w+_iam_(?:member|audit_config)"', text, re.M):
            before = text[: found.start()].rstrip("\n").rpartition("\n")[2]
            assert before.startswith("#"), f"{file.name}: {found[0]}"


def test_what_expires_has_its_time_to_live(two_projects: Configuration) -> None:
    """In a whole rollback something expires in just the collections that Terraform knows."""
    world = World()
    world.deploy_bad()
    world.alert()
    world.pass_time(timedelta(hours=1))
    world.publish(topics.COMMANDS, b"no command")
    world.ports.world.deploy()
    world.pass_time(timedelta(minutes=10))
    world.announce("v3")  # what was found before has another name now
    world.command(command="pause", actor="ada@example.com")
    world.settle()
    expiring = {
        path.split("/")[-2]
        for path, fields in world.ports.store.documents.items()
        if fields.get("expires_at") is not None
    }

    fields = [
        one for one in two_projects.of("google_firestore_field") if "ttl_config" in one.values
    ]

    assert {one.values["collection"] for one in fields} == expiring
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
}


def test_the_schema_of_commands_is_that_of_the_responder(example: Configuration) -> None:
    """Whatever a command may hold, Pub/Sub lets through, by the same names."""
    schema = json.loads((ROOT / "shared" / "command.schema.json").read_text())
    wanted: dict[str, str] = {}
    for properties in (schema["properties"], *(one["properties"] for one in schema["oneOf"])):
        for name, said in properties.items():
            if said is not True:
                kind = said.get("type") or ("integer" if said.get("const") == 1 else "string")
                wanted[name] = PROTO_TYPES[kind]

    [definition] = [one.values["definition"] for one in example.of("google_pubsub_schema")]

    fields = re.findall(r"^  ((?:repeated )?\w+) (\w+) = (\d+);$", definition, re.M)
    assert {name: kind for kind, name, _ in fields} == wanted
    assert len({number for *_, number in fields}) == len(fields)
