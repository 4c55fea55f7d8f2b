"""Each verification step of a scenario is a row: passed, failed, not known or not declared."""

from datetime import timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from shared.core.errors import Unavailable
from shared.domain.incidents.incident import IncidentStatus
from shared.domain.policy.probes import VerificationCheck
from shared.domain.policy.scenario_names import ScenarioName
from shared.domain.policy.system_policy import Policy
from shared.domain.reports.html import render_html
from shared.domain.reports.impact import ImpactCounts
from shared.domain.reports.markdown import render_markdown
from shared.domain.reports.report import IncidentReport, build_report
from shared.domain.rollback.rollback import RollbackStatus
from shared.domain.signals.health import ProbeAnswer
from shared.state.audit_reader import AuditReader
from shared.state.reader import StateReader
from shared.state.report_source import gather_report_facts
from tests.support.cli.browser import Browser, visible_text
from tests.support.cli.in_process import WorldPrompt
from tests.support.data.corrupted_bookshop import SHOP, CorruptedShop
from tests.support.runtime.world import BOOKSHOP, World

MINUTE = timedelta(minutes=1)
FUNCTIONS, DATABASE = (ScenarioName.FUNCTIONS,), (ScenarioName.DATABASE,)
STEPS = {
    "catalogue": VerificationCheck(FUNCTIONS, probes=("book",), groups=("catalogue",)),
    "checkout": VerificationCheck(FUNCTIONS, probes=("order-status",)),
    "site": VerificationCheck(FUNCTIONS, probes=("shop",)),
    "refunds": VerificationCheck(FUNCTIONS),
    "customers": VerificationCheck(DATABASE, collections=("customers",)),
}
POLICY = replace(BOOKSHOP, verification=STEPS)
CATALOGUE = ["getBook", "listBooks", "searchBooks"]


def rolled_back(world: World, functions: list[str] | None = None) -> World:
    """The world nine minutes after the alert about a bad release: it is monitored."""
    world.deploy_bad(functions)
    world.alert()
    world.pass_time(9 * MINUTE)
    return world


def results(world: World) -> dict[str, tuple[str, str]]:
    """State and reason by step, as the newest rollback has them."""
    return {row.step: (row.state, row.reason) for row in world.newest_rollback.verification.values()}


def report_of(world: World, policy: Policy) -> IncidentReport:
    """The report of the newest incident as it is written now."""
    reading, trail = StateReader(world.store), AuditReader(world.store, None)
    now = world.now
    return build_report(
        gather_report_facts(reading, trail, policy, world.newest_incident, now, ImpactCounts())
    )


