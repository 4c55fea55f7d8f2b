"""`docs/scenarios.md` and `docs/policy.md` beside the policies and the schema of commands."""

import json
import re

import yaml

from shared.core.codec import from_builtins
from shared.domain.commands.command import parse_command
from shared.domain.policy.probes import ExpectedAnswer, VerificationCheck
from shared.domain.policy.scenario_names import ScenarioName
from shared.domain.policy.signals import BreadthLimits
from shared.policy_files import loader
from tests.support.cli.documented_commands import CVPLUS, PUBLISHED, README, SIGNED
from tests.support.cli.scenario_page import PAGE, render_tables, replace_tables
from tests.support.runtime.world import POLICIES


def test_the_tables_are_those_of_the_policy() -> None:
    """`python -m tests.support.cli.scenario_page` writes them anew."""
    page = PAGE.read_text()

    assert page == replace_tables(page, render_tables(CVPLUS))


def test_each_scenario_has_a_message_that_the_responders_understand() -> None:
    """The five scenarios, each in a message of its own."""
    messages = re.findall(r"^\| message \| `(.*)` \|$", PAGE.read_text(), re.MULTILINE)
    commands = [parse_command(one.encode(), "any", {CVPLUS.system: CVPLUS}) for one in messages]

    assert [one.scenario for one in commands] == [
        ScenarioName.COMPLETE,
        ScenarioName.FUNCTIONS,
        ScenarioName.DATABASE,
        ScenarioName.AUTH,
        ScenarioName.FEATURE,
    ]


def test_the_front_page_shows_one_message_that_a_person_publishes() -> None:
    """An order to roll back, signed and published by gcloud."""
    messages = [json.loads(SIGNED.search(line)[1]) for line in PUBLISHED if line in README]  # type: ignore[index]

    assert [one["command"] for one in messages] == ["rollback"]


def test_the_keys_of_the_page_on_policies_are_loaded() -> None:
    """Its two examples, in the small policy; its tables have each key of a probe and of a step."""
    page = (POLICIES.parent / "docs" / "policy.md").read_text()
    probes, steps = re.findall(r"```yaml\n(?:probes|verification):\n(.*?)```", page, flags=re.DOTALL)
    text = (POLICIES / "example.yaml").read_text()
    text = re.sub(r"^probes:\n", lambda found: found[0] + probes, text, flags=re.M)
    text = re.sub(r"^verification:.*\n", lambda found: found[0] + steps, text, flags=re.M)

    policy = loader.parse_policy(text, "example.yaml")

    probe = policy.probes[0]
    assert (probe.method, probe.body) == ("POST", {"data": {"order": "test-order"}})
    assert probe.expect.json == {"result.state": "paid", "result.items.0.id": None}
    assert policy.verification["orders-intact"].collections == ("orders",)
    assert policy.verification["refunds"] == VerificationCheck(scenarios=(ScenarioName.FUNCTIONS,))
    keys = {*re.findall(r"^\| `([a-z_.]+)` \|", page, flags=re.M)}
    assert {*(f"expect.{name}" for name in ExpectedAnswer.__struct_fields__)} <= keys
    assert {*BreadthLimits.__struct_fields__} <= keys
    [shown] = re.findall(r"^breadth: (\{.*\})$", page, flags=re.M)
    assert from_builtins(yaml.safe_load(shown), BreadthLimits) == BreadthLimits()
    assert {*VerificationCheck.__struct_fields__, "url", "method", "body", "headers", "sign_in"} <= keys
