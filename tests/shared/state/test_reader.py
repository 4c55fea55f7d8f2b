"""The journal of a rollback, read a page at a time."""

import pytest

from shared.core.codec import encode
from shared.core.store import Create
from shared.domain.data.repair.quarantine import JournalEntry, entry_name, journal_path
from shared.domain.deployments.inventory.inventory_parts import SourceObject
from shared.state.reader import PAGE_SIZE, StateReader, read_entries_after
from tests.support.fakes.firestore.store import MemoryStore
from tests.support.fakes.runtime.clock import FakeClock

MANY = 2 * PAGE_SIZE + 5


def written(count: int, asked: list[str]) -> MemoryStore:
    """A store with a journal of so many entries, which tells in `asked` what it was asked."""
    store = MemoryStore(FakeClock(), lambda verb, side: asked.append(f"{side} {verb}"))
    for name in names(count):
        entry = JournalEntry(name, "repair 1", "(default)", SourceObject("bucket", "object", 1), ())
        store.commit([Create(f"{journal_path('INC-1')}/{name}", encode(entry))])
    return store


def names(count: int) -> list[str]:
    return sorted(entry_name("repair 1", str(number)) for number in range(count))


@pytest.mark.parametrize(("count", "pages"), [(0, 1), (PAGE_SIZE - 1, 1), (PAGE_SIZE, 2), (MANY, 3)])
def test_every_entry_comes_once_in_order_and_no_page_is_long(count: int, pages: int) -> None:
    """From the first as from behind any name."""
    asked: list[str] = []
    store = written(count, asked)

    assert [name for name, _ in read_entries_after(store, "INC-1")] == names(count)
    assert asked.count("before store.query") == pages
    for cursor in names(count)[:: PAGE_SIZE // 2]:
        after = [name for name in names(count) if name > cursor]
        assert [name for name, _ in read_entries_after(store, "INC-1", cursor)] == after


def test_a_report_reads_it_so() -> None:
    asked: list[str] = []
    reading = StateReader(written(MANY, asked))

    assert [one.name for one in reading.journal("INC-1")] == names(MANY)
    assert asked.count("before store.query") == 3
