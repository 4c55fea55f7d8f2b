from collections.abc import Iterable
from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from responders.scenarios.functions import plan_functions
from shared.domain.decision.facts import compare_traffic
from shared.domain.decision.rebuild_selection import add_rebuilds
from shared.domain.deployments.deployment import Deployment, DeploymentStatus
from shared.domain.deployments.deployment import placements as placed
from shared.domain.policy.scenario_names import ScenarioName
from shared.domain.policy.system_policy import Group, Policy
from shared.domain.rollback.plan import (
    Plan,
    Step,
    StepStatus,
    blocked_steps,
    count_progress,
    freeze_plan,
    ready_steps,
    unneeded_steps,
    unreached_steps,
)
from tests.support.fakes.run.source_copies import build_record_with_copies
from tests.support.runtime.world import BOOKSHOP, World

NOW = datetime(2026, 3, 2, tzinfo=UTC)
A, B, C = (Step(name, "shift", name) for name in "ABC")


def by_name(*steps: Step) -> dict[str, Step]:
    return {step.name: step for step in steps}


@pytest.mark.parametrize(
    ("before", "tolerant", "may", "never"),
    [
        (StepStatus.PENDING, False, False, False),
        (StepStatus.BEGUN, False, False, False),
        (StepStatus.DONE, False, True, False),
        (StepStatus.STOPPED, False, False, True),
        (StepStatus.STOPPED, True, True, False),
        (StepStatus.FAILED, False, False, True),
        (StepStatus.FAILED, True, False, True),
        (StepStatus.SKIPPED, True, False, True),
    ],
)
def test_what_waits_for_another_step(before: StepStatus, tolerant: bool, may: bool, never: bool) -> None:
    """A step begins when those before it are done; it never does when one of them ended badly."""
    second = replace(B, after=("A",), despite_stopped=tolerant)
    third = replace(C, after=("B",))
    steps = by_name(replace(A, status=before), second, third)

    assert (second in ready_steps(steps)) is may
    assert [step.name for step in blocked_steps(steps)] == (["B", "C"] if never else [])


def test_equal_plans_have_equal_fingerprints_and_others_do_not() -> None:
    """By its fingerprint a plan is approved, and recognised."""

    def plan(steps: Iterable[Step]) -> Plan:
        return freeze_plan(ScenarioName.FUNCTIONS, "v1", steps, "policy")

    assert plan([A, B]).header == plan([A, B]).header
    assert plan([A, B]).header.fingerprint != plan([B, A]).header.fingerprint
    assert plan([A]).header.fingerprint != plan([replace(A, goal={"x": 1})]).header.fingerprint


def planned(
    policy: Policy, *, created: str = "", deleted: str = "", untouched: str = "", may_rebuild: bool = False
) -> Plan:
    """The plan back from a bad release of everything, or of everything but `untouched`."""
    world = World(policy=policy)
    before = world.platform.functions()
    if created:
        del before[created]
    stable = Deployment("v1", policy.system, world.now, DeploymentStatus.STABLE, placed(before))
    world.deploy_bad(set(policy.functions) - {untouched} if untouched else None)
    if deleted:
        world.platform.delete_function(deleted)
    inventory = world.platform.inventory()
    change = compare_traffic(stable, inventory, (stable,), policy)
    if not may_rebuild:
        return plan_functions(policy, inventory, change, change.functions)
    seen, recorded = (
        build_record_with_copies(world.platform.functions()),
        build_record_with_copies(before).functions or {},
    )
    change = add_rebuilds(change, inventory, recorded, seen)
    return plan_functions(policy, inventory, change, change.functions, may_rebuild=True, seen=seen)


def test_each_group_sends_one_canary_and_waits_for_its_judgement() -> None:
    """Canary, judgement, then all others of the group at once."""
    steps = by_name(*planned(BOOKSHOP).steps)

    assert steps["shift getBook"].after == ()
    assert steps["judge catalogue"].after == ("shift getBook",)
    assert steps["shift listBooks"].after == ("judge catalogue",)
    assert steps["judge catalogue"].halts


def test_a_group_waits_for_those_that_the_policy_puts_before_it() -> None:
    """Clients go back before what they call."""
    steps = by_name(*planned(BOOKSHOP).steps)
    storefront = {"shift renderBasket", "shift renderShop", "judge storefront"}

    assert set(steps["shift orderStatus"].after) <= storefront
    assert steps["shift orderStatus"].after
    numbers = [steps[name].number for name in steps]
    assert numbers == sorted(numbers)


def test_a_client_is_not_asked_while_what_it_calls_is_still_bad() -> None:
    """Its canary is judged by readiness; the group that it calls is asked, and stops the plan."""
    steps = by_name(*planned(BOOKSHOP).steps)

    assert steps["judge storefront"].goal["request"] == ""
    assert '/orderStatus"' in steps["judge checkout"].goal["request"]
    assert '/getBook?id=1"' in steps["judge catalogue"].goal["request"]


