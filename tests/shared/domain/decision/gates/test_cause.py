"""What beside the functions, or of those that people sign in by, explains the trouble."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from shared.domain.decision.facts import DecisionFacts
from shared.domain.decision.gates.base import GateAnswer, GateResult, Outcome
from shared.domain.deployments.deployment import Deployment, DeploymentStatus
from shared.domain.deployments.inventory.diff import ChangeKind, Difference
from shared.domain.deployments.inventory.products import InventoryPart
from shared.domain.policy.scenario_names import Mode, ScenarioName
from shared.domain.signals.health import ProbeAnswer, RouterRequests
from shared.domain.signals.probe_history import ProbeResult
from tests.support.decision.gate_facts import (
    ALERT,
    BAD_RELEASE,
    CHANGED_AT,
    EVERYTHING,
    ILL,
    MINUTE,
    NOW,
    ONSET,
    QUIET,
    SECOND,
    STABLE,
    WELL,
    WINDOW,
    build_deployment,
    build_inventory,
    change_alert,
    change_facts,
    decide,
    failing_requests,
)
from tests.support.runtime.world import BOOKSHOP

CATALOGUE = set(BOOKSHOP.groups["catalogue"].functions)
SITE_DOWN = {"shop": ProbeAnswer(False, 503)}
SITE = Difference(InventoryPart.SITES, "bookshop-prod", ChangeKind.CHANGED, ("version",))


def answered(given: DecisionFacts, scenario: ScenarioName) -> GateAnswer:
    """What the gate of the cause says where the site is down by that scenario's signal."""
    signal = replace(BOOKSHOP.signals["frontend_unavailable"], scenario=scenario, mode=Mode.ACT)
    decision = decide(
        replace(given, alerts=(replace(ALERT, signal="frontend_unavailable"),)),
        signals={**BOOKSHOP.signals, "frontend_unavailable": signal},
        scenarios={scenario: Mode.ACT},
        group_aliases={"authentication": ("catalogue",)},
    )
    [cause] = [one for one in decision.answers if one.gate == "cause"]
    return cause


def another_site(
    at: timedelta, seen_before: timedelta = MINUTE, status: DeploymentStatus = DeploymentStatus.LIVE
) -> Deployment:
    """A deployment of another version of the site, so long after the onset."""
    changed = build_deployment("v2", status, NOW - ONSET - at)
    return replace(changed, changes=(SITE,), not_before=changed.at - seen_before)


SURE, SILENT = (GateResult.PASS, Outcome.ROLLBACK), (GateResult.UNKNOWN, Outcome.ROLLBACK)
PERHAPS, NONE = (GateResult.STOP, Outcome.ASK), (GateResult.STOP, Outcome.ESCALATE)


@pytest.mark.parametrize(
    ("situation", "changed", "probes", "expected"),
    [
        ("at the onset", another_site(0 * SECOND), SITE_DOWN, SURE),
        ("at the edge of the window", another_site(-WINDOW), SITE_DOWN, SURE),
        ("before the window", another_site(-WINDOW - SECOND), SITE_DOWN, NONE),
        ("seen after the onset, unchanged at it", another_site(SECOND, SECOND), SITE_DOWN, PERHAPS),
        ("unchanged after the onset", another_site(2 * SECOND, SECOND), SITE_DOWN, NONE),
        ("taken back since", another_site(0 * SECOND, status=DeploymentStatus.BAD), SITE_DOWN, NONE),
        ("nothing is seen to fail", another_site(0 * SECOND), {}, SILENT),
    ],
)
def test_a_change_beside_functions(
    situation: str, changed: Deployment, probes: dict[str, ProbeAnswer], expected: tuple[GateResult, Outcome]
) -> None:
    """It explains trouble within the window after it, where something is seen to fail."""
    given = replace(
        BAD_RELEASE,
        inventory=build_inventory(set()),
        requests=QUIET,
        deployments=(changed, STABLE),
        probes=probes,
    )

    found = answered(given, ScenarioName.COMPLETE)

    assert (situation, found.answer, found.leads_to) == (situation, *expected)


