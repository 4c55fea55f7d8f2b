from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from shared.domain.audit.chain import (
    AuditEntry,
    build_entry,
    create_event,
    digest,
    find_chain_faults,
    genesis_hash,
)

CHAIN = "rollbacks/INC-20260302-001"
AT = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def chain(length: int) -> list[AuditEntry]:
    entries: list[AuditEntry] = []
    for number in range(1, length + 1):
        previous = entries[-1].hash if entries else genesis_hash(CHAIN)
        told = create_event("something", AT, "worker", number=number)
        entries.append(build_entry(previous, number, f"commit-{number}", 1, [told]))
    return entries


def resealed(entries: list[AuditEntry]) -> list[AuditEntry]:
    """The chain written anew from its first entry on."""
    again: list[AuditEntry] = []
    for entry in entries:
        previous = again[-1].hash if again else genesis_hash(CHAIN)
        again.append(build_entry(previous, entry.sequence, entry.commit_id, entry.fence, entry.events))
    return again


def test_an_untouched_chain_is_intact() -> None:
    """Nothing is found where nothing was done."""
    entries = chain(5)

    assert find_chain_faults(CHAIN, entries, entries[-1].hash, 5) == []
    assert find_chain_faults(CHAIN, [], genesis_hash(CHAIN), 0) == []


def edited(entries: list[AuditEntry]) -> list[AuditEntry]:
    forged = replace(entries[2], events=[create_event("something", AT, "somebody else", number=3)])
    return [*entries[:2], forged, *entries[3:]]


def edited_and_sealed(entries: list[AuditEntry]) -> list[AuditEntry]:
    forged = edited(entries)
    forged[2] = replace(forged[2], hash=digest(forged[2]))
    return forged


def inserted(entries: list[AuditEntry]) -> list[AuditEntry]:
    extra = build_entry(entries[1].hash, 3, "forged", 1, [create_event("more", AT, "somebody")])
    return [*entries[:2], extra, *entries[2:]]


def rewritten(entries: list[AuditEntry]) -> list[AuditEntry]:
    return resealed(edited(entries))


@pytest.mark.parametrize(
    "tamper",
    [
        edited,
        edited_and_sealed,
        inserted,
        rewritten,
        lambda entries: [*entries[:2], *entries[3:]],
        lambda entries: entries[:-1],
        lambda entries: entries[1:],
        lambda entries: [entries[0], entries[2], entries[1], *entries[3:]],
        lambda entries: [*entries, entries[-1]],
        lambda entries: [],
    ],
)
def test_every_way_to_tamper_is_found(tamper: Callable[[list[AuditEntry]], list[AuditEntry]]) -> None:
    """Edit, deletion, insertion, reordering, truncation, and a rewriting against the old head."""
    entries = chain(5)

    assert find_chain_faults(CHAIN, tamper(entries), entries[-1].hash, 5) != []


def test_a_chain_rewritten_with_its_head_is_consistent_in_itself() -> None:
    """Stated plainly: only a copy of the head kept elsewhere finds that."""
    entries = rewritten(chain(5))

    assert find_chain_faults(CHAIN, entries, entries[-1].hash, 5) == []
