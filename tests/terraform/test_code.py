"""What is provisioned, beside the code that it is provisioned for."""

import inspect
import json
import re
import subprocess
import tomllib
from datetime import timedelta
from typing import Any

import main
from cli.doctor.installation.checks import CODE_LABEL, POLICY_LABEL
from cli.doctor.installation.facts import MARK_SIGNS, hash_code
from shared.core import topics
from shared.policy_files.loader import load_policy
from shared.wiring.settings import Settings, variable_name
from tests.terraform.checks import functions, operations_project
from tests.terraform.conftest import TERRAFORM
from tests.terraform.entry_points import RECEIVES, ROOT, settings_of, source_files
from tests.terraform.evaluator.evaluator import Configuration


def test_topics_are_those_of_the_code(example: Configuration) -> None:
    """None is missing, none is nobody's."""
    names = {one.values["name"] for one in example.of("google_pubsub_topic")}

    assert names == set(topics.ALL_TOPICS)


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
    read = {variable_name(field) for field in Settings.__struct_fields__}
    state = example.named("google_firestore_database.state").values

    for entry_point, function in functions(example).items():
        environment = function["service_config"][0]["environment_variables"]
        settings = settings_of(example, entry_point)
        assert (settings.project, settings.database) == (state["project"], state["name"])
        assert environment.keys() <= read


def test_subscriptions_are_those_of_the_embedded_cloud(example: Configuration) -> None:
    """What is tried here is delivered as it is there: where to, how often, how long apart."""
    expected: dict[str, Any] = {}
    for topic in RECEIVES:
        backoff = topics.backoff(topic)
        expected[f"{topic}-push"] = {
            "ack_deadline_seconds": topics.ACK_DEADLINE // timedelta(seconds=1),
            "attempts": topics.MAX_DELIVERY_ATTEMPTS,
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

    assert kept["name"] == topics.DEAD_LETTER_SUBSCRIPTION
    assert kept["topic"].endswith(f"/topics/{topics.DEAD_LETTERS}")
    assert kept["message_retention_duration"] == f"{topics.DEAD_LETTER_RETENTION // timedelta(seconds=1)}s"


def test_no_tick_waits_for_the_one_before(example: Configuration) -> None:
    """There is room for all of two minutes, the longest that the clock takes."""
    [service] = functions(example)["on_clock"]["service_config"]
    ticks = example.of("google_cloud_scheduler_job", name="clock")

    at_once = service["max_instance_request_concurrency"] * service["max_instance_count"]
    assert at_once >= 2 * len(ticks)
    assert service["timeout_seconds"] > 2 * 60


def test_an_example_warns_of_nothing(example: Configuration) -> None:
    """Whoever copies it has somebody who is woken."""
    assert example.warnings == []


def test_every_provider_is_pinned(two_projects: Configuration) -> None:
    """Each one of which there is a resource."""
    versions = (TERRAFORM / "versions.tf").read_text()
    every = (*two_projects.resources, *two_projects.data)
    kinds = {one.type.partition("_")[0] for one in every} - {"terraform"}  # Terraform's own

    assert kinds >= {"google", "time"}
    assert {kind for kind in kinds if f'source  = "hashicorp/{kind}"' not in versions} == set()


def test_the_source_is_what_the_functions_run_and_nothing_else(example: Configuration) -> None:
    """Every file of main, responders and shared that is kept, its policies, its requirements."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],  # noqa: S607
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    kept = {file for file in listed if file.startswith(("responders/", "shared/")) and (ROOT / file).exists()}

    packed = source_files(example)

    policies = {file for file in packed if file.startswith("policies/")}
    assert set(packed) - policies == kept | {"main.py", "requirements.txt"}
    assert policies <= {"policies/cvplus.yaml", "policies/example.yaml", "policies/policy.schema.json"}
    assert len(policies) == 1 + len(example.outputs["rollback"]["applications"])
    assert all((ROOT / name).samefile(file) for name, file in packed.items())


def test_functions_say_what_they_were_made_of(example: Configuration) -> None:
    """As doctor works it out from a checkout and its policies."""
    files = {
        load_policy(ROOT / "policies" / name).system: load_policy(ROOT / "policies" / name).fingerprint
        for name in ("cvplus.yaml", "example.yaml")
    }
    wanted = {CODE_LABEL: hash_code(ROOT)} | {
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
    schema = json.loads((ROOT / "shared/domain/commands/command.schema.json").read_text())
    [definition] = [one.values["definition"] for one in example.of("google_pubsub_schema")]
    [(name, command)] = re.findall(
        r"^message (\w+) \{\n(.*?)^\}", definition, re.M | re.S
    )  # Pub/Sub takes one
    [(within, operator)] = re.findall(r"^  message (\w+) \{\n(.*?)^  \}", command, re.M | re.S)
    shapes = (schema, *schema["oneOf"])

    assert (name, within) == ("Command", "Operator")
    assert fields_of(command.replace(operator, "")) == proto_types(*(one["properties"] for one in shapes))
    said = schema["properties"]["operator"]["properties"]
    assert fields_of(operator) == proto_types(said)


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
    fields = re.findall(r"^ +((?:repeated )?\w+) (\w+) = (\d+);$", message, re.M)
    assert len({number for *_, number in fields}) == len(fields)
    return {name: kind for kind, name, _ in fields}