@pytest.mark.parametrize(
    ("changed", "probes", "expected"),
    [
        (CATALOGUE, SITE_DOWN, SURE),
        (CATALOGUE, {}, SILENT),
        (set(BOOKSHOP.functions) - CATALOGUE, SITE_DOWN, NONE),  # nobody signs in by those
    ],
)
def test_functions_that_people_sign_in_by(
    changed: set[str], probes: dict[str, ProbeAnswer], expected: tuple[GateResult, Outcome]
) -> None:
    """Their change explains that nobody can sign in, although no router counts that as failed."""
    given = replace(BAD_RELEASE, inventory=build_inventory(changed), requests=QUIET, probes=probes)

    found = answered(given, ScenarioName.AUTH)

    assert (found.answer, found.leads_to) == expected


def test_one_old_alert_and_one_of_now() -> None:
    """An alert that comes late makes no old news of the other."""
    late = replace(ALERT, published_at=NOW - timedelta(hours=1))

    assert decide(replace(change_alert(), alerts=(late, ALERT))).outcome is Outcome.ROLLBACK
    assert decide(replace(change_alert(), alerts=(late, late))).outcome is Outcome.IGNORE


@pytest.mark.parametrize(
    ("changed", "said"),
    [({"payOrder"}, "1 of 1 changed function fails"), (EVERYTHING, "8 of 8 changed functions fail")],
)
def test_the_cause_reads_right_for_one_function_and_for_several(changed: set[str], said: str) -> None:
    failing = {**QUIET, **dict.fromkeys(changed, ILL)}

    decision = decide(change_facts(inventory=build_inventory(changed), requests=failing))

    [cause] = [one.reason for one in decision.answers if one.gate == "cause"]
    assert cause.startswith(f"{said}, changed before ")


def build_checks(*failures: int, seconds: float = 60.0) -> tuple[ProbeResult, ...]:
    """Return checks so long after the release, 30 s apart; a failed one is repeated five times."""
    times = [CHANGED_AT + timedelta(seconds=seconds + 30 * number) for number in range(len(failures))]
    return tuple(
        ProbeResult(at, at, failed <= 3, 1.0, 200, answers=6 if failed else 1, failures=failed)
        for at, failed in zip(times, failures, strict=True)
    )


@pytest.mark.parametrize(
    ("situation", "checks", "outcome"),
    [
        ("it failed from the first check on", build_checks(6, 6, 6), Outcome.ROLLBACK),
        ("it worked at first", build_checks(0, 6, 6), Outcome.ASK),
        ("it works again", build_checks(0, 6, 6, 0, 0), Outcome.ASK),
        ("the old revision answered", build_checks(0, 6, 6, seconds=20.0), Outcome.ROLLBACK),
        ("what fails often passes by luck", build_checks(0, 3, 3), Outcome.ROLLBACK),
        ("ten passed checks are no luck", build_checks(*[0] * 10, 3, 3), Outcome.ASK),
        ("it never failed", build_checks(0, 0, 0), Outcome.ROLLBACK),
    ],
)
def test_checks_that_passed_after_the_release_point_to_another_cause(
    situation: str, checks: tuple[ProbeResult, ...], outcome: Outcome
) -> None:
    """A bad release fails from its first requests on; probes see that before any are counted."""
    decision = decide(change_facts(checks={"book": checks}))

    assert (situation, decision.outcome) == (situation, outcome)
    assert outcome is Outcome.ROLLBACK or " failing probe passed " in decision.reason


ALL_FAIL = failing_requests(EVERYTHING)
SOUND_ORDERS = {**ALL_FAIL, "orderStatus": WELL}


@pytest.mark.parametrize(
    ("situation", "requests", "orders", "outcome"),
    [
        ("a function that works fails once", SOUND_ORDERS, build_checks(0, 0, 0, 0, 6, 0), Outcome.ROLLBACK),
        ("what fails worked at first", ALL_FAIL, build_checks(0, 6, 6), Outcome.ASK),
    ],
)
def test_only_probes_of_what_fails_count(
    situation: str, requests: dict[str, RouterRequests], orders: tuple[ProbeResult, ...], outcome: Outcome
) -> None:
    """The book failed from its first check on; the question says of how many that is not true."""
    checks = {"book": build_checks(6, 6, 6), "order-status": orders}

    decision = decide(change_facts(requests=requests, checks=checks))

    assert (situation, decision.outcome) == (situation, outcome)
    passed = "1 of 2 failing probes passed 1 check after the release, before the first failure"
    assert outcome is Outcome.ROLLBACK or passed in decision.reason
