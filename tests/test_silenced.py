"""A repair of which triggers are told nothing: raised with it, waited for, fallen after."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from responders.silences import silenced
from shared import command as commands
from shared import silence as silences
from shared.command import CommandRecord
from shared.documents import decode
from shared.errors import Rejected, Unavailable
from shared.feeds import NO_PUSH, Feed
from shared.integrity_rules import OnRepair
from shared.ports import Update
from shared.reading import Reading
from shared.rollback import Status as RollbackStatus
from shared.triggers import Trigger
from shared.upheld import Status
from tests.fakes.hooks import no_hook, raising
from tests.fenced import held
from tests.fences import RULES
from tests.prompt import Prompt
from tests.silent import (
    BOTH,
    CUSTOMERS,
    EVENT,
    KEPT,
    ORDERS,
    PUSH,
    SILENT,
    SilentShop,
    expect_the_applications_own,
    kept_from,
    meanwhile,
    notified,
    repaired,
    told,
)
from tests.spoilt import GOOD, MINUTE, SPOILT, undo

PAID = {"customer": "bob", "status": "paid", "amount": 1}


def test_nobody_is_told_of_what_a_repair_writes() -> None:
    """Nor is anything of the application's lost, whether written before, meanwhile or after."""
    shop = SilentShop()
    shop.asked()
    question = shop.newest.question
    assert question is not None
    quiet = "workflow receipt (trigger on-order) is told nothing of what is written to orders"
    assert quiet in str(question.plan.reported)
    shop.work({"orders/2": PAID})
    shop.approve("bob")
    shop.comes_to(Status.STANDING)
    shop.work({"orders/3": PAID})
    shop.comes_to(Status.FALLING)
    shop.work({"customers/bob": {"email": "bob@example.org"}})
    shop.comes_to(Status.DOWN)
    shop.work({"orders/3": None})

    assert shop.data == {**GOOD, "customers/bob": {"email": "bob@example.org"}}
    expect_the_applications_own(shop)
    assert kept_from(shop) == {ORDERS: (1, 1), CUSTOMERS: (1, 1), BOTH: (2, 2)}
    assert told(shop) == ["silence.raising", "silence.stands", "silence.falls", "silence.down"]
    kept = f"workflow receipt (trigger on-order): kept from 1 events of {shop.newest.id}"
    assert kept in notified(shop)[-1]
    assert shop.newest.status is RollbackStatus.SUCCEEDED
    assert shop.broken_laws() == []


def test_nothing_is_written_before_all_is_quiet_and_has_settled() -> None:
    """What is being pushed when the push is taken away comes to its end first."""
    shop = SilentShop()
    shop.asked()
    seen: list[tuple[Status, set[bytes]]] = []
    shop.ports.rewritten.hook = lambda verb, side: seen.append(
        (shop.silence.status, {*shop.pushes().values()})
    )
    shop.approve("bob")
    shop.comes_to(Status.DOWN)

    assert {*map(str, seen)} == {str((Status.STANDING, {NO_PUSH}))}
    silence, began = shop.silence, shop.newest.started_at
    assert silence.taken_at is not None
    assert silence.stood_at is not None
    assert began is not None
    assert silence.taken_at + silences.SETTLES <= silence.stood_at <= began


def test_policies_of_two_collections_hold_beside_each_other() -> None:
    """Whoever hears of both is told of the one where that may start it."""
    fire = replace(SILENT.collections["customers"], on_repair=OnRepair.FIRE)
    shop = SilentShop(replace(SILENT, collections={**SILENT.collections, "customers": fire}))
    repaired(shop)

    assert {one.path for one in shop.told(BOTH)} == {"customers/ada"}
    assert {one.path for one in shop.told(CUSTOMERS)} == {"customers/ada"}
    assert not shop.told(ORDERS)
    assert kept_from(shop) == {ORDERS: (1, 1), BOTH: (1, 1)}


