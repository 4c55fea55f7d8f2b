"""One place to add a step kind, a channel and a product: each is added here from outside."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, cast

import pytest
from msgspec.structs import replace

from responders.scenarios import functions, registry
from responders.scenarios.products.registry import PLANNERS, Planner, portion_of
from responders.scenarios.registry import SCENARIOS
from responders.scenarios.resource_plan import PlanParts, Portion, ResourceState, join_plans
from shared.adapters.channels.base import ChannelClients, message_of
from shared.adapters.channels.registry import SENDERS
from shared.adapters.channels.sender import ChannelSender
from shared.core.codec import decode, encode
from shared.domain.decision.scenario_scope import SCENARIO_SCOPES
from shared.domain.deployments.inventory.diff import ChangeKind, Difference
from shared.domain.deployments.inventory.inventory_parts import SchedulerJob, WholeInventory
from shared.domain.deployments.inventory.products import PRODUCTS, InventoryPart, restored_parts
from shared.domain.policy.channels import REQUIRED_KEYS, Channel, ChannelKind
from shared.domain.policy.scenario_names import ScenarioName
from shared.domain.policy.system_policy import Policy
from shared.domain.rollback.plan import Plan, Step, StepStatus, freeze_plan
from shared.domain.rollback.rollback import RollbackStatus
from shared.engine.steps.base import ResourceStep, StepKind, StepObservation, StepVerdict
from shared.engine.steps.registry import STEPS
from tests.contracts.support.channels import Known
from tests.support.fakes.groups import NoticeFakes
from tests.support.fakes.resources import FakeEstate
from tests.support.rollbacks.bookshop_resources import SHOP, add_healthy_resources, deploy_bad_release
from tests.support.rollbacks.complete_scenario import read_deployments, start_outage
from tests.support.runtime.world import BOOKSHOP, FakePorts, World

HOUR = timedelta(hours=1)


def test_the_registries_agree() -> None:
    """A product that is restored has a planner and a step; each kind of channel has its keys."""
    resource_steps = [step for step in STEPS.values() if issubclass(step, ResourceStep)]

    assert set(PRODUCTS) == set(InventoryPart)
    assert set(PLANNERS) == set(restored_parts()) == {step.part for step in resource_steps}
    assert set(SENDERS) == set(REQUIRED_KEYS) == set(ChannelKind)


RUNG: list[str] = []
"""The bells that the new kind of step has rung."""


class RingBell(StepKind):
    """A kind of step that this version does not have."""

    expected_seconds = 1.0

    def look(self, step: Step) -> StepObservation:
        """Return whether the bell was rung."""
        return StepObservation(StepVerdict.AT_GOAL if step.target in RUNG else StepVerdict.AT_ORIGIN)

    def set(self, step: Step) -> str:
        """Ring the bell."""
        RUNG.append(step.target)
        return ""


def test_a_new_kind_of_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine carries it out once, and records it."""
    monkeypatch.setitem(STEPS, "ring_bell", RingBell)
    honest = functions.plan_functions

    def plan(policy: Policy, *facts: Any, **ways: Any) -> Plan:
        made = honest(policy, *facts, **ways)
        step = Step("ring the bell", "ring_bell", "tower", writes=1)
        return freeze_plan(made.header.scenario, made.header.target, (*made.steps, step), "policy")

    monkeypatch.setattr(functions, "plan_functions", plan)
    RUNG.clear()
    world = World()
    world.deploy_bad()
    world.alert()
    world.pass_time(HOUR)

    [rollback] = world.rollbacks()
    assert rollback.status is RollbackStatus.SUCCEEDED
    assert RUNG == ["tower"]
    assert world.steps(rollback.id)["ring the bell"].status is StepStatus.DONE
    told = [event for entry in world.trail(rollback) for event in entry.events]
    assert "step.done" in {one.name for one in told if one.facts.get("step") == "ring the bell"}
    assert world.find_violated_invariants() == []


class PagingPorts(FakePorts):
    """Ports whose notices leave by the real sender."""

    @property
    def notices(self) -> NoticeFakes:
        """Return what sends notices."""
        return NoticeFakes(ChannelSender(secrets=Known(pager="number 7")), self.forms, self.pages)


