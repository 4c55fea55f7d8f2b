"""Copies that people ask for: made beside the database, looked through, kept for a while."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from shared.core.store import Document, Query
from shared.domain.data.backups.database_copy import MAX_COPIES_PER_SYSTEM
from shared.domain.data.backups.filled_database import FillStatus
from shared.domain.data.backups.restore_point import RestoreSource
from shared.domain.policy.resources import BackupRules
from tests.support.data.database_copies import (
    DAY,
    DOCUMENTS,
    HOUR,
    MINUTE,
    add_whole_export,
    all_copies,
    audit_event_names,
    build_shop_with_copies,
    erase_customer,
    notified_events,
    only_copy,
    read_documents,
    request_copy,
)
from tests.support.fakes.firestore.restores import ORIGINAL
from tests.support.fakes.runtime.hooks import Hook
from tests.support.notices.system_events import pass_time, refusal_reasons
from tests.support.runtime.world import EXAMPLE, World


def test_a_minute_of_the_past_becomes_a_database() -> None:
    """As it was then; the original is not touched, and people are told what to do with it."""
    shop = build_shop_with_copies()
    shop.ports.kept.write(ORIGINAL, {"orders/1": {"status": "broken"}, "orders/2": None})
    before = read_documents(shop, ORIGINAL)
    request_copy(shop, "1h")
    pass_time(shop, 15 * MINUTE)

    made = only_copy(shop)
    assert (made.status, made.faults, made.is_over) == (FillStatus.READY, (), False)
    assert made.point.source is RestoreSource.WINDOW
    assert read_documents(shop, made.id) == DOCUMENTS
    assert read_documents(shop, ORIGINAL) == before
    assert made.counts == {"customers": 2, "orders": 2}
    assert audit_event_names(shop) == ["copy.made", "copy.ready"]
    [text] = notified_events(shop)
    assert "4 documents as of" in text
    assert "docs/cutover.md" in text
    protect = f"gcloud firestore databases update --database={made.id} --project=bookshop-prod"
    assert f"{protect} --delete-protection" in text


def test_a_native_backup_becomes_a_database() -> None:
    """By its name, though nobody has tried it: that is said."""
    shop = build_shop_with_copies()
    shop.ports.databases.back_up(ORIGINAL, 30 * DAY)
    shop.advance_clock(10 * DAY)
    request_copy(shop, shop.ports.databases.backups(ORIGINAL)[0].name)
    pass_time(shop, 15 * MINUTE)

    made = only_copy(shop)
    assert (made.status, made.point.source, made.point.is_verified) == (
        FillStatus.READY,
        RestoreSource.NATIVE,
        False,
    )
    assert read_documents(shop, made.id) == DOCUMENTS
    assert "never proven" in notified_events(shop)[0]


def test_an_export_becomes_a_database() -> None:
    """Where only that is left: the original is gone from Google, and its documents are not."""
    shop = build_shop_with_copies()
    made_before = add_whole_export(shop)
    shop.advance_clock(10 * DAY)
    request_copy(shop, made_before.id)
    pass_time(shop, 15 * MINUTE)

    made = only_copy(shop)
    assert (made.status, made.point.source) == (FillStatus.READY, RestoreSource.EXPORT)
    assert made.location == "nam5"
    assert read_documents(shop, made.id) == DOCUMENTS


def test_a_copy_that_is_ready_is_a_restore_point() -> None:
    """By its name alone, read as it is."""
    shop = build_shop_with_copies()
    request_copy(shop)
    pass_time(shop, 15 * MINUTE)
    made = only_copy(shop)

    request_copy(shop, made.id)

    assert refusal_reasons(shop) == [f"{made.id} is a copy already"]


@pytest.mark.parametrize(
    ("point", "reason"),
    [
        ("30d", "cannot be had; nearest"),
        ("2027-01-01T00:00:00Z", "in the future"),
        ("nothing", "is none"),
        ("a b", "is not a restore point"),
    ],
)
def test_what_cannot_be_had_is_refused(point: str, reason: str) -> None:
    """With the nearest; nothing starts."""
    shop = build_shop_with_copies()
    request_copy(shop, point)

    [refused] = refusal_reasons(shop)
    assert reason in refused
    assert all_copies(shop) == []


def test_where_the_policy_admits_none() -> None:
    """It is refused."""
    shop = build_shop_with_copies(BackupRules())
    request_copy(shop)

    assert refusal_reasons(shop) == ["bookshop declares no copies (backups.copies)"]


def test_no_more_than_two_are_made_at_once() -> None:
    """Each is paid for; one that is ready holds up nobody."""
    shop = build_shop_with_copies()
    for _ in range(3):
        request_copy(shop)
        shop.advance_clock(timedelta(seconds=2))
    assert len(all_copies(shop)) == MAX_COPIES_PER_SYSTEM
    assert "are in progress" in refusal_reasons(shop)[0]

    pass_time(shop, 15 * MINUTE)
    request_copy(shop)

    assert len(all_copies(shop)) == MAX_COPIES_PER_SYSTEM + 1


def test_one_command_asks_for_one_copy() -> None:
    """However often it is delivered."""
    shop = build_shop_with_copies()
    for _ in range(2):
        shop.carry_out("copy", restore_point="1h", id="the-same")
        shop.advance_clock(MINUTE)

    assert len(all_copies(shop)) == 1


@pytest.mark.parametrize("stop", ["pause", "freeze"])
def test_a_switch_holds_it_up(stop: str) -> None:
    """Nothing is begun; once it is lifted, the copy is made."""
    shop = build_shop_with_copies()
    request_copy(shop)
    until = shop.now + HOUR
    span = {"until": until.isoformat()} if stop == "freeze" else {}
    shop.carry_out(stop, **span)
    pass_time(shop, 5 * MINUTE)
    assert shop.ports.filled.ever == []
    assert "pause or a freeze" in only_copy(shop).waiting

    shop.carry_out({"pause": "resume", "freeze": "unfreeze"}[stop])
    pass_time(shop, 15 * MINUTE)

    assert only_copy(shop).status is FillStatus.READY


def pausing(shop: World, place: str) -> Hook:
    """Whoever carries the copy has just done that when a person pauses automation."""
    said: list[str] = []

    def pause(verb: str, side: str) -> None:
        if said or (verb, side) != (place, "after"):
            return
        if all(one.asked_at is None for one in all_copies(shop)):
            return
        said.append(verb)
        shop.send_command("pause")
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
    shop = build_shop_with_copies()
    shop.ports.databases.back_up(ORIGINAL, 30 * DAY)
    native = shop.ports.databases.backups(ORIGINAL)[0].name
    request_copy(shop, {"window": "1h", "native": native}.get(point) or add_whole_export(shop).id)
    fake = shop.store if place == "store.commit" else shop.ports.filled
    fake.hook = pausing(shop, place)
    pass_time(shop, 5 * MINUTE)
    assert len(shop.ports.filled.ever) == made
    assert only_copy(shop).waiting.startswith("nothing starts")
    assert only_copy(shop).operation == ""

    shop.carry_out("resume")
    pass_time(shop, 20 * MINUTE)
    assert only_copy(shop).status is FillStatus.READY


def test_whoever_was_erased_since_is_not_in_it() -> None:
    """Nor whoever is erased while it is kept; nobody is named."""
    shop = build_shop_with_copies()
    erase_customer(shop, "ada")
    request_copy(shop)
    pass_time(shop, 15 * MINUTE)
    made = only_copy(shop)
    assert sorted(read_documents(shop, made.id)) == ["customers/bob", "orders/2"]
    assert "removed 2 documents of people who were erased since then" in notified_events(shop)[0]

    erase_customer(shop, "bob")
    pass_time(shop, 3 * MINUTE)

    assert read_documents(shop, made.id) == {}
    assert only_copy(shop).status is FillStatus.READY
    assert only_copy(shop).counts == {"customers": 0, "orders": 0}
    assert "ada" not in "".join(notified_events(shop))
    pass_time(shop, 5 * MINUTE)  # gone through once, and not again and again
    purged = only_copy(shop).purged_at
    pass_time(shop, 5 * MINUTE)
    assert only_copy(shop).purged_at == purged


def test_a_copy_that_waits_has_nobody_read_the_ledger() -> None:
    """However many are in it: each minute one document tells whether somebody came."""
    shop = build_shop_with_copies()
    erase_customer(shop, "ada")
    request_copy(shop)
    pass_time(shop, 15 * MINUTE)
    assert only_copy(shop).status is FillStatus.READY
    ask_store, asked = shop.store.query, list[str]()

    def counted(query: Query) -> list[Document]:
        asked.append(query.collection)
        return ask_store(query)

    shop.store.query = counted  # type: ignore[method-assign]  # it is counted, and done
    pass_time(shop, 5 * MINUTE)

    assert "copies" in asked
    assert "erasures" not in asked


def test_whose_erasure_is_read_after_the_copy_was_gone_through() -> None:
    """The application had erased them before, and said so where it is read once an hour."""
    shop = build_shop_with_copies()
    rules = EXAMPLE.erasure
    assert rules is not None
    told = replace(rules, collection="erased", person="who", erased_at="done")
    shop.policy = replace(shop.policy, erasure=told)
    shop.start_instances()
    pass_time(shop, MINUTE)
    request_copy(shop)
    now = shop.now
    shop.ports.kept.write(ORIGINAL, {"erased/1": {"who": "ada", "done": now}})
    shop.ports.beside.held[ORIGINAL, "erased/1"] = now
    pass_time(shop, 15 * MINUTE)
    made = only_copy(shop)
    assert made.status is FillStatus.READY
    assert "customers/ada" in read_documents(shop, made.id)
    pass_time(shop, HOUR)

    assert sorted(read_documents(shop, made.id)) == ["customers/bob", "orders/2"]
    assert only_copy(shop).counts == {"customers": 1, "orders": 1}
    purged = only_copy(shop).purged_at
    pass_time(shop, 5 * MINUTE)
    assert only_copy(shop).purged_at == purged


def test_what_is_not_valid_is_told() -> None:
    """A copy of a bad moment is one all the same: people see what they have."""
    shop = build_shop_with_copies()
    shop.ports.kept.write(ORIGINAL, {"customers/ada": {"email": 7}})
    shop.advance_clock(2 * HOUR)
    request_copy(shop)
    pass_time(shop, 15 * MINUTE)

    assert only_copy(shop).status is FillStatus.READY
    assert "customers: 1 of 2 are not valid (1 by schema)" in notified_events(shop)[0]


def test_what_nobody_uses_is_deleted() -> None:
    """Once its time is over, told before and after."""
    shop = build_shop_with_copies()
    request_copy(shop)
    pass_time(shop, 15 * MINUTE)
    shop.advance_clock(2 * DAY)
    pass_time(shop, 5 * MINUTE)
    assert len(notified_events(shop)) == 1
    shop.advance_clock(10 * HOUR)
    pass_time(shop, 5 * MINUTE)
    assert "is deleted at 2026-03-06" in notified_events(shop)[1]
    assert len(notified_events(shop)) == 2
    shop.advance_clock(14 * HOUR)
    pass_time(shop, 5 * MINUTE)

    made = only_copy(shop)
    assert (made.status, made.is_over) == (FillStatus.DELETED, True)
    assert made.expires_at is not None
    assert shop.ports.filled.made == [ORIGINAL]
    assert audit_event_names(shop) == ["copy.made", "copy.ready", "copy.ends", "copy.deleted"]
    assert "is deleted: (default) as of 2026-03-03" in notified_events(shop)[2]


def test_what_somebody_uses_is_left() -> None:
    """Whoever writes to it has it."""
    shop = build_shop_with_copies()
    request_copy(shop)
    pass_time(shop, 15 * MINUTE)
    made = only_copy(shop)
    shop.ports.kept.write(made.id, {"orders/3": {"status": "open", "customer": "bob"}})
    shop.advance_clock(3 * DAY)
    pass_time(shop, 5 * MINUTE)

    assert (only_copy(shop).status, only_copy(shop).is_over) == (FillStatus.LEFT, True)
    assert made.id in shop.ports.filled.made
    assert f"gcloud firestore databases delete --database={made.id}" in notified_events(shop)[-1]


def test_what_is_protected_is_left() -> None:
    """It is tried for an hour, and then it is somebody's."""
    shop = build_shop_with_copies()
    request_copy(shop)
    pass_time(shop, 15 * MINUTE)
    made = only_copy(shop)
    shop.ports.filled.protected.add(made.id)
    shop.advance_clock(3 * DAY)
    pass_time(shop, 5 * MINUTE)
    assert only_copy(shop).status is FillStatus.LETTING_GO
    shop.advance_clock(HOUR)
    pass_time(shop, 2 * MINUTE)

    assert only_copy(shop).status is FillStatus.LEFT
    assert made.id in shop.ports.filled.made
    assert "protected" in notified_events(shop)[-1]


def test_what_a_person_has_deleted_is_gone() -> None:
    """That is no fault of it."""
    shop = build_shop_with_copies()
    request_copy(shop)
    pass_time(shop, 15 * MINUTE)
    shop.ports.filled.delete(only_copy(shop).id)
    shop.advance_clock(3 * DAY)
    pass_time(shop, 3 * MINUTE)

    assert only_copy(shop).status is FillStatus.DELETED


def test_no_incident_is_opened_and_no_slot_taken() -> None:
    """An alert is answered as if nobody were copying."""
    shop = build_shop_with_copies()
    request_copy(shop)
    pass_time(shop, 2 * MINUTE)
    assert shop.incidents() == []
    shop.deploy_bad()
    shop.alert()
    shop.pass_time(timedelta(minutes=12))

    assert [one.status for one in shop.rollbacks()] == ["SUCCEEDED"]
    assert only_copy(shop).status is FillStatus.READY