@pytest.mark.parametrize(
    ("feed", "why"),
    [
        (Feed(NO_PUSH, KEPT), "its subscription pushes nothing"),
        (Feed(b"push", KEPT, is_dead_lettered=True), "its subscription has a dead letter policy"),
        (Feed(b"push", timedelta(hours=1)), "its subscription keeps messages for 1:00:00 only"),
        (None, "NOT_FOUND"),
    ],
)
def test_a_subscription_that_cannot_be_silent(feed: Feed | None, why: str) -> None:
    """Nothing is asked, and nothing written; it is said who, and why."""
    shop = SilentShop()
    if feed is None:
        del shop.ports.feeds.known[ORDERS]
    else:
        shop.ports.feeds.known[ORDERS].feed = feed
    shop.order()
    shop.pass_time(8 * MINUTE)

    assert shop.newest.status is RollbackStatus.NOT_TAKEN
    who = "workflow receipt (trigger on-order) is started by writes to orders"
    assert f"not all can be kept from starting (on_repair): {who}" in shop.newest.outcome
    assert why in shop.newest.outcome
    assert not shop.has_silence


@pytest.mark.parametrize(
    ("filters", "subscription", "why"),
    [
        ({"type": f"{EVENT}written"}, "", "its trigger names no subscription"),
        (
            {"type": "google.cloud.audit.log.v1.written"},
            ORDERS,
            "it is told of more than documents",
        ),
        ({"type": "providers/cloud.firestore/eventTypes/document.write"}, ORDERS, "1st generation"),
        ({}, ORDERS, "it is told of more than documents"),
    ],
)
def test_a_trigger_that_cannot_be_silent(
    filters: dict[str, str], subscription: str, why: str
) -> None:
    """The same."""
    shop = SilentShop()
    shop.ports.beside.hearing.append(
        Trigger("a/locations/b/odd", "endpoint", filters, subscription)
    )
    shop.order()
    shop.pass_time(8 * MINUTE)

    assert shop.newest.status is RollbackStatus.NOT_TAKEN
    assert why in shop.newest.outcome


def test_a_subscription_that_gives_no_answer_is_waited_for() -> None:
    """Nothing is asked until it is known whether it can be silent."""
    shop = SilentShop()
    shop.ports.feeds.hook = raising("feeds.feed", Unavailable("no answer"))
    shop.order()
    shop.pass_time(8 * MINUTE)
    assert shop.newest.status is RollbackStatus.DECIDING
    trail = str(Reading(shop.ports.store).trail(shop.newest.id))
    assert "what feeds triggers of Eventarc is not known" in trail

    shop.ports.feeds.hook = no_hook
    shop.parked()


def test_nobody_is_kept_silent_for_longer_than_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """A repair that would take longer is not begun, and a dry run says so."""
    monkeypatch.setattr("responders.repairs.foreseeing.seconds", lambda _survey: 2.0 * 3600)
    shop = SilentShop()
    shop.order(dry_run=True, id="dry")
    record = decode(CommandRecord, shop.ports.store.get("commands/dry").fields)
    assert "nobody is told nothing for longer than 1 h 55 min" in record.result
    shop.order()
    shop.pass_time(8 * MINUTE)
    assert shop.newest.status is RollbackStatus.NOT_TAKEN


