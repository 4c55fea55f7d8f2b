"""Proofs of backups by the clock: proven is what was restored and looked through."""

import re
from datetime import timedelta

import pytest
from msgspec.structs import replace

from shared.core.errors import Ambiguous, Rejected, Unavailable
from shared.domain.data.backups import database_copy
from shared.domain.data.backups.backup_records import NativeBackup
from shared.domain.data.backups.filled_database import FillStatus
from shared.domain.data.backups.restore_test import choose_backup, leftover_databases
from shared.domain.policy.resources import BackupRules, ProofRules
from shared.state.reader import StateReader
from tests.support.data.restore_tests import (
    MINUTE,
    RULES,
    build_system_with_restore_tests,
    notified_events,
    only_proof,
    proof_event_names,
    read_proofs,
)
from tests.support.fakes.firestore.restores import ORIGINAL
from tests.support.fakes.runtime.hooks import no_hook, raise_error
from tests.support.notices.system_events import pass_time
from tests.support.runtime.world import World

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
SCRATCH = "proof-bookshop-202603021205"


def test_the_newest_backup_is_restored_and_looked_through() -> None:
    """Proven with its time, its counts and its documents; the scratch database is gone."""
    shop = build_system_with_restore_tests()
    pass_time(shop, 20 * MINUTE)

    found = only_proof(shop)
    assert (found.status, found.faults, found.unknown) == (FillStatus.PROVEN, (), ())
    assert found.backup == "bookshop-20260302T1200Z"
    assert found.run is not None
    assert (found.run.counts, found.compared) == ({"customers": 30, "orders": 20}, 40)
    assert found.duration is not None
    assert 5 * MINUTE <= found.duration <= 7 * MINUTE
    assert shop.ports.filled.made == [ORIGINAL]
    assert proof_event_names(shop) == ["backup.restoring", "backup.restored", "backup.proven"]
    assert not notified_events(shop)


def test_each_day_has_one_proof() -> None:
    """On however many instances."""
    shop = build_system_with_restore_tests()
    for _ in range(2):
        pass_time(shop, 30 * MINUTE)
        shop.start_instances()
    shop.advance_clock(23 * HOUR)
    pass_time(shop, 20 * MINUTE)

    first, second = read_proofs(shop)
    assert (first.status, second.status) == (FillStatus.PROVEN, FillStatus.PROVEN)
    assert (first.id, second.id) == ("bookshop-20260302", "bookshop-20260303")
    assert len(shop.ports.filled.ever) == 2


def test_a_proof_that_lasts_into_the_next_day_is_not_disturbed() -> None:
    """The next one waits for its end, which takes every scratch database of the system away."""
    shop = build_system_with_restore_tests()
    pass_time(shop, 4 * MINUTE)  # there is a backup, and no proof yet
    shop.advance_clock(11 * HOUR + 50 * MINUTE)
    pass_time(shop, 40 * MINUTE)

    assert [one.id for one in read_proofs(shop)] == ["bookshop-20260302", "bookshop-20260303"]
    assert {one.status for one in read_proofs(shop)} == {FillStatus.PROVEN}
    assert shop.ports.filled.made == [ORIGINAL]


def test_without_rules_nothing_is_restored() -> None:
    """And no scratch database is made."""
    shop = build_system_with_restore_tests(replace(RULES, proof=None))
    pass_time(shop, 10 * MINUTE)

    assert read_proofs(shop) == []
    assert shop.ports.filled.ever == []


def test_without_an_export_a_native_backup_is_proven() -> None:
    """What nobody counted when it was made is said."""
    shop = build_system_with_restore_tests(BackupRules(native=True, proof=ProofRules()))
    shop.ports.databases.back_up(ORIGINAL, 7 * DAY)
    pass_time(shop, 20 * MINUTE)

    found = only_proof(shop)
    assert found.status is FillStatus.PROVEN
    assert found.is_native
    assert [one.partition(":")[0] for one in found.unknown] == ["how many documents there must be"]


def broken(shop: World, **documents: dict[str, object] | None) -> None:
    """Meddle with what is restored, once it is there."""

    def meddle(verb: str, side: str) -> None:
        if (verb, side) == ("restores.fill", "after"):
            [name] = shop.ports.filled.ever
            changed = {path.replace("_", "/"): fields for path, fields in documents.items()}
            shop.ports.kept.write(name, changed)

    shop.ports.filled.hook = meddle


@pytest.mark.parametrize(
    ("documents", "fault"),
    [
        ({"customers_7": None}, "customers: 29 documents where 30 were backed up"),
        ({"customers_x": {"email": "x"}}, "customers: 31 documents where 30 were backed up"),
        ({"customers_7": {}}, "customers: 1 of 30 documents are not valid (1 by schema)"),
        ({"orders_3": {"customer": "none"}}, "orders: 1 of 20 documents are not valid"),
        ({"customers_0": {"email": "other"}}, "customers/0: not what it was when it was backed up"),
    ],
)
def test_a_backup_that_is_no_backup(documents: dict[str, dict[str, object]], fault: str) -> None:
    """Missing, added, invalid, dangling and other documents are found, and people hear of them."""
    shop = build_system_with_restore_tests()
    broken(shop, **documents)
    pass_time(shop, 20 * MINUTE)

    found = only_proof(shop)
    assert found.status is FillStatus.FAILED
    assert any(one.startswith(fault) for one in found.faults)
    assert len(notified_events(shop)) == 1
    assert fault in notified_events(shop)[0]
    assert shop.ports.filled.made == [ORIGINAL]
    assert proof_event_names(shop)[-1] == "backup.unproven"


