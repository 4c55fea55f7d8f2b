"""Exports by the clock: what is kept is whole, compared and told; what is not is told too."""

import json
from datetime import datetime, timedelta

import pytest
from msgspec.structs import replace

from responders.deployments.messages import parse_deployment_message
from shared.core.errors import Refused, Rejected, Unavailable
from shared.core.store import Query
from shared.domain.data.backups.backup_records import Export, ObjectMetadata
from shared.domain.data.backups.export import (
    FINAL_FILE_SUFFIX,
    MAX_SNAPSHOT_AGE,
    ExportStatus,
    create_backup,
    find_differing_files,
    mark_exported,
    mark_requested,
    may_request,
    slot_start,
)
from shared.domain.policy.resources import BackupRules
from tests.support.data.exports import (
    HERE,
    MINUTE,
    NAME,
    POLICY,
    RULES,
    THERE,
    backup_event_names,
    build_system_with_exports,
    only_backup,
    read_catalogue,
)
from tests.support.fakes.runtime.clock import START
from tests.support.fakes.runtime.hooks import raise_error
from tests.support.notices.system_events import pass_time
from tests.support.runtime.world import World

HOUR = timedelta(hours=1)
FOLDER = "bookshop/default/20260302T1200Z"


def notified(world: World) -> list[str]:
    notices = world.store.query(Query("notices"))
    texts = [str(one.fields["text"]) for one in notices if one.fields]
    return sorted({one for one in texts if "backup" in one})


def test_a_backup_is_exported_copied_and_compared() -> None:
    """It holds one minute, lies alike on both continents, and expires after thirty days."""
    shop = build_system_with_exports()
    pass_time(shop, 5 * MINUTE)

    kept = only_backup(shop)
    assert (kept.id, kept.status, kept.is_over, kept.failure) == (NAME, ExportStatus.KEPT, True, "")
    assert kept.places == (f"gs://{HERE}/{FOLDER}", f"gs://{THERE}/{FOLDER}")
    assert (kept.documents, kept.counts) == (55, {"users": 30, "orders": 20})
    assert kept.expires_at == kept.began_at + timedelta(days=30)
    buckets = shop.ports.mirrors.buckets
    assert buckets[THERE] == buckets[HERE]
    assert (kept.objects, kept.size_bytes) == (4, 55 + len(b"whole"))
    assert backup_event_names(shop) == ["begun", "copying", "kept"]
    assert not notified(shop)


def test_each_slot_has_one_backup() -> None:
    """However often the clock ticks, and on however many instances."""
    shop = build_system_with_exports()
    for _ in range(3):
        pass_time(shop, 5 * HOUR)
        shop.start_instances()

    slots = [one.slot_at for one in read_catalogue(shop)]
    assert slots == [START, START + 6 * HOUR, START + 12 * HOUR]
    assert all(one.status is ExportStatus.KEPT for one in read_catalogue(shop))
    assert len(shop.ports.databases.begun) == 3


def test_without_a_bucket_nothing_is_exported() -> None:
    """And nothing is asked for it."""
    shop = build_system_with_exports(rules=BackupRules())
    pass_time(shop, 5 * MINUTE)

    assert read_catalogue(shop) == []
    assert shop.ports.databases.begun == []


def test_without_a_second_bucket_it_is_kept_in_one_place() -> None:
    """Which is what its entry says."""
    shop = build_system_with_exports(rules=replace(RULES, second=None))
    pass_time(shop, 5 * MINUTE)

    assert only_backup(shop).places == (f"gs://{HERE}/{FOLDER}",)
    assert shop.ports.mirrors.buckets[THERE] == {}


def assert_begun_anew(shop: World) -> None:
    """In ten minutes a second attempt is kept, in a folder of its own, as the audit log says."""
    pass_time(shop, 10 * MINUTE)

    assert (only_backup(shop).status, only_backup(shop).attempt) == (ExportStatus.KEPT, 2)
    assert only_backup(shop).places[0] == f"gs://{HERE}/{FOLDER}-2"
    assert backup_event_names(shop) == ["begun", "retried", "copying", "kept"]


def test_an_export_that_fails_late_is_begun_anew() -> None:
    """In a folder of its own: what the first one left is not taken for a part of the second."""
    shop = build_system_with_exports()
    shop.ports.databases.failures = ["no space"]
    assert_begun_anew(shop)


def test_a_folder_that_holds_an_export_already() -> None:
    """The export is begun anew in a folder of its own, and people can see why."""
    shop = build_system_with_exports()
    closing = f"{FOLDER}/20260302T1200Z{FINAL_FILE_SUFFIX}"
    shop.ports.mirrors.buckets[HERE][closing] = b"x"
    assert_begun_anew(shop)


def test_exports_that_keep_failing_are_told() -> None:
    """After three attempts there is no backup, and people know why."""
    shop = build_system_with_exports()
    shop.ports.databases.failures = ["no space"] * 3
    pass_time(shop, 15 * MINUTE)

    assert (only_backup(shop).status, only_backup(shop).places) == (ExportStatus.FAILED, ())
    assert notified(shop) == [f"bookshop: backup {NAME} failed: the export failed: no space"]