def test_it_is_seen_at_a_glance(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Who is told nothing, until when at most, and what is waited for."""
    monkeypatch.setenv("COLUMNS", "300")
    shop = SilentShop()
    prompt = Prompt(monkeypatch, tmp_path, shop)
    assert "silence" not in prompt.say("status").output
    shop.asked()
    quiet = "workflow receipt (trigger on-order) is told nothing of what is written to orders"
    _, plan = prompt.say("explain", shop.newest.incident).output.split("the plan:\n")
    assert f"  {quiet}" in plan
    shown: list[str] = []
    promised: list[datetime] = []

    def looked() -> None:
        promised.append(shop.silence.over_by)
        for line in ("status", "status --json", "pushes", "pushes --json"):
            shown.append(prompt.say(*line.split()).output)

    meanwhile(shop, looked)
    shop.approve("bob")
    shop.comes_to(Status.DOWN)

    seen, as_json, pushes, as_commands = shown
    given_back = "gcloud pubsub subscriptions modify-push-config"
    assert f"{given_back} {ORDERS} --push-endpoint={PUSH.decode()}\n" in pushes
    assert {*json.loads(as_commands).values()} == {*pushes.splitlines()}
    assert pushes.count(given_back) == 3
    assert PUSH.decode() not in as_json
    assert prompt.say("pushes").output == "no push of bookshop is taken away\n"
    [told] = [one["silence"] for one in json.loads(as_json)["systems"]]
    assert (told["status"], {one["push"] for one in told["listeners"]}) == ("STANDING", {""})
    assert f"silence STANDING until {promised[0]:%Y-%m-%d %H:%M}" in seen
    assert "workflow receipt (trigger on-order) told of no document" in seen
    assert "silence" not in prompt.say("status").output


def test_an_undo_is_told_to_nobody_as_well() -> None:
    """It has a silence of its own, once that of its repair is over."""
    shop = repaired(SilentShop())
    first = shop.silence.command
    undo(shop)
    shop.until(lambda: shop.silence.command != first)
    shop.work({"orders/2": PAID})
    shop.comes_to(Status.DOWN)

    assert shop.data == {**GOOD, **SPOILT}
    assert shop.silence.rollback == shop.newest.id
    assert kept_from(shop) == {ORDERS: (1, 1), CUSTOMERS: (1, 1), BOTH: (2, 2)}
    expect_the_applications_own(shop)


def test_the_silence_of_another_rollback_is_none() -> None:
    """A repair writes in its own alone."""
    shop = SilentShop()

    def looked() -> None:
        silenced.require(shop.ports, SILENT, shop.newest)
        with pytest.raises(Rejected, match="nothing more is written: there is no silence"):
            silenced.require(shop.ports, SILENT, replace(shop.newest, id="INC-20260302-009"))

    meanwhile(shop, looked, "before")
    repaired(shop)
    assert shop.newest.status is RollbackStatus.SUCCEEDED


def test_a_command_of_a_silence_that_is_over_leaves_the_next_one_alone() -> None:
    """Its worker finds another one there, which is none of its own."""
    shop = repaired(SilentShop())
    path = commands.path(shop.silence.command)
    seen: list[tuple[bool, Status]] = []

    def comes_again() -> None:
        shop.ports.store.commit([Update(path, {"due_at": shop.ports.clock.now()})])
        shop.pass_time(MINUTE / 2)
        record = decode(CommandRecord, shop.ports.store.get(path).fields)
        seen.append((record.due_at is None, shop.silence.status))

    meanwhile(shop, comes_again)
    undo(shop)
    shop.until(lambda: bool(seen))
    shop.comes_to(Status.DOWN)
    assert seen == [(True, Status.STANDING)]
    assert shop.data == {**GOOD, **SPOILT}


def test_an_undo_waits_for_the_silence_of_its_repair() -> None:
    """What that one has pulled, or may have, is not mixed with what is written now."""
    shop = SilentShop()
    shop.asked()

    def silent(verb: str, side: str) -> None:
        if verb == "feeds.set_push" and shop.silence.status is Status.FALLING:
            raise Unavailable("no answer")

    shop.ports.feeds.hook = silent
    shop.approve("bob")
    shop.until(lambda: shop.newest.status is RollbackStatus.SUCCEEDED)
    before = shop.silence
    undo(shop)
    assert shop.silence == replace(before, told_at=shop.silence.told_at)
    shop.ports.feeds.hook = no_hook
    shop.until(lambda: shop.newest.status is RollbackStatus.PARKED)
    assert f"the silence of {before.rollback} is not over" in held(shop)
    shop.approve("bob")
    shop.until(lambda: shop.silence.command != before.command)
    shop.comes_to(Status.DOWN)
    assert shop.data == {**GOOD, **SPOILT}
    expect_the_applications_own(shop)


def test_behind_a_fence_and_in_a_silence() -> None:
    """Both stand before the first document, and both fall."""
    shop = SilentShop(replace(SILENT, fence=RULES))
    shop.asked()
    seen: list[Status] = []

    def fence() -> Status:
        return Status((shop.ports.store.get("fences/bookshop").fields or {})["status"])

    meanwhile(shop, lambda: seen.extend((fence(), shop.silence.status)), "before")
    shop.approve("bob")
    shop.comes_to(Status.DOWN)
    shop.until(lambda: fence() is Status.DOWN)

    assert seen == [Status.STANDING, Status.STANDING]
    assert shop.newest.status is RollbackStatus.SUCCEEDED
    expect_the_applications_own(shop)
