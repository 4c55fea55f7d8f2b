"""Copies that people ask for: made beside the database, looked through, kept for a while."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace

from shared.core.store import Document, Query
from shared.domain.data.backups import database_copy as copies
from shared.domain.data.backups.filled_database import FillStatus
from shared.domain.data.backups.restore_point import RestoreSource
from shared.domain.policy.resources import BackupRules
from tests.support.data.database_copies import (
    DAY,
    DOCUMENTS,
    HOUR,
    MINUTE,
    all_copies,
    ask,
    copy_of,
    documents,
    erase,
    exported,
    notified,
    told,
    world,
)
from tests.support.fakes.firestore.restores import ORIGINAL
from tests.support.fakes.runtime.hooks import Hook
from tests.support.notices.system_events import pass_time, refusals
from tests.support.runtime.world import EXAMPLE, World


def test_a_minute_of_the_past_becomes_a_database() -> None:
    """As it was then; the original is not touched, and people are told what to do with it."""
    shop = world()
    shop.ports.kept.write(ORIGINAL, {"orders/1": {"status": "broken"}, "orders/2": None})
    before = documents(shop, ORIGINAL)
    ask(shop, "1h")
    pass_time(shop, 15 * MINUTE)

    made = copy_of(shop)
    assert (made.status, made.faults, made.is_over) == (FillStatus.READY, (), False)
    assert made.point.source is RestoreSource.WINDOW
    assert documents(shop, made.id) == DOCUMENTS
    assert documents(shop, ORIGINAL) == before
    assert made.counts == {"customers": 2, "orders": 2}
    assert told(shop) == ["copy.made", "copy.ready"]
    [text] = notified(shop)
    assert "4 documents as of" in text
    assert "docs/cutover.md" in text
    protect = f"gcloud firestore databases update --database={made.id} --project=bookshop-prod"
    assert f"{protect} --delete-protection" in text


def test_a_native_backup_becomes_a_database() -> None:
    """By its name, though nobody has tried it: that is said."""
    shop = world()
    shop.ports.databases.back_up(ORIGINAL, 30 * DAY)
    shop.ports.clock.advance(10 * DAY)
    ask(shop, shop.ports.databases.backups(ORIGINAL)[0].name)
    pass_time(shop, 15 * MINUTE)

    made = copy_of(shop)
    assert (made.status, made.point.source, made.point.is_sure) == (
        FillStatus.READY,
        RestoreSource.NATIVE,
        False,
    )
    assert documents(shop, made.id) == DOCUMENTS
    assert "never proven" in notified(shop)[0]


def test_an_export_becomes_a_database() -> None:
    """Where only that is left: the original is gone from Google, and its documents are not."""
    shop = world()
    made_before = exported(shop)
    shop.ports.clock.advance(10 * DAY)
    ask(shop, made_before.id)
    pass_time(shop, 15 * MINUTE)

    made = copy_of(shop)
    assert (made.status, made.point.source) == (FillStatus.READY, RestoreSource.EXPORT)
    assert made.location == "nam5"
    assert documents(shop, made.id) == DOCUMENTS


def test_a_copy_that_is_ready_is_a_restore_point() -> None:
    """By its name alone, read as it is."""
    shop = world()
    ask(shop)
    pass_time(shop, 15 * MINUTE)
    made = copy_of(shop)

    ask(shop, made.id)

    assert refusals(shop) == [f"{made.id} is a copy already"]


@pytest.mark.parametrize(
    ("point", "reason"),
    [
        ("30d", "cannot be had; nearest"),
        ("2027-01-01T00:00:00Z", "in the future"),
        ("latest", "no backup is proven"),
        ("nothing", "is none"),
        ("a b", "is not a restore point"),
    ],
)
def test_what_cannot_be_had_is_refused(point: str, reason: str) -> None:
    """With the nearest; nothing is begun."""
    shop = world()
    ask(shop, point)

    [refused] = refusals(shop)
    assert reason in refused
    assert all_copies(shop) == []


def test_where_the_policy_admits_none() -> None:
    """It is refused."""
    shop = world(BackupRules())
    ask(shop)

    assert refusals(shop) == ["bookshop declares no copies (backups.copies)"]


def test_no_more_than_two_are_made_at_once() -> None:
    """Each is paid for; one that is ready holds up nobody."""
    shop = world()
    for _ in range(3):
        ask(shop)
        shop.ports.clock.advance(timedelta(seconds=2))
    assert len(all_copies(shop)) == copies.MOST
    assert "are made now" in refusals(shop)[0]

    pass_time(shop, 15 * MINUTE)
    ask(shop)

    assert len(all_copies(shop)) == copies.MOST + 1


def test_one_command_asks_for_one_copy() -> None:
    """However often it is delivered."""
    shop = world()
    for _ in range(2):
        shop.command(command="copy", system="bookshop", restore_point="1h", id="the-same")
        shop.settle()
        shop.ports.clock.advance(MINUTE)

    assert len(all_copies(shop)) == 1


@pytest.mark.parametrize("stop", ["pause", "freeze"])
def test_a_switch_holds_it_up(stop: str) -> None:
    """Nothing is begun; once it is lifted, the copy is made."""
    shop = world()
    ask(shop)
    until = shop.ports.clock.now() + HOUR
    span = {"until": until.isoformat()} if stop == "freeze" else {}
    shop.command(command=stop, system="bookshop", **span)
    shop.settle()
    pass_time(shop, 5 * MINUTE)
    assert shop.ports.filled.ever == []
    assert "pause or a freeze" in copy_of(shop).waiting

    shop.command(command={"pause": "resume", "freeze": "unfreeze"}[stop], system="bookshop")
    shop.settle()
    pass_time(shop, 15 * MINUTE)

    assert copy_of(shop).status is FillStatus.READY


def pausing(shop: World, place: str) -> Hook:
    """Whoever carries the copy has just done that when a person pauses automation."""
    said: list[str] = []

    def pause(verb: str, side: str) -> None:
        if said or (verb, side) != (place, "after"):
            return
        if all(one.asked_at is None for one in all_copies(shop)):
            return
        said.append(verb)
        shop.command(command="pause", system="bookshop")
        shop.deliver_commands()

    return pause


@pytest.mark.parametrize(
    ("point", "place", "made"),
    [
        ("window", "store.commit", 0),
        ("native", "store.commit", 0),
        ("export", "store.commit", 0),
        ("export", "restores.create", 1),
    ],
)
def test_a_switch_that_is_set_after_the_intent(point: str, place: str, made: int) -> None:
    """Each effect is preceded by a look: a database is not made, and not filled."""
    shop = world()
    shop.ports.databases.back_up(ORIGINAL, 30 * DAY)
    native = shop.ports.databases.backups(ORIGINAL)[0].name
    ask(shop, {"window": "1h", "native": native}.get(point) or exported(shop).id)
    fake = shop.ports.store if place == "store.commit" else shop.ports.filled
    fake.hook = pausing(shop, place)
    pass_time(shop, 5 * MINUTE)
    assert len(shop.ports.filled.ever) == made
    assert copy_of(shop).waiting.startswith("nothing is begun")
    assert copy_of(shop).operation == ""

    shop.command(command="resume", system="bookshop")
    shop.settle()
    pass_time(shop, 20 * MINUTE)
    assert copy_of(shop).status is FillStatus.READY


def test_whoever_was_erased_since_is_not_in_it() -> None:
    """Nor whoever is erased while it is kept; nobody is named."""
    shop = world()
    erase(shop, "ada")
    ask(shop)
    pass_time(shop, 15 * MINUTE)
    made = copy_of(shop)
    assert sorted(documents(shop, made.id)) == ["customers/bob", "orders/2"]
    assert "2 documents of people who were erased since then are taken out" in notified(shop)[0]

    erase(shop, "bob")
    pass_time(shop, 3 * MINUTE)

    assert documents(shop, made.id) == {}
    assert copy_of(shop).status is FillStatus.READY
    assert copy_of(shop).counts == {"customers": 0, "orders": 0}
    assert "ada" not in "".join(notified(shop))
    pass_time(shop, 5 * MINUTE)  # gone through once, and not again and again
    purged = copy_of(shop).purged_at
    pass_time(shop, 5 * MINUTE)
    assert copy_of(shop).purged_at == purged


def test_a_copy_that_waits_has_nobody_read_the_ledger() -> None:
    """However many are in it: each minute one document tells whether somebody came."""
    shop = world()
    erase(shop, "ada")
    ask(shop)
    pass_time(shop, 15 * MINUTE)
    assert copy_of(shop).status is FillStatus.READY
    ask_store, asked = shop.ports.store.query, list[str]()

    def counted(query: Query) -> list[Document]:
        asked.append(query.collection)
        return ask_store(query)

    shop.ports.store.query = counted  # type: ignore[method-assign]  # it is counted, and done
    pass_time(shop, 5 * MINUTE)

    assert "copies" in asked
    assert "erasures" not in asked


def test_whose_erasure_is_read_after_the_copy_was_gone_through() -> None:
    """The application had erased them before, and said so where it is read once an hour."""
    shop = world()
    rules = EXAMPLE.erasure
    assert rules is not None
    told = replace(rules, collection="erased", person="who", erased_at="done")
    shop.policy = replace(shop.policy, erasure=told)
    shop.start_instances()
    pass_time(shop, MINUTE)
    ask(shop)
    now = shop.ports.clock.now()
    shop.ports.kept.write(ORIGINAL, {"erased/1": {"who": "ada", "done": now}})
    shop.ports.beside.held[ORIGINAL, "erased/1"] = now
    pass_time(shop, 15 * MINUTE)
    made = copy_of(shop)
    assert made.status is FillStatus.READY
    assert "customers/ada" in documents(shop, made.id)
    pass_time(shop, HOUR)

    assert sorted(documents(shop, made.id)) == ["customers/bob", "orders/2"]
    assert copy_of(shop).counts == {"customers": 1, "orders": 1}
    purged = copy_of(shop).purged_at
    pass_time(shop, 5 * MINUTE)
    assert copy_of(shop).purged_at == purged


def test_what_is_not_valid_is_told() -> None:
    """A copy of a bad moment is one all the same: people see what they have."""
    shop = world()
    shop.ports.kept.write(ORIGINAL, {"customers/ada": {"email": 7}})
    shop.ports.clock.advance(2 * HOUR)
    ask(shop)
    pass_time(shop, 15 * MINUTE)

    assert copy_of(shop).status is FillStatus.READY
    assert "customers: 1 of 2 are not valid (1 by schema)" in notified(shop)[0]


def test_what_nobody_uses_is_deleted() -> None:
    """Once its time is over, told before and after."""
    shop = world()
    ask(shop)
    pass_time(shop, 15 * MINUTE)
    shop.ports.clock.advance(2 * DAY)
    pass_time(shop, 5 * MINUTE)
    assert len(notified(shop)) == 1
    shop.ports.clock.advance(10 * HOUR)
    pass_time(shop, 5 * MINUTE)
    assert "is deleted at 2026-03-06" in notified(shop)[1]
    assert len(notified(shop)) == 2
    shop.ports.clock.advance(14 * HOUR)
    pass_time(shop, 5 * MINUTE)

    made = copy_of(shop)
    assert (made.status, made.is_over) == (FillStatus.DELETED, True)
    assert made.expires_at is not None
    assert shop.ports.filled.made == [ORIGINAL]
    assert told(shop) == ["copy.made", "copy.ready", "copy.ends", "copy.deleted"]
    assert "is deleted: (default) as of 2026-03-03" in notified(shop)[2]


def test_what_somebody_uses_is_left() -> None:
    """Whoever writes to it has it."""
    shop = world()
    ask(shop)
    pass_time(shop, 15 * MINUTE)
    made = copy_of(shop)
    shop.ports.kept.write(made.id, {"orders/3": {"status": "open", "customer": "bob"}})
    shop.ports.clock.advance(3 * DAY)
    pass_time(shop, 5 * MINUTE)

    assert (copy_of(shop).status, copy_of(shop).is_over) == (FillStatus.LEFT, True)
    assert made.id in shop.ports.filled.made
    assert f"gcloud firestore databases delete --database={made.id}" in notified(shop)[-1]


def test_what_is_protected_is_left() -> None:
    """It is tried for an hour, and then it is somebody's."""
    shop = world()
    ask(shop)
    pass_time(shop, 15 * MINUTE)
    made = copy_of(shop)
    shop.ports.filled.protected.add(made.id)
    shop.ports.clock.advance(3 * DAY)
    pass_time(shop, 5 * MINUTE)
    assert copy_of(shop).status is FillStatus.LETTING_GO
    shop.ports.clock.advance(HOUR)
    pass_time(shop, 2 * MINUTE)

    assert copy_of(shop).status is FillStatus.LEFT
    assert made.id in shop.ports.filled.made
    assert "protected" in notified(shop)[-1]


def test_what_a_person_has_deleted_is_gone() -> None:
    """That is no fault of it."""
    shop = world()
    ask(shop)
    pass_time(shop, 15 * MINUTE)
    shop.ports.filled.delete(copy_of(shop).id)
    shop.ports.clock.advance(3 * DAY)
    pass_time(shop, 3 * MINUTE)

    assert copy_of(shop).status is FillStatus.DELETED


def test_no_incident_is_opened_and_no_slot_taken() -> None:
    """An alert is answered as if nobody were copying."""
    shop = world()
    ask(shop)
    pass_time(shop, 2 * MINUTE)
    assert shop.incidents() == []
    shop.deploy_bad()
    shop.alert()
    shop.pass_time(timedelta(minutes=12))

    assert [one.status for one in shop.rollbacks()] == ["SUCCEEDED"]
    assert copy_of(shop).status is FillStatus.READY
