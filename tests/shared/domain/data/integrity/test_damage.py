"""What damage means: when it began, and whether its writer has stopped; in tables."""

from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from shared.domain.data.integrity.damage import (
    MINUTE,
    IntegrityRecord,
    OnsetSearch,
    comparison_run,
    due_scan_reason,
    evaluate_writer,
    record_completed_run,
    writer_functions,
)
from shared.domain.data.integrity.scan import (
    CollectionTally,
    PeakCount,
    ScanRange,
    ScanRun,
    document_limits,
    draw_sample,
    peak_counts,
)
from shared.domain.data.integrity.validator import IntegrityCheck
from shared.domain.policy.data_rules import Collection, IntegrityRules
from tests.support.runtime.world import CHECKED

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
RULES = IntegrityRules(quiet=10 * MINUTE, read_budget=1000)
POLICY = replace(
    CHECKED,
    integrity=RULES,
    collections={"a": Collection(references={"b": "b"}), "b": Collection(writers=("checkout",))},
)
WHOLE = ScanRun("bookshop", "a test", NOON, NOON, {"a": 5}, (), tallies={"a": CollectionTally(5)})


def with_tally(tally: CollectionTally) -> ScanRun:
    return replace(WHOLE, tallies={"a": tally})


def faulty(written: timedelta, **checks: int) -> ScanRun:
    """A run that found one faulty document, written so long before it."""
    named = {IntegrityCheck(name): count for name, count in checks.items()}
    return with_tally(CollectionTally(5, 1, checks=named, newest_at=NOON - written))


@pytest.mark.parametrize(
    ("last", "known_at"),
    [
        (None, None),
        (WHOLE, NOON),
        (with_tally(CollectionTally(5, 1)), None),  # too few to open a finding
        (with_tally(CollectionTally(5, 0, 1)), None),
        (replace(WHOLE, is_whole=False), None),
    ],
)
def test_data_was_last_valid_in_a_whole_check_without_a_fault(
    last: ScanRun | None, known_at: datetime | None
) -> None:
    assert IntegrityRecord("bookshop", last=last).last_valid_at == known_at


@given(st.integers(0, 10_080), st.integers(1, 10_080))
def test_the_first_bad_minute_is_found(first: int, span: int) -> None:
    """Whichever minute it is, in about as many looks as halving takes."""
    low, high = NOON - span * MINUTE, NOON
    began = max(NOON - first * MINUTE, low - MINUTE)
    search, looks = OnsetSearch(low, high), 0
    while (at := search.next_look) is not None:
        search = search.record_look(at, bad=at >= began)
        looks += 1

    if began <= low:
        assert (search.high, search.is_within) == (low, False)
    else:
        assert (search.high, search.is_within) == (began, True)
    assert looks <= 2 + span.bit_length()


@pytest.mark.parametrize(
    ("run", "before", "later", "is_quiet"),
    [
        (None, None, 0, None),
        (replace(WHOLE, stretches=(ScanRange("a"),)), None, 0, None),
        (WHOLE, None, 0, True),
        (WHOLE, None, 10, True),
        (WHOLE, None, 11, None),  # too long ago
        (replace(WHOLE, is_whole=False), None, 0, None),
        (with_tally(CollectionTally(5, unknown=1)), None, 0, None),
        (faulty(9 * MINUTE, schema=1), None, 0, False),
        (faulty(10 * MINUTE, schema=1), None, 0, True),
        (faulty(timedelta(days=1), reference=1), None, 0, None),  # missing since when?
        (
            faulty(timedelta(days=1), reference=1),
            replace(faulty(timedelta(days=1), reference=1), at=NOON - 10 * MINUTE),
            0,
            True,
        ),
        (
            faulty(timedelta(days=1), reference=2),
            replace(faulty(timedelta(days=1), reference=1), at=NOON - 10 * MINUTE),
            0,
            False,
        ),
        (
            faulty(timedelta(days=1), media=1),
            replace(faulty(timedelta(days=1), media=1), at=NOON - 9 * MINUTE),
            0,
            None,
        ),
        (replace(WHOLE, dropped={"a": PeakCount(9, NOON)}), None, 0, None),
    ],
)
def test_data_moves_only_once_the_writer_is_quiet(
    run: ScanRun | None, before: ScanRun | None, later: int, is_quiet: bool | None
) -> None:
    """Nothing invalid for ten minutes, by a fresh look at everything; else it is not known."""
    found = evaluate_writer(run, before, POLICY, NOON + later * MINUTE)

    assert found.is_quiet is is_quiet, found


