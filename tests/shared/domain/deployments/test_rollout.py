"""From one look to the next: what differs, who made it so, and what that makes of deployments."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from shared.domain.deployments.announcements import update_deployments
from shared.domain.deployments.change_attribution import (
    AttributedChanges,
    OwnWrite,
    attribute_changes,
    rollout_changes,
)
from shared.domain.deployments.deployment import Deployment, DeploymentStatus
from shared.domain.deployments.inventory.diff import ChangeKind, Difference, differences
from shared.domain.deployments.inventory.inventory_parts import (
    Configuration,
    FunctionState,
    Generation,
    HostingSite,
    RevisionState,
    SourceObject,
    WholeInventory,
)
from shared.domain.deployments.inventory.inventory_record import InventoryRecord
from shared.domain.deployments.inventory.products import InventoryPart
from shared.domain.deployments.inventory.traffic import LATEST_REVISION, TrafficTarget
from shared.domain.deployments.rollout import RolloutObservation, merge_changes
from shared.domain.system_record import System
from tests.support.fakes.runtime.clock import START
from tests.support.runtime.world import BOOKSHOP

MINUTE = timedelta(minutes=1)
SEEN_AT, NOW = START - 5 * MINUTE, START
OLD, NEW = (TrafficTarget("pay-1", 100),), (TrafficTarget("pay-2", 100),)
TAGGED = (*NEW, TrafficTarget("pay-1", 0, "t"))
NEWEST = (TrafficTarget(LATEST_REVISION, 100),)
BEFORE = FunctionState(
    "pay",
    Generation.SECOND,
    source=SourceObject("sources", "pay.zip", 1),
    service="services/pay",
    traffic=OLD,
    revisions={"pay-1": RevisionState(START - timedelta(days=1), "i1", Configuration())},
    latest="pay-1",
)


def function(traffic: Any = OLD, made_at: datetime | None = None, **more: Any) -> FunctionState:
    """The function led elsewhere, and deployed anew when a revision was made."""
    if made_at is None:
        return replace(BEFORE, traffic=traffic, **more)
    return replace(
        BEFORE,
        traffic=traffic,
        source=SourceObject("sources", "pay.zip", 2),
        revisions={"pay-2": RevisionState(made_at, "i2", Configuration())},
        latest="pay-2",
        **more,
    )


def stock(**changes: Any) -> InventoryRecord:
    live = WholeInventory(functions={"pay": BEFORE}, sites={"shop": HostingSite("v1")})
    return replace(InventoryRecord("bookshop", SEEN_AT, NOW, live), **changes)


def incident(detected: timedelta, ended: bool = False) -> System:
    at = NOW - detected
    return System(
        "bookshop", incident="INC", incident_detected_at=at, incident_ended_at=at if ended else None
    )


PEACE = System("bookshop")
WROTE = OwnWrite("INC-r", origin=NEW, goal=OLD)


@pytest.mark.parametrize(
    ("before", "live", "wrote", "system", "expected"),
    [
        # What nothing of ours has touched.
        ({}, function(NEW), None, PEACE, ("theirs", "")),
        ({}, function(NEWEST, NOW), None, PEACE, ("theirs", "")),
        # At our goal, by its shares and tags, however it is written.
        ({}, function(NEW), OwnWrite("r", OLD, NEW), PEACE, ("ours", "")),
        ({}, function(NEWEST, latest="pay-2"), OwnWrite("r", OLD, NEW), PEACE, ("ours", "")),
        ({}, function(TAGGED), OwnWrite("r", OLD, NEW), PEACE, ("theirs", "by hand")),
        # In the middle of a rollback: neither where it came from nor where it goes.
        ({}, function(NEW), OwnWrite("r", NEW, OLD), PEACE, ("theirs", "")),
        ({}, function((TrafficTarget("pay-3", 100),)), WROTE, PEACE, ("theirs", "by hand")),
        # Away from where we led it, at any time; a release is no such thing.
        ({"wrote": {"pay": "r"}}, function(NEW), None, PEACE, ("theirs", "by hand")),
        ({"wrote": {"pay": "r"}}, function(NEWEST, NOW), None, PEACE, ("theirs", "")),
        # During an incident: surely after it was detected, surely before, and not known.
        ({}, function(NEWEST, NOW - MINUTE), None, incident(2 * MINUTE), ("theirs", "by hand")),
        ({}, function(NEWEST, NOW - 2 * MINUTE), None, incident(2 * MINUTE), ("theirs", "")),
        ({}, function(NEWEST, NOW - 3 * MINUTE), None, incident(2 * MINUTE), ("theirs", "")),
        ({}, function(NEW), None, incident(6 * MINUTE), ("theirs", "by hand")),
        ({}, function(NEW), None, incident(2 * MINUTE), ("theirs", "")),
        ({}, function(NEW), None, incident(6 * MINUTE, ended=True), ("theirs", "")),
    ],
)  # fmt: skip
def test_who_changed_a_function(
    before: dict[str, Any],
    live: FunctionState,
    wrote: OwnWrite | None,
    system: System,
    expected: tuple[str, str],
) -> None:
    """Ours is what is where we led it; by hand what only a person can have done; else a release."""
    kept = stock(**before)
    now = replace(kept.live, functions={"pay": live})

    found = attribute_changes(differences(kept.live, now), kept, now, {"pay": wrote} if wrote else {}, system)

    whose = "ours" if found.ours else "theirs"
    assert (whose, "by hand" if found.by_hand else "") == expected
    assert bool(found.changes) is (whose == "theirs")


SECOND = timedelta(seconds=1)
QUIET = 2 * MINUTE
AT = {"pay": NOW - 6 * MINUTE, "ship": NOW - 4 * MINUTE, "send": NOW}


@pytest.mark.parametrize(
    ("seen", "detected", "made", "expected"),
    [
        # Begun since the last look, before the trouble was detected: each after the one before.
        ("", 4 * MINUTE, AT, {"pay", "ship"}),
        ("", 4 * MINUTE, {**AT, "send": NOW - 2 * MINUTE}, {"pay", "ship", "send"}),
        ("", 4 * MINUTE, {**AT, "send": NOW - 2 * MINUTE + SECOND}, {"pay", "ship"}),
        # All of it after: that is no cause, whoever did it.
        ("", 6 * MINUTE + SECOND, AT, set()),
        ("", 6 * MINUTE, {"pay": AT["pay"]}, {"pay"}),
        # Seen before, by its newest revision: within the quiet time, and not any more.
        ("before", 7 * MINUTE, {"ship": NOW - 6 * MINUTE}, {"ship"}),
        ("before", 7 * MINUTE, {"ship": NOW - 6 * MINUTE + SECOND}, set()),
        ("after", 7 * MINUTE, {"ship": NOW - 6 * MINUTE}, set()),
    ],
)
def test_what_a_roll_out_reaches_after_the_trouble_was_detected(
    seen: str, detected: timedelta, made: dict[str, datetime], expected: set[str]
) -> None:
    """Deployments that follow each other within the quiet time are one roll-out, nobody's cure."""
    began = NOW - 8 * MINUTE
    old = replace(BEFORE, revisions={"pay-1": RevisionState(began, "i1", Configuration())})
    names = {**dict.fromkeys(made, old), "seen": old}
    kept = stock(live=WholeInventory(functions={name: replace(old, name=name) for name in names}))
    now = WholeInventory(
        functions={
            **(kept.live.functions or {}),
            **{name: replace(function(NEWEST, at), name=name) for name, at in made.items()},
        }
    )
    found = differences(kept.live, now)
    at = {"before": began, "after": NOW - detected + SECOND}.get(seen)
    rolling = Deployment("v2", "bookshop", at, DeploymentStatus.ROLLING_OUT, {}) if at else None
    system = incident(detected)

    assert rollout_changes(found, kept, now, (), system, rolling, QUIET) == expected
    by_hand = attribute_changes(found, kept, now, {}, system, rolls_on=expected).by_hand
    late = {name for name, at in made.items() if at > NOW - detected}
    assert set(by_hand) == late - expected
    assert rollout_changes(found, kept, now, (), PEACE, rolling, QUIET) == set()


