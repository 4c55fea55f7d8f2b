"""While a rollback is paused or frozen, page and status follow what is observed."""

import json
from datetime import timedelta

import pytest

from shared.core.errors import Rejected
from shared.domain.incidents.incident import IncidentStatus
from shared.domain.incidents.recovery_times import measure_recovery
from shared.domain.policy.channels import Component
from shared.domain.presentation.status_page_html import JSON
from shared.domain.rollback.rollback import RollbackStatus
from tests.support.decision.outages import make_function_fail, set_failure_rate
from tests.support.fakes.runtime.hooks import raise_error, run_once
from tests.support.notices.status_page import MINUTE, build_world_with_page, read_page
from tests.support.rollbacks.bookshop_resources import build_shop_with_bad_resources
from tests.support.runtime.switches import iso_time_after, publish_after_second_shift
from tests.support.runtime.world import World

CATALOGUE, CHECKOUT = "Catalogue", "Checkout"
PARTS = (
    Component(CATALOGUE, functions=("listBooks", "getBook", "searchBooks")),
    Component(CHECKOUT, groups=("checkout",)),
)
BROKEN = ("listBooks", "getBook", "searchBooks")
WITHIN = 4 * MINUTE
RESTORING = "Not working. We have paused the restoration of a previous version."


def hold_rollback(verb: str = "pause", **content: object) -> World:
    """A rollback of three functions, which a person holds after its second shift."""
    world = build_world_with_page(components=PARTS)
    world.deploy_bad(BROKEN)
    if verb == "freeze":
        content["until"] = iso_time_after(world, timedelta(hours=1))
    publish_after_second_shift(world, verb, system="bookshop", actor="anna", **content)
    world.alert(resource={"type": "cloud_run_revision", "labels": {"service_name": "listbooks"}})
    world.pass_time(2 * MINUTE)
    rollback = world.rollback
    assert rollback.held_since is not None
    assert rollback.status is RollbackStatus.RUNNING
    return world


def read_words(world: World) -> dict[str, str]:
    """What the page says of each part."""
    return {one["name"]: one["words"] for one in json.loads(read_page(world, JSON))["_status"]["parts"]}


def repair_by_hand(world: World) -> None:
    """A person repairs what still fails, and Cloud Monitoring closes its alert."""
    for function in BROKEN:
        for revision in world.live[function]:
            world.platform.set_failure_rate(function, revision, 0.0)
    world.advance_clock(MINUTE)
    resource = {"type": "cloud_run_revision", "labels": {"service_name": "listbooks"}}
    world.alert("0.abc", "closed", resource=resource)


@pytest.mark.parametrize("verb", ["pause", "freeze"])
def test_what_is_repaired_during_a_hold_is_said_to_work(verb: str) -> None:
    """Page and status say so within minutes, and keep that time when the rollback continues."""
    world = hold_rollback(verb)
    assert read_words(world)[CATALOGUE] == RESTORING
    repaired_at = world.now
    repair_by_hand(world)
    world.pass_time(WITHIN)
    [incident], rollbacks = world.incidents(), world.rollbacks()
    recovered_at = measure_recovery(world.policy, incident, rollbacks).recovered_at

    assert read_words(world)[CATALOGUE] == "Working."
    assert recovered_at is not None
    assert recovered_at - repaired_at <= WITHIN + MINUTE
    lift = "resume" if verb == "pause" else "unfreeze"
    world.send_command(lift, actor="anna")
    world.pass_time(10 * MINUTE)
    [incident], rollbacks = world.incidents(), world.rollbacks()
    assert measure_recovery(world.policy, incident, rollbacks).recovered_at == recovered_at


def test_what_fails_again_during_a_hold_is_said_to_fail() -> None:
    """It worked for a while, and no alert tells that it fails again."""
    world = hold_rollback()
    repair_by_hand(world)
    world.pass_time(WITHIN)
    for function in BROKEN:
        make_function_fail(world, function)
    world.pass_time(WITHIN + MINUTE)
    [incident], rollbacks = world.incidents(), world.rollbacks()

    assert read_words(world)[CATALOGUE] == RESTORING
    assert measure_recovery(world.policy, incident, rollbacks).recovered_at is None


def test_a_part_that_begins_to_fail_during_a_hold_is_not_called_working() -> None:
    """No alert tells of it; and the page is corrected when it works again."""
    world = hold_rollback()
    make_function_fail(world, "payOrder")
    world.pass_time(WITHIN)
    assert read_words(world)[CHECKOUT] == RESTORING
    for revision in world.live["payOrder"]:
        world.platform.set_failure_rate("payOrder", revision, 0.0)
    world.pass_time(WITHIN + MINUTE)

    assert read_words(world)[CHECKOUT] == "Working."
    assert read_words(world)[CATALOGUE] == RESTORING