def test_missing_documents_are_checked_again_as_soon_as_the_first_check_is_old_enough() -> None:
    """Ten minutes after the first check that found them, not after the newest one."""
    first = replace(faulty(timedelta(days=1), reference=1), at=NOON - 9 * MINUTE)

    found = evaluate_writer(faulty(timedelta(days=1), reference=1), first, POLICY, NOON)

    assert found.again_at == NOON + MINUTE


@pytest.mark.parametrize(
    ("before", "found", "is_newer"), [(None, 0, True), (1, 2, True), (2, 2, False), (2, 1, False)]
)
def test_a_look_that_finds_more_missing_is_the_one_to_compare_with(
    before: int | None, found: int, is_newer: bool
) -> None:
    """Else what went missing once would be more than before for ever."""
    last = replace(WHOLE, at=NOON, tallies=faulty(MINUTE, reference=found).tallies)
    first = None if before is None else faulty(MINUTE, reference=before)

    assert comparison_run(first, last) is (last if is_newer else first)


def test_who_may_have_written() -> None:
    """The declared groups; where a collection does not say, everybody."""
    assert writer_functions(POLICY, ["b"]) == {"createOrder", "payOrder", "orderStatus"}
    assert writer_functions(POLICY, ["a", "b"]) == set(POLICY.functions)
    assert writer_functions(POLICY, []) == set()


@pytest.mark.parametrize(
    ("counts", "wanted"),
    [
        ({"a": 400, "b": 200}, {"a": None, "b": None}),  # 1000 reads, with what a names
        ({"a": 4000, "b": 2000}, {"a": 400, "b": 200}),
        ({"a": 10**6, "b": 1}, {"a": 499, "b": 1}),
    ],
)
def test_the_budget_is_shared(counts: dict[str, int], wanted: dict[str, int | None]) -> None:
    """By what each collection costs; what fits is looked at whole."""
    assert document_limits(POLICY, counts) == wanted


def test_counts_are_kept_for_as_long_as_they_are_compared() -> None:
    """The most that there were counts, and no more entries are kept than are needed."""
    record = IntegrityRecord("bookshop")
    for hour in range(200):
        at = NOON + timedelta(minutes=10 * hour)
        record = record_completed_run(record, replace(WHOLE, at=at, counts={"a": 100 - hour % 7}), POLICY)

    assert len(record.counted) <= 49
    newest = record.counted[-1].at
    levels = peak_counts(((one.at, one.counts) for one in record.counted), newest - timedelta(days=1))
    assert levels["a"].count == max(one.counts["a"] for one in record.counted)


@pytest.mark.parametrize(
    ("record", "why"),
    [
        (IntegrityRecord("s"), "by schedule"),
        (IntegrityRecord("s", last=replace(WHOLE, began_at=NOON - timedelta(hours=24))), "by schedule"),
        (IntegrityRecord("s", last=replace(WHOLE, began_at=NOON - timedelta(hours=23))), ""),
        (IntegrityRecord("s", last=WHOLE, asked="by ada"), "by ada"),
        (IntegrityRecord("s", failure="no", failed_at=NOON - 9 * MINUTE), ""),
        (IntegrityRecord("s", failure="no", failed_at=NOON - 10 * MINUTE), "again"),
    ],
)
def test_when_a_run_is_due(record: IntegrityRecord, why: str) -> None:
    """On schedule, on command, and again some minutes after one that failed."""
    assert due_scan_reason(record, POLICY, NOON) == why


def test_a_sample_is_drawn_elsewhere_each_time() -> None:
    """Half of the places, each once, with as many documents together as are wanted."""
    cuts = [f"a/{number}" for number in range(99)]
    one, other = (draw_sample("a", cuts, 1000, Random(seed)) for seed in (1, 2))

    assert len(one) == len({it.after for it in one}) == 50
    assert sum(it.limit or 0 for it in one) == 1000
    assert one != other
