"""One entry in a registry adds a gate, a scenario, a signal, a command, a trigger, a policy key."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path
from typing import Any

import flask
import pytest
from msgspec.structs import replace

import main
from responders.commands.registry import COMMANDS
from responders.scenarios.registry import SCENARIOS
from responders.scenarios.resource_plan import PlanParts, Portion, ResourceState
from responders.support.command_handler import CommandEffect, CommandRequest
from responders.triggers.registry import TRIGGERS
from shared.core import topics
from shared.core.errors import BadConfiguration
from shared.core.pubsub_message import PubSubMessage
from shared.domain.commands import command as commands
from shared.domain.commands.registry import COMMAND_RULES, CommandRule
from shared.domain.decision.gates.base import GateAnswer, GateInput, GateResult, Outcome
from shared.domain.decision.gates.registry import GATES, RegisteredGate, RequestKind
from shared.domain.decision.scenario_scope import SCENARIO_SCOPES, ScenarioScope
from shared.domain.deployments.inventory.products import InventoryPart
from shared.domain.policy.operator_identity import Role
from shared.domain.policy.scenario_names import Mode, ScenarioName
from shared.domain.policy.signals import Unit
from shared.domain.policy.system_policy import Policy
from shared.domain.rollback.rollback import RollbackStatus
from shared.domain.signals.registry import SIGNALS, SignalKind
from shared.policy_files import loader, schema
from shared.policy_files.registry import CHECKS
from shared.policy_files.yaml_document import Finding
from shared.ports.groups import Ports
from tests.support.cli.in_process import WorldPrompt
from tests.support.notices.system_events import read_dead_letters, system_event_names
from tests.support.runtime.entry_points import build_push, post_to_entry_point, start_instance
from tests.support.runtime.world import BOOKSHOP, POLICIES, World

ROOT = Path(__file__).parent.parent.parent
EXAMPLE = (POLICIES / "example.yaml").read_text()


@pytest.fixture
def policy_schema(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """The keys of a policy file, to be extended."""
    extended = deepcopy(schema._schema())
    monkeypatch.setattr(schema, "_schema", lambda: extended)
    caches = (schema._validator, loader._policy_type)
    with emptied(caches):
        yield extended["$defs"]["Policy"]["properties"]


@pytest.fixture
def command_schema(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """A copy of the schema of commands, to be extended before the first command."""
    file = tmp_path / commands.SCHEMA_FILE.name
    file.write_text(commands.SCHEMA_FILE.read_text())
    monkeypatch.setattr(commands, "SCHEMA_FILE", file)
    with emptied((commands._shape_by_verb, commands._schema, commands._validator)):
        yield file


@contextmanager
def emptied(caches: Iterable[Any]) -> Iterator[None]:
    for cached in caches:
        cached.cache_clear()
    yield
    for cached in caches:
        cached.cache_clear()


def test_a_new_gate_blocks_a_rollback(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It stops the bad release's rollback, and `explain` says what it needs."""

    def stock_taking(case: GateInput) -> GateAnswer:
        return GateAnswer("stock-taking", GateResult.STOP, "until Monday", Outcome.ESCALATE)

    gate = RegisteredGate(stock_taking, RequestKind.ALERT, "no stock-taking")
    monkeypatch.setitem(GATES, "stock-taking", gate)
    world = World()
    world.deploy_bad()
    before = world.live
    world.alert()
    world.settle()

    [rollback] = world.rollbacks()
    said = WorldPrompt(monkeypatch, tmp_path, world).say("explain", rollback.incident).stdout
    assert world.live == before
    assert rollback.status is RollbackStatus.NOT_TAKEN
    assert said.startswith("Not rolled back: until Monday.\n")
    assert re.search(r"stock-taking +stop +until Monday +no stock-taking\n", said)


def test_a_new_scenario_makes_a_plan(monkeypatch: pytest.MonkeyPatch) -> None:
    """A signal of it leads to its plan, which is carried out."""
    network = str.__new__(ScenarioName, "network")
    network._name_, network._value_ = "NETWORK", "network"

    def plan(policy: Policy, functions: Portion, sight: ResourceState) -> PlanParts:
        return PlanParts(replace(functions, reported=("the network stays",)))

    # Decoding finds the name although the enum does not list it.
    by_name = classmethod(lambda cls, name: network if name == "network" else None)
    monkeypatch.setattr(ScenarioName, "_missing_", by_name)
    reach = ScenarioScope(frozenset({InventoryPart.FUNCTIONS, InventoryPart.REMOTE_CONFIG}))
    monkeypatch.setitem(SCENARIO_SCOPES, network, reach)
    monkeypatch.setitem(SCENARIOS, network, plan)
    signal = replace(BOOKSHOP.signals["function_failure_rate"], scenario=network)
    policy = replace(BOOKSHOP, signals={"function_failure_rate": signal}, scenarios={network: Mode.ACT})
    world = World(policy=policy)
    before = world.live
    world.deploy_bad()
    world.alert()
    world.settle()

    [rollback] = world.rollbacks()
    assert rollback.plan is not None
    assert (rollback.plan.scenario, rollback.plan.reported) == (network, ("the network stays",))
    assert world.live == before


def test_a_new_signal_opens_an_incident(
    monkeypatch: pytest.MonkeyPatch, policy_schema: dict[str, Any]
) -> None:
    """A policy may declare it, in its own unit, and a notification of it is an incident."""
    monkeypatch.setitem(SIGNALS, "queue_backlog", SignalKind(Unit.SECONDS))
    policy_schema["signals"]["propertyNames"]["enum"].append("queue_backlog")
    meaning = "  queue_backlog: { severity: HIGH, scenario: functions, mode: ask, threshold: %s }"

    def declared(threshold: str) -> Policy:
        return loader.parse_policy(EXAMPLE.replace("\nsignals:", f"\nsignals:\n{meaning % threshold}"), "x")

    world = World(policy=replace(declared("60"), collections={}))
    world.alert(signal="queue_backlog")
    world.settle()

    assert [one.signal for one in world.incidents()] == ["queue_backlog"]
    with pytest.raises(BadConfiguration, match="threshold 0 is in seconds"):
        declared("0")