def test_what_we_led_back_before_its_deployment_was_seen() -> None:
    """It is both: others have deployed it, and it is where we led it."""
    kept = stock(live=WholeInventory(functions={"pay": replace(BEFORE, traffic=NEWEST)}))
    now = WholeInventory(functions={"pay": replace(function(OLD, NOW), revisions=BEFORE.revisions)})

    found = attribute_changes(differences(kept.live, now), kept, now, {"pay": WROTE}, PEACE)

    assert (found.ours, found.taken_back, found.by_hand) == ({"pay": "INC-r"}, {"pay": WROTE}, ())
    assert [one.name for one in found.changes] == ["pay"]


def situation(live: WholeInventory, **changes: Any) -> RolloutObservation:
    kept = changes.pop("stock", stock())
    compared = AttributedChanges(differences(kept.live, live))
    return RolloutObservation(
        **{
            "policy": BOOKSHOP,
            "stock": kept,
            "live": live,
            "compared": compared,
            "known": (),
            "system": PEACE,
            "now": NOW,
            "observed_at": changes.get("now", NOW),
            **changes,
        }
    )


@pytest.mark.parametrize(
    ("made_at", "site", "at", "backup_at"),
    [
        (NOW - 90 * MINUTE / 60, "v1", NOW - 1.5 * MINUTE, NOW - 2 * MINUTE),
        (NOW - 2 * MINUTE, "v1", NOW - 2 * MINUTE, NOW - 3 * MINUTE),  # the minute before
        (NOW - 9 * MINUTE, "v1", SEEN_AT, SEEN_AT - MINUTE),  # made before, led there since
        (NOW - 2 * MINUTE, "v2", NOW - 2 * MINUTE, SEEN_AT - MINUTE),  # since when is not known
        (None, "v2", NOW, SEEN_AT - MINUTE),
    ],
)  # fmt: skip
def test_when_a_deployment_began(
    made_at: datetime | None, site: str, at: datetime, backup_at: datetime
) -> None:
    """Its first revision tells; the database is read as of before all that it can have changed."""
    pay = function(NEWEST, made_at) if made_at else BEFORE
    live = WholeInventory(functions={"pay": pay}, sites={"shop": HostingSite(site)})

    [one] = update_deployments(situation(live))

    assert (one.at, one.backup_at, one.not_before) == (at, backup_at, SEEN_AT)
    assert (one.status, one.due_at) == (DeploymentStatus.ROLLING_OUT, NOW + 2 * MINUTE)