def test_an_export_without_its_end() -> None:
    """The service calls it whole, and the file that closes it is not there: not a backup."""
    shop = build_system_with_exports()

    def lose(verb: str, side: str) -> None:
        if (verb, side) == ("exports.look", "after"):
            for name in [*shop.ports.mirrors.buckets[HERE]]:
                if name.endswith(FINAL_FILE_SUFFIX):
                    del shop.ports.mirrors.buckets[HERE][name]

    shop.ports.databases.hook = lose
    pass_time(shop, 15 * MINUTE)

    assert only_backup(shop).status is ExportStatus.FAILED
    assert "the file that closes the export is missing" in notified(shop)[0]


def test_a_copy_that_was_cut_short_is_made_good() -> None:
    """Sizes and checksums are compared, and only an equal copy counts."""
    shop = build_system_with_exports()
    cut: list[str] = []

    def cut_short(verb: str, side: str) -> None:
        there = shop.ports.mirrors.buckets[THERE]
        if (verb, side) == ("mirrors.copy", "after") and not cut:
            cut.append(name := next(iter(there)))
            there[name] = there[name][:-1]

    shop.ports.mirrors.hook = cut_short
    pass_time(shop, 6 * MINUTE)

    assert cut
    assert only_backup(shop).status is ExportStatus.KEPT
    assert shop.ports.mirrors.buckets[THERE] == shop.ports.mirrors.buckets[HERE]


def test_what_is_large_is_copied_in_parts() -> None:
    """An instance that dies in between goes on with the token that is on record."""
    shop = build_system_with_exports()
    shop.ports.databases.hold_documents("(default)", users=3_000_000)
    pass_time(shop, 8 * MINUTE)

    assert only_backup(shop).status is ExportStatus.KEPT
    assert shop.ports.mirrors.buckets[THERE] == shop.ports.mirrors.buckets[HERE]


def test_files_that_are_gone_before_they_were_copied() -> None:
    """What is not there any more is not called a backup: it is exported again."""
    shop = build_system_with_exports()
    lost: list[str] = []

    def lose(verb: str, side: str) -> None:
        here = shop.ports.mirrors.buckets[HERE]
        if (verb, side) == ("mirrors.copy", "after") and not lost:
            lost.append(name := max(here))
            del here[name]

    shop.ports.mirrors.hook = lose
    pass_time(shop, 15 * MINUTE)

    assert (only_backup(shop).status, only_backup(shop).attempt) == (ExportStatus.KEPT, 2)
    assert only_backup(shop).places[1] == f"gs://{THERE}/{FOLDER}-2"
    assert backup_event_names(shop) == ["begun", "copying", "retried", "copying", "kept"]


def test_a_bucket_that_may_not_be_written_to() -> None:
    """It is asked again until the next backup is due, then it has failed with the reason."""
    shop = build_system_with_exports()
    shop.ports.mirrors.hook = raise_error("mirrors.copy", Rejected("403: no access"))
    pass_time(shop, 6 * HOUR + 2 * MINUTE)

    first = read_catalogue(shop)[0]
    assert (first.status, first.failure) == (ExportStatus.FAILED, "403: no access")
    assert notified(shop)


def test_a_service_without_an_answer_delays() -> None:
    """Nothing is given up before the next backup is due, and nothing is begun twice."""
    shop = build_system_with_exports()
    until = shop.now + HOUR

    def silent(verb: str, side: str) -> None:
        if verb.startswith(("exports.", "mirrors.")) and shop.now < until:
            raise Unavailable("no answer")

    shop.ports.databases.hook = shop.ports.mirrors.hook = silent
    pass_time(shop, HOUR + 10 * MINUTE)

    assert only_backup(shop).status is ExportStatus.KEPT
    assert only_backup(shop).snapshot_at > START
    assert len(shop.ports.databases.begun) == 1


def test_an_upcoming_deployment_has_a_backup_of_its_own() -> None:
    """Once, of the minute in which it was told of, beside those of the slots."""
    shop = build_system_with_exports()
    pass_time(shop, 5 * MINUTE)
    minute = shop.now.replace(second=0, microsecond=0)
    count = len(shop.store.query(Query("deployments")))
    shop.announce("deploy_1", upcoming=True)
    shop.announce("deploy_1", upcoming=True)
    pass_time(shop, 5 * MINUTE)

    [before] = [one for one in read_catalogue(shop) if one.id == "bookshop-before-deploy_1"]
    assert (before.status, before.snapshot_at) == (ExportStatus.KEPT, minute)
    assert before.places[0] == f"gs://{HERE}/bookshop/default/before-deploy_1"
    assert len(shop.ports.databases.begun) == 2
    assert len(shop.store.query(Query("deployments"))) == count