def test_what_the_policy_tolerates() -> None:
    """A share of the documents may be missing or invalid."""
    shop = build_system_with_restore_tests(replace(RULES, proof=ProofRules(tolerance=0.05, samples=1)))
    broken(shop, customers_29=None, orders_3={"customer": "none"})
    pass_time(shop, 20 * MINUTE)

    assert (only_proof(shop).status, only_proof(shop).compared) == (FillStatus.PROVEN, 2)


def test_a_restore_that_fails_late() -> None:
    """It is told with the reason, and its database is deleted."""
    shop = build_system_with_restore_tests()
    shop.ports.filled.failures = ["no room"]
    pass_time(shop, 20 * MINUTE)

    assert only_proof(shop).faults == ("the restore failed: no room",)
    assert shop.ports.filled.made == [ORIGINAL]
    assert "no room" in notified_events(shop)[0]


def test_a_right_that_is_missing() -> None:
    """It is tried until its time is over, then told with the last reason."""
    shop = build_system_with_restore_tests()
    shop.ports.filled.hook = raise_error(
        "restores.fill", Rejected("PERMISSION_DENIED: datastore.databases.import")
    )
    pass_time(shop, 4 * HOUR + 10 * MINUTE)

    [fault] = only_proof(shop).faults
    assert "datastore.databases.import" in fault
    assert shop.ports.filled.made == [ORIGINAL]


@pytest.mark.parametrize("verb", ["restores.create", "restores.fill"])
def test_a_refusal_that_passes(verb: str) -> None:
    """It costs a few minutes, and not the proof of the day."""
    shop = build_system_with_restore_tests()
    shop.ports.filled.hook = raise_error(verb, Rejected("PERMISSION_DENIED"))
    pass_time(shop, 10 * MINUTE)
    shop.ports.filled.hook = no_hook
    pass_time(shop, 30 * MINUTE)

    assert (only_proof(shop).status, notified_events(shop)) == (FillStatus.PROVEN, [])


def test_lost_answers_and_silence() -> None:
    """Nothing is restored twice, and nothing is given up before its time."""
    shop = build_system_with_restore_tests()
    lost: list[str] = []

    def lose(verb: str, side: str) -> None:
        if verb in ("restores.fill", "restores.delete") and side == "after" and verb not in lost:
            lost.append(verb)
            raise Ambiguous("cut")
        if verb == "restores.find" and side == "before" and lost.count(verb) < 3:
            lost.append(verb)
            raise Unavailable("no answer")

    shop.ports.filled.hook = lose
    pass_time(shop, 30 * MINUTE)

    assert only_proof(shop).status is FillStatus.PROVEN
    assert len(shop.ports.filled.ever) == 1
    assert shop.ports.filled.made == [ORIGINAL]


def test_a_database_that_was_left_behind() -> None:
    """One that a late request has made after all goes with the next proof; nothing else does."""
    shop = build_system_with_restore_tests()
    left = ["proof-bookshop-202601010000", "proof-bookshop-eu-202601010000", "proof-bookshop"]
    for name in left:
        shop.ports.filled.create(name, "nam5")
    pass_time(shop, 20 * MINUTE)

    assert only_proof(shop).status is FillStatus.PROVEN
    assert shop.ports.filled.made == [ORIGINAL, *left[1:]]


@pytest.mark.parametrize("system", ["a_b-c9", "a_", "a" + 31 * "_-", 63 * "a"])
def test_every_name_of_a_system_can_be_part_of_a_database_s(system: str) -> None:
    """A system's takes what a database's does not: underscores, and more signs."""
    shop = build_system_with_restore_tests()
    pass_time(shop, 20 * MINUTE)
    [kept] = StateReader(shop.store).backups("bookshop")
    named = replace(shop.policy, system=system)

    intent = choose_backup(named, [kept], [], kept.snapshot_at)

    assert intent is not None
    for name in (intent.database, database_copy.new_copy_id(system, kept.snapshot_at)):
        assert re.fullmatch("[a-z][a-z0-9-]{2,61}[a-z0-9]", name), name
    assert leftover_databases(system, [intent.database]) == [intent.database]


@pytest.mark.parametrize(("days", "is_native"), [(0, True), (6, False), (7, True)])
def test_googles_backup_is_restored_each_day_and_an_export_on_sundays(days: int, is_native: bool) -> None:
    """The runbook: "Daily integrity checks with restoration testing"; an import is paid for."""
    shop = build_system_with_restore_tests()
    pass_time(shop, 20 * MINUTE)
    [kept] = StateReader(shop.store).backups("bookshop")
    monday, before = kept.snapshot_at, kept.snapshot_at - HOUR
    native = NativeBackup("projects/p/locations/nam5/backups/b", before, monday + 7 * DAY, is_ready=True)

    intent = choose_backup(shop.policy, [kept], [native], monday + days * DAY)

    assert intent is not None
    assert intent.is_native is is_native