def test_a_group_of_one_is_a_canary_with_its_judgement() -> None:
    """The next group waits for the judgement where there is nobody else."""
    policy = replace(
        BOOKSHOP,
        groups={"one": Group(("getBook",)), "two": Group(("payOrder",), after=("one",))},
        probes=(),
        group_aliases={},
    )

    steps = by_name(*planned(policy).steps)

    assert steps["shift payOrder"].after == ("judge one",)


def test_a_group_that_nothing_changed_in_hands_on_whom_it_waits_for() -> None:
    """Who waits for it waits for those before it: clients of clients go first."""
    policy = replace(
        BOOKSHOP,
        groups={
            "three": Group(("payOrder",), after=("two",)),
            "two": Group(("listBooks",), after=("one",)),
            "one": Group(("getBook",)),
        },
        probes=(),
        group_aliases={},
    )

    steps = by_name(*planned(policy, untouched="listBooks").steps)

    assert set(steps) == {"shift getBook", "judge one", "shift payOrder", "judge three"}
    assert steps["shift payOrder"].after == ("judge one",)


@pytest.mark.parametrize(("number", "stand_in"), [(300, True), (301, False)])
def test_rebuilds_stand_in_as_long_as_they_fit_into_one_commit(number: int, stand_in: bool) -> None:
    """Beyond that a shift that fails is not built again, and the plan says so."""
    group = Group(tuple(f"function{one:03d}" for one in range(number)))
    policy = replace(BOOKSHOP, groups={"all": group}, probes=(), group_aliases={})

    plan = planned(policy, may_rebuild=True)

    kinds = {step.kind for step in plan.steps}
    assert ("redeploy" in kinds) is stand_in
    assert len(plan.steps) <= 1_000
    assert plan.header.reported == (
        () if stand_in else ("a function whose shift fails is not rebuilt: there are too many functions",)
    )


def test_what_was_created_or_deleted_since_is_left_and_reported() -> None:
    """A plan says what it does not do."""
    plan = planned(BOOKSHOP, created="payOrder", deleted="listBooks")

    touched = {step.target for step in plan.steps}
    assert touched.isdisjoint({"payOrder", "listBooks"})
    assert plan.header.reported == (
        "payOrder was created later: not changed",
        "listBooks was deleted later: not restored",
    )


@pytest.mark.parametrize(
    ("steps", "told"),
    [
        ([], (0, 0)),
        ([("", StepStatus.PENDING, False), ("x", StepStatus.PENDING, False)], (0, 1)),
        ([("", StepStatus.DONE, True), ("x", StepStatus.UNNEEDED, False)], (1, 1)),
        ([("", StepStatus.FAILED, True), ("x", StepStatus.BEGUN, True)], (1, 2)),
        ([("", StepStatus.FAILED, True), ("x", StepStatus.DONE, True)], (2, 2)),
        ([("", StepStatus.SKIPPED, False), ("x", StepStatus.SKIPPED, False)], (1, 1)),
    ],
)
def test_a_stand_in_counts_once_it_is_called_for(
    steps: list[tuple[str, StepStatus, bool]], told: tuple[int, int]
) -> None:
    """Whoever follows a rollback is not told of steps that nobody may ever need."""
    plan = [
        Step(str(n), "shift", "f", instead_of=other, status=status, begun_at=NOW if begun else None)
        for n, (other, status, begun) in enumerate(steps)
    ]

    assert count_progress(plan) == told


STANDING = (
    Step("B", "x", "A", instead_of="A"),
    Step("C", "y", "A", instead_of="A", after=("B",)),
    Step("D", "z", "D", after=("A",)),
)
"""What stands in for A, and what waits for it."""


@pytest.mark.parametrize(
    ("first", "build", "route", "begins", "spared", "never", "bad"),
    [
        ("BEGUN", "PENDING", "PENDING", "", "", "", "AD"),
        ("DONE", "PENDING", "PENDING", "D", "BC", "", "D"),
        ("STOPPED", "PENDING", "PENDING", "", "BC", "D", "AD"),
        ("FAILED", "PENDING", "PENDING", "B", "", "", "ABCD"),
        ("FAILED", "DONE", "PENDING", "C", "", "", "ACD"),
        ("FAILED", "DONE", "DONE", "D", "", "", "D"),
        ("FAILED", "FAILED", "PENDING", "", "", "CD", "ABCD"),
        ("FAILED", "DONE", "STOPPED", "", "", "D", "ACD"),
    ],
)
def test_what_stands_in_for_a_step_speaks_for_it(
    first: str, build: str, route: str, begins: str, spared: str, never: str, bad: str
) -> None:
    """It begins once that one has failed; the last of them lets the others go on, or does not."""
    statuses = (first, build, route, "PENDING")
    steps = {
        step.name: replace(step, status=StepStatus(status))
        for step, status in zip((A, *STANDING), statuses, strict=True)
    }

    assert names(ready_steps(steps)) == begins
    assert names(unneeded_steps(steps)) == spared
    assert names(blocked_steps(steps)) == never
    assert names(unreached_steps(steps)) == bad


def names(steps: Iterable[Step]) -> str:
    return "".join(sorted(step.name for step in steps))