def test_when_requests_were_led_to_a_revision_by_name() -> None:
    """Its age says nothing of that: it was at the latest when it was seen."""
    live = replace(stock().live, functions={"pay": function(NEW, NOW - MINUTE)})

    [one] = update_deployments(situation(live))

    assert (one.at, one.not_before) == (NOW, SEEN_AT)


@pytest.mark.parametrize(
    ("live", "unserved"),
    [
        (function(NEWEST, NOW), {}),
        (function(NEW, NOW), {}),
        (function(OLD, NOW), {"pay": "pay-2"}),
        (function((TrafficTarget("pay-1", 90), TrafficTarget("pay-2", 10)), NOW), {}),
        (replace(BEFORE, generation=Generation.FIRST, service="", traffic=(), latest=""), {}),
    ],
    ids=["follows the newest", "by its name", "held", "a share", "of the 1st generation"],
)
def test_what_is_deployed_and_gets_no_request(live: FunctionState, unserved: dict[str, str]) -> None:
    """It waits until somebody moves the traffic; what has no revisions waits for nothing."""
    [one] = update_deployments(situation(replace(stock().live, functions={"pay": live})))

    assert (one.unserved, one.is_unserved) == (unserved, bool(unserved))


@pytest.mark.parametrize(
    ("quiet_for", "status"), [(timedelta(seconds=119), None), (timedelta(seconds=120), DeploymentStatus.LIVE)]
)
def test_when_a_deployment_settles(quiet_for: timedelta, status: DeploymentStatus | None) -> None:
    """When nothing more has changed for the whole of the quiet window."""
    live = WholeInventory(functions={"pay": function(NEWEST, NOW)})
    [rolling] = update_deployments(situation(live))
    kept = stock(live=live, rolling_out=rolling.id)

    found = update_deployments(situation(live, stock=kept, known=(rolling,), now=NOW + quiet_for))

    assert [one.status for one in found] == ([status] if status else [])


def test_the_same_second_is_taken() -> None:
    """The next second that has no deployment names it."""
    live = WholeInventory(functions={"pay": function(NEWEST, NOW)})
    [first] = update_deployments(situation(live))

    [second] = update_deployments(situation(live, known=(first,)))

    assert (first.id, second.id) == ("deploy_20260302_120000", "deploy_20260302_120001")
    assert second.at > first.at


CREATED, CHANGED, DELETED = ChangeKind.CREATED, ChangeKind.CHANGED, ChangeKind.DELETED


@pytest.mark.parametrize(
    ("first", "second", "both"),
    [
        (CREATED, CHANGED, CREATED),
        (CREATED, DELETED, None),
        (CHANGED, CHANGED, CHANGED),
        (CHANGED, DELETED, DELETED),
        (DELETED, CREATED, CHANGED),
    ],
)
def test_what_two_changes_make_of_one_thing(
    first: ChangeKind, second: ChangeKind, both: ChangeKind | None
) -> None:
    """A deployment tells each thing once, from before it to after it."""

    def told(change: ChangeKind, *aspects: str) -> tuple[Difference, ...]:
        return (Difference(InventoryPart.FUNCTIONS, "pay", change, aspects),)

    found = merge_changes(told(first, "source"), told(second, "traffic"))

    assert [one.change for one in found] == ([both] if both else [])