@pytest.mark.parametrize(
    "said", [{"deployment": ""}, {"deployment": "d", "stable": True}, {"deployment": "d", "barrier": "x"}]
)
def test_an_upcoming_deployment_that_cannot_be(said: dict[str, object]) -> None:
    """It has a name, and nothing is known of it yet."""
    content = {"version": 1, "system": "bookshop", "upcoming": True, **said}

    with pytest.raises(Refused, match="upcoming"):
        parse_deployment_message(json.dumps(content).encode(), {"bookshop": POLICY}, START)


def test_an_upcoming_deployment_of_a_system_that_exports_nothing() -> None:
    """It is taken note of, and no backup is promised."""
    shop = build_system_with_exports(rules=BackupRules())
    shop.announce("deploy_1", upcoming=True)
    pass_time(shop, 2 * MINUTE)

    assert read_catalogue(shop) == []


@pytest.mark.parametrize(
    ("documents", "status", "attempt"), [(50, ExportStatus.COPYING, 1), (49, ExportStatus.EXPORTING, 2)]
)
def test_an_export_that_holds_less_than_its_collections(
    documents: int, status: ExportStatus, attempt: int
) -> None:
    """What the database counted at that moment is the least that an export must hold."""
    begun = mark_requested(create_backup(POLICY, START, START), {"users": 30, "orders": 20}, START)
    export = Export("o", begun.prefix, START, START, START, documents=documents)
    files = {f"{begun.folder}/a{FINAL_FILE_SUFFIX}": ObjectMetadata(1, "")}

    after = mark_exported(begun, export, files, START)

    assert (after.status, after.attempt) == (status, attempt)


@pytest.mark.parametrize(
    ("copy", "differs"),
    [
        (ObjectMetadata(3, "abc="), False),
        (ObjectMetadata(2, "abc="), True),
        (ObjectMetadata(3, "abd="), True),
        (None, True),
    ],
)
def test_what_counts_as_a_copy(copy: ObjectMetadata | None, differs: bool) -> None:
    """Its size and its checksum are those of the original; anything else is copied again."""
    copies = {"a": copy} if copy else {}

    assert find_differing_files({"a": ObjectMetadata(3, "abc=")}, copies) == (("a",) if differs else ())


@pytest.mark.parametrize(
    ("clock", "begins"),
    [
        (datetime(2026, 3, 2, 0, 0, tzinfo=START.tzinfo), 0),
        (datetime(2026, 3, 2, 5, 59, 59, tzinfo=START.tzinfo), 0),
        (datetime(2026, 3, 2, 6, 0, tzinfo=START.tzinfo), 6),
        (datetime(2026, 3, 2, 23, 59, 59, tzinfo=START.tzinfo), 18),
    ],
)
def test_slots_begin_at_midnight(clock: datetime, begins: int) -> None:
    """So that those of all instances and days are the same."""
    assert slot_start(6 * HOUR, clock) == clock.replace(hour=begins, minute=0, second=0)


@pytest.mark.parametrize(
    ("late", "fresh"), [(MAX_SNAPSHOT_AGE, True), (MAX_SNAPSHOT_AGE + timedelta(seconds=1), False)]
)
def test_a_slot_that_is_served_late(late: timedelta, fresh: bool) -> None:
    """What cannot be exported any more gives way to the last whole minute."""
    now = START + late
    begun = create_backup(POLICY, START, now)

    assert (begun.snapshot_at == START) is fresh
    assert begun.snapshot_at.second == 0


@pytest.mark.parametrize(("after", "may"), [(timedelta(0), False), (MINUTE, True), (59 * MINUTE / 60, False)])
def test_an_export_is_not_asked_for_while_a_request_may_be_on_its_way(after: timedelta, may: bool) -> None:
    """Two instances begin one export."""
    asked = mark_requested(create_backup(POLICY, START, START), {}, START)

    assert may_request(asked.asked_at, START + after) is may


def test_what_is_live_lies_beside_each_export() -> None:
    """Alike on both continents, and not where an import looks."""
    shop = build_system_with_exports()
    shop.platform.deploy()
    shop.settle()
    pass_time(shop, 5 * MINUTE)

    kept = only_backup(shop)
    buckets = shop.ports.mirrors.buckets
    assert kept.configuration == f"{FOLDER}.json"
    assert buckets[THERE][kept.configuration] == buckets[HERE][kept.configuration]
    said = json.loads(buckets[HERE][kept.configuration])
    assert said["system"] == "bookshop"
    assert set(said["live"]["functions"]) == set(shop.policy.functions)


def test_an_export_without_what_is_live_is_one_all_the_same() -> None:
    """Where nobody has looked yet, or it may not be written; the backup says that none is there."""
    shop = build_system_with_exports()
    shop.ports.mirrors.hook = raise_error("mirrors.write", Rejected("403"))
    shop.platform.deploy()
    pass_time(shop, 5 * MINUTE)

    assert (only_backup(shop).status, only_backup(shop).configuration) == (ExportStatus.KEPT, "")