def test_a_recovery_is_not_credited_to_a_rollback_that_restored_only_a_part() -> None:
    """It was cancelled after two of three shifts, and a person repaired the rest."""
    world = hold_rollback()
    world.carry_out("cancel", incident=world.incident.id, actor="anna")
    repair_by_hand(world)
    world.pass_time(WITHIN)
    incident = world.incident

    assert incident.timeline[-1].note == (
        f"recovered; the rollback {incident.id} was not completed; "
        "a person must still decide whether its changes stay"
    )


def test_a_closed_alert_is_no_recovery_while_too_few_requests_tell() -> None:
    """The counts come late: for five minutes of the hold, what failed is not said to work."""
    world = hold_rollback()
    world.ports.counts.rates = dict.fromkeys(world.policy.functions, 0.0)
    resource = {"type": "cloud_run_revision", "labels": {"service_name": "listbooks"}}
    world.alert("0.abc", "closed", resource=resource)
    world.ports.alerts.open["0.abc"] = False
    world.pass_time(MINUTE)
    assert not world.incident.timeline[-1].works

    world.pass_time(6 * MINUTE)
    assert world.incident.timeline[-1].works


def cancel_rollback(world: World) -> None:
    """A person cancels the rollback, and the command is carried out at once."""
    world.send_command("cancel", incident=world.incident.id, actor="anna")
    world.deliver_newest()
    world.advance_clock(timedelta(seconds=3))


@pytest.mark.parametrize("ending", ["failure", "cancel", "retry"])
def test_a_recovery_that_a_later_step_may_have_undone_is_observed_again(ending: str) -> None:
    """It worked while it was held; then a function is shifted, and nobody has observed it since."""
    world = hold_rollback()
    repair_by_hand(world)
    world.pass_time(WITHIN)
    assert world.incident.timeline[-1].works
    if ending == "retry":
        cancel_rollback(world)
        world.settle()
    # The platform answers with a refusal after it has accepted the shift.
    hook = raise_error("platform.shift", Rejected("permission denied"), "after")
    if ending == "cancel":
        hook = run_once("platform.shift", "after", lambda: cancel_rollback(world))
    world.platform.hook = hook
    world.send_command("resume", actor="anna")
    if ending == "retry":
        world.send_command("retry", incident=world.incident.id, actor="anna")
    world.settle()
    [incident], rollback = world.incidents(), world.newest_rollback

    assert rollback.status is (RollbackStatus.CANCELLED if ending == "cancel" else RollbackStatus.FAILED)
    assert "searchbooks" in world.platform.applied_shifts
    assert incident.status is IncidentStatus.ESCALATED


def test_a_recovery_that_no_step_follows_stays_observed() -> None:
    """A person cancels the rollback that they hold, after it was observed to work."""
    world = hold_rollback()
    repair_by_hand(world)
    world.pass_time(WITHIN)
    cancel_rollback(world)
    world.settle()

    assert world.incident.status is IncidentStatus.RECOVERED


def hold_resource_rollback() -> World:
    """A person pauses the rollback of a site and a template before its first step."""
    world = build_shop_with_bad_resources()

    def pause() -> None:
        world.send_command("pause", actor="anna")
        world.deliver_newest()

    world.ports.beside.hook = run_once("hosting.site", "before", pause)
    world.alert()
    world.pass_time(2 * MINUTE)
    assert world.rollback.held_since is not None
    assert not world.ports.beside.effects
    return world


@pytest.mark.parametrize("effect", ["hosting.release", "remote_config.publish"])
def test_a_recovery_before_a_site_or_a_template_was_restored_is_observed_again(effect: str) -> None:
    """It worked while it was held; then the platform refuses a release that took effect."""
    world = hold_resource_rollback()
    set_failure_rate(world, 0.0)
    world.advance_clock(MINUTE)
    world.alert("0.abc", "closed")
    world.pass_time(WITHIN + MINUTE)
    assert world.incident.timeline[-1].works
    world.ports.beside.hook = raise_error(effect, Rejected("permission denied"), "after")
    world.carry_out("resume", actor="anna")
    [incident], [rollback] = world.incidents(), world.rollbacks()

    assert rollback.status is RollbackStatus.FAILED
    assert incident.status is IncidentStatus.ESCALATED
    assert not incident.timeline[-1].is_well
    world.ports.alerts.open["0.abc"] = False
    for rate, becomes in ((0.0, IncidentStatus.ESCALATED), (2.0, IncidentStatus.RECOVERED)):
        world.ports.counts.rates = dict.fromkeys(world.policy.functions, rate)
        world.pass_time(WITHIN)
        assert world.incident.status is becomes