def test_a_new_command_is_accepted_and_audited(monkeypatch: pytest.MonkeyPatch, command_schema: Path) -> None:
    """An operator gives it; its handler runs once, and the audit log has both."""

    def annotate(asked: CommandRequest) -> CommandEffect:
        return CommandEffect(f"noted: {asked.command.reason}")

    admitted = json.loads(command_schema.read_text())
    admitted["properties"]["command"]["enum"].append("annotate")
    admitted["oneOf"].append({"properties": {"command": {"const": "annotate"}}})
    command_schema.write_text(json.dumps(admitted))
    monkeypatch.setitem(COMMANDS, "annotate", annotate)
    monkeypatch.setitem(COMMAND_RULES, "annotate", CommandRule(Role.RESPONDER))
    world = World()
    world.command(command="annotate", id="note", system=world.policy.system, actor="ada")
    world.settle()

    record = world.ports.store.get(commands.command_path("note")).fields or {}
    assert (record["result"], record["actor"]) == ("noted: a test", "ada")
    assert "command.annotate" in system_event_names(world)
    assert read_dead_letters(world) == []


def test_a_new_trigger_gets_its_messages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its topic is pushed to its entry point, which gives it each message."""
    received: list[tuple[str, bytes]] = []

    class BuildsTrigger:
        def __init__(self, ports: Ports, policies: Mapping[str, Policy]) -> None:
            self._policies = policies

        def receive(self, message: PubSubMessage) -> None:
            received.append((message.topic.rpartition("/")[2], message.data))

    topic = "rollback-builds"
    monkeypatch.setitem(TRIGGERS, "on_build", BuildsTrigger)
    monkeypatch.setitem(topics.ENTRY_POINTS, "on_build", (topic,))
    monkeypatch.setattr(topics, "ALL_TOPICS", (*topics.ALL_TOPICS, topic))
    world = World()
    world.publish(topic, b"one")
    world.settle()

    def on_build(request: flask.Request) -> tuple[str, int]:
        return main._answer(request, "on_build")

    monkeypatch.setattr(main, "on_build", on_build, raising=False)
    with start_instance(monkeypatch):
        assert post_to_entry_point("on_build", build_push(b"two"), topic=topic) == 204
    assert received == [(topic, b"one"), (topic, b"two")]


def test_a_new_policy_key_is_loaded_and_checked(
    monkeypatch: pytest.MonkeyPatch, policy_schema: dict[str, Any]
) -> None:
    """Its value is in the policy; a fault of it is reported with file, line and key."""

    class PolicyWithRunbook(Policy, frozen=True):
        runbook: str = ""

    def runbook_findings(policy: Mapping[str, Any]) -> Iterator[Finding]:
        if str(policy.get("runbook", "")).startswith("http:"):
            yield ("runbook",), "a runbook is read by https"

    policy_schema["runbook"] = {"type": "string", "default": ""}
    monkeypatch.setattr(loader, "Policy", PolicyWithRunbook)
    monkeypatch.setitem(CHECKS, "runbook", runbook_findings)
    policy = loader.parse_policy(f"runbook: https://shop.example\n{EXAMPLE}", "shop.yaml")

    assert isinstance(policy, PolicyWithRunbook)
    assert policy.runbook == "https://shop.example"
    with pytest.raises(BadConfiguration, match=r"shop\.yaml:1: a runbook is read by https"):
        loader.parse_policy(f"runbook: http://shop.example\n{EXAMPLE}", "shop.yaml")
    with pytest.raises(BadConfiguration, match=r"shop\.yaml:1: runbook: 5 is not text"):
        loader.parse_policy(f"runbook: 5\n{EXAMPLE}", "shop.yaml")


def test_registries_of_one_thing_have_the_same_names() -> None:
    """Two layers know commands, triggers and scenarios: each by the same names."""
    assert set(COMMANDS) == set(COMMAND_RULES)
    assert set(TRIGGERS) == set(topics.ENTRY_POINTS)
    assert {*SCENARIOS, ScenarioName.FUNCTIONS, ScenarioName.NONE} == {*ScenarioName} == {*SCENARIO_SCOPES}
    assert set(CHECKS) <= set(Policy.__struct_fields__)


KINDS = (*("product", "scenario", "step", "gate", "signal", "channel", "command", "trigger"), "policy key")


@pytest.mark.parametrize("kind", KINDS)
def test_the_files_of_each_list_exist(kind: str) -> None:
    """CONTRIBUTING.md says which files to change; NAME stands for the module that is added."""
    text = (ROOT / "CONTRIBUTING.md").read_text().partition(f"\n### Add a {kind}\n")[2]
    quoted = re.findall(r"`([\w./{},-]+/[\w./{},-]*|main\.py)`", re.split(r"\n##", text)[0])
    files = [path for one in quoted for path in spelled_out(one)]

    assert len(files) >= 4
    assert [path for path in files if not (ROOT / path).exists()] == []


def spelled_out(path: str) -> list[str]:
    """Return each path that `{a,b}` stands for, up to the folder of a module to be added."""
    path = path.removesuffix("NAME.py")
    before, brace, rest = path.partition("{")
    names, _, after = rest.partition("}")
    return [f"{before}{name}{after}" for name in names.split(",")] if brace else [path]