def test_a_new_kind_of_channel(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its module gets each notice, with what the channel's secret holds."""
    paged: list[tuple[str, str]] = []

    def send(clients: ChannelClients, channel: Channel, key: str, notice: Mapping[str, Any]) -> None:
        paged.append((clients.read_secret(channel), message_of(notice).subject))

    kind = cast(ChannelKind, "pager")
    monkeypatch.setitem(SENDERS, kind, send)
    channel = Channel("ada", kind, secret="pager")
    policy = replace(BOOKSHOP, channels=(channel,), contacts=(), on_call=())
    world = World(policy=policy, ports=PagingPorts(policy))
    world.deploy_bad()
    world.alert()
    world.pass_time(timedelta(minutes=5))

    assert {secret for secret, _ in paged} == {"number 7"}
    assert any("INC-20260302-001" in subject for _, subject in paged)


class ResumeSchedule(ResourceStep):
    """Restores a job of Cloud Scheduler, which this version only records and compares."""

    part = InventoryPart.SCHEDULES
    expected_seconds = 1.0

    def look(self, step: Step) -> StepObservation:
        """Compare the live job with goal and origin."""
        job = encode(self._estate.schedules.jobs()[step.target])
        if job == step.goal:
            return StepObservation(StepVerdict.AT_GOAL)
        return StepObservation(
            StepVerdict.AT_ORIGIN if job == step.origin else StepVerdict.ELSEWHERE, step.seen
        )

    def set(self, step: Step) -> str:
        """Replace the job."""
        estate = cast(FakeEstate, self._estate)
        estate.scheduled[step.target] = decode(SchedulerJob, step.goal)
        return ""

    @classmethod
    def is_at_goal(cls, step: Step, name: str, live: WholeInventory) -> bool:
        """Compare the job with the goal."""
        return encode((live.schedules or {})[name]) == step.goal


def schedules_portion(sight: ResourceState, within: timedelta) -> Portion:
    """Return a step for each job that was changed."""
    then, now = sight.recorded.schedules or {}, sight.live.schedules or {}
    return Portion(
        tuple(
            Step(
                name=f"resume {name}",
                kind="resume_schedule",
                target=name,
                goal=encode(then[name]),
                origin=encode(now[name]),
                writes=1,
                within_seconds=within.total_seconds(),
            )
            for name in sorted(then.keys() & now.keys())
            if then[name] != now[name]
        )
    )


def complete_with_schedules(policy: Policy, functions: Portion, sight: ResourceState) -> PlanParts:
    """Return what the complete scenario restores, and the schedules."""
    made = registry.plan_complete(policy, functions, sight)
    part = portion_of(InventoryPart.SCHEDULES, sight, policy.execution.step_within)
    return replace(made, acts=join_plans(made.acts, part))


def test_a_new_product(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is compared, planned, restored and recognised as our own change."""
    schedules = InventoryPart.SCHEDULES
    facts = replace(PRODUCTS[schedules], is_restored=True, unrestored_as="")
    monkeypatch.setitem(PRODUCTS, schedules, facts)
    monkeypatch.setitem(STEPS, "resume_schedule", ResumeSchedule)
    monkeypatch.setitem(PLANNERS, schedules, Planner(schedules_portion))
    scope = SCENARIO_SCOPES[ScenarioName.COMPLETE]
    wider = replace(scope, acts=scope.acts | {schedules})
    monkeypatch.setitem(SCENARIO_SCOPES, ScenarioName.COMPLETE, wider)
    monkeypatch.setitem(SCENARIOS, ScenarioName.COMPLETE, complete_with_schedules)
    running = SchedulerJob("0 3 * * *", "https://shop.example/", "ENABLED", "hash")

    def furnish_with_job(estate: FakeEstate) -> None:
        add_healthy_resources(estate)
        estate.scheduled = {"nightly": running}

    policy = replace(SHOP, resources=replace(SHOP.resources, schedules=""))
    world = World(policy=policy, furnish=furnish_with_job)
    estate = world.ports.beside
    estate.scheduled["nightly"] = replace(running, state="PAUSED")
    deploy_bad_release(world, "sites")
    paused = Difference(schedules, "nightly", ChangeKind.CHANGED, ("state",))
    assert paused in read_deployments(world)["bad"].changes

    start_outage(world, "frontend_unavailable", "site")
    world.pass_time(HOUR)

    [rollback] = world.rollbacks()
    assert estate.scheduled == {"nightly": running}
    assert rollback.status is RollbackStatus.SUCCEEDED
    assert world.steps(rollback.id)["resume nightly"].status is StepStatus.DONE
    assert set(read_deployments(world)) == {"v1", "bad"}
    assert world.find_violated_invariants() == []