def test_the_steps_of_the_scenario_are_rows(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """In status, console, report and audit log; a step without a check prevents nothing."""
    world = rolled_back(World(policy=POLICY))

    rollback = world.rollback
    worked = ("passed", "it worked at the newest check")
    assert results(world) == {
        "catalogue": worked,
        "checkout": worked,
        "site": worked,
        "refunds": ("not declared", "the policy declares no check for it"),
    }
    assert rollback.verified_at is not None
    shown = WorldPrompt(monkeypatch, tmp_path, world).say("status").output
    assert "checkout: passed, it worked at the newest check" in shown
    assert "refunds: not declared, the policy declares no check for it" in shown
    browser = Browser(world)
    browser.sign_in()
    page = visible_text(browser.get(f"/incidents/{rollback.incident}"))
    assert "refunds: not declared, the policy declares no check for it" in page
    report = report_of(world, POLICY)
    row = "| refunds | not declared | the policy declares no check for it |"
    assert row in render_markdown(report)
    assert "<p>refunds: not declared, the policy declares no check for it</p>" in render_html(report)
    changes = [
        event.facts["changes"]["verification"][1]
        for entry in world.trail(rollback)
        for event in entry.events
        if "verification" in event.facts.get("changes", {})
    ]
    states = [{name: row["state"] for name, row in rows.items()} for rows in changes]
    assert states[0]["catalogue"] == "not known", "no request was counted at the first check"
    assert states[-1] == {step: state for step, (state, _) in results(world).items()}
    assert world.find_violated_invariants() == []


def test_a_step_that_fails_is_a_row_of_the_failed_rollback() -> None:
    """With the answer that the probe got."""
    world = World(policy=POLICY)
    world.ports.prober.answers["shop"] = ProbeAnswer(False, 200, "not as expected: result.id")

    rolled_back(world)

    assert world.rollback.status is RollbackStatus.FAILED
    assert results(world)["site"] == ("failed", "shop fails: 200, not as expected: result.id")


def test_a_step_of_functions_that_were_not_restored() -> None:
    """Its failure keeps the recovery from being verified; the rollback is not to blame."""
    world = World(policy=POLICY)
    world.ports.prober.answers["order-status"] = ProbeAnswer(False, 500, "expected status 200")

    rolled_back(world, CATALOGUE)

    rollback = world.rollback
    assert results(world)["checkout"] == ("failed", "order-status fails: 500, expected status 200")
    assert (rollback.status, rollback.verified_at) == (RollbackStatus.WATCHING, None)
    assert world.newest_incident.status is not IncidentStatus.WATCHING


def test_a_step_whose_probe_cannot_be_sent() -> None:
    """Not known, which is neither passed nor failed."""
    world = World(policy=POLICY)
    world.ports.prober.answers["shop"] = Unavailable("no network")

    rolled_back(world)

    assert results(world)["site"] == ("not known", "shop could not be asked")
    assert world.rollback.verified_at is None


def test_a_step_of_another_scenario_counts_where_its_functions_were_restored() -> None:
    """As before; a step of this scenario counts in any case."""
    steps = {
        "catalogue": VerificationCheck(DATABASE, probes=("book",)),
        "checkout": VerificationCheck(DATABASE, probes=("order-status",)),
        "orders": VerificationCheck(FUNCTIONS, groups=("checkout",)),
    }

    world = rolled_back(World(policy=replace(POLICY, verification=steps)), CATALOGUE)

    assert results(world) == {
        "catalogue": ("passed", "it worked at the newest check"),
        "orders": ("not known", "none of its functions was restored"),
    }


def test_restored_documents_are_checked_by_the_declared_steps() -> None:
    """By the run through the data that follows the last write; monitoring keeps their rows."""
    steps = {
        "customer-profiles": VerificationCheck(DATABASE, collections=("customers",)),
        "data": VerificationCheck(DATABASE, collections=("customers", "orders")),
        "site": VerificationCheck(DATABASE, probes=("shop",)),
        "media-files": VerificationCheck(DATABASE),
    }
    shop = CorruptedShop(replace(SHOP, verification=steps))
    shop.order_until_parked()
    shop.approve("bob")
    shop.pass_time(5 * MINUTE)

    assert shop.newest.status in (RollbackStatus.WATCHING, RollbackStatus.SUCCEEDED)
    assert results(shop) == {
        "customer-profiles": ("passed", "2 documents checked: 0 invalid, 0 could not be judged"),
        "data": ("passed", "3 documents checked: 0 invalid, 0 could not be judged"),
        "site": ("passed", "it worked at the newest check"),
        "media-files": ("not declared", "the policy declares no check for it"),
    }


def test_documents_that_are_still_invalid_are_a_failed_step() -> None:
    """What nobody could restore is counted in its row."""
    steps = {"data": VerificationCheck(DATABASE, collections=("customers", "orders"))}
    shop = CorruptedShop(replace(SHOP, verification=steps))
    shop.order_until_parked()
    shop.write({"customers/eve": {"name": "Eve"}})
    shop.approve("bob")
    shop.pass_time(5 * MINUTE)

    assert results(shop)["data"] == ("failed", "4 documents checked: 1 invalid, 0 could not be judged")
