"""What a stored chain proves: its own links, its recorded head, and the heads anchored outside.

    found by the chain alone     an entry edited, removed, inserted, moved, taken from another
                                 chain, cut off at the end
    found by the anchors alone   a chain written anew together with its recorded head; a whole
                                 rollback removed before its time
    found by neither             what was written anew after the last anchored head

What has expired may be gone, all or in part: the database removes it in no order, within a day.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from enum import StrEnum

from shared.core.codec import FrozenStruct
from shared.domain.audit.anchor import Anchor
from shared.domain.audit.chain import AuditEntry
from shared.domain.audit.chain import find_chain_faults as chain_faults
from shared.domain.audit.system_chain import previous_seal_at
from shared.domain.retention import RECORD_RETENTION


class ChainVerdict(StrEnum):
    """What became of a chain."""

    INTACT = "intact"
    EXPIRED = "expired"
    """It was kept for its time, and some of it or all is gone."""
    BROKEN = "broken"


class StoredChain(FrozenStruct):
    """A chain as it is found in the database."""

    chain: str
    """Its name: `rollbacks/INC-…` or `systems/cvplus`."""
    entries: tuple[AuditEntry, ...]
    """By number."""
    head: str = ""
    length: int | None = None
    """As recorded beside the head; None: that record is not there."""
    expires_at: datetime | None = None
    """From when on all of it may be gone; None: never, or each entry at a time of its own."""
    faults: tuple[str, ...] = ()
    """What was wrong already in reading it."""


class ChainFinding(FrozenStruct):
    """One chain, verified."""

    chain: str
    verdict: ChainVerdict
    entries: int
    anchored: int
    """The number of the last anchored head; 0: none is."""
    faults: tuple[str, ...]
    notes: tuple[str, ...]


def verify_rollback_chain(kept: StoredChain, anchors: Sequence[Anchor] | None, now: datetime) -> ChainFinding:
    """The trail of a rollback; the last of the anchors with its expiry. None: no bucket is known.

    It has expired when every record of its expiry that there is says so: whoever moves the one in
    the database to an earlier time does not move the anchored one.
    """
    expiries = [kept.expires_at] if kept.length is not None or kept.entries else []
    expiries += [anchors[-1].expires_at] if anchors else []
    expired = bool(expiries) and all(at is not None and at <= now for at in expiries)
    found = [
        *kept.faults,
        *chain_faults(kept.chain, kept.entries, kept.head, kept.length, lambda _: expired),
        *_find_missing_entries(kept, anchors or (), expired=expired),
        *_find_anchor_conflicts(kept, anchors or ()),
    ]
    return _finding(kept, anchors, found)


def verify_system_chain(
    kept: StoredChain,
    anchors: Sequence[Anchor] | None,
    now: datetime,
    *,
    sealed_at: datetime | None,
    singles: Sequence[str],
) -> ChainFinding:
    """Verify the chain of a system's single events; `singles`: faults found in them."""

    def may_be_gone(behind: AuditEntry | None) -> bool:
        at = sealed_at if behind is None else previous_seal_at(behind)
        return at is not None and at + RECORD_RETENTION <= now

    found = [
        *kept.faults,
        *chain_faults(kept.chain, kept.entries, kept.head, kept.length, may_be_gone),
        *_find_anchor_conflicts(kept, anchors or ()),
        *singles,
    ]
    return _finding(kept, anchors, found)


def _find_missing_entries(kept: StoredChain, anchors: Sequence[Anchor], *, expired: bool) -> Iterator[str]:
    """Whether what the entries, or the anchors, speak of is not there before its time."""
    if kept.length is not None or expired:
        return
    if kept.entries:
        yield "its entries are there, and the rollback is not"
    elif anchors:
        yield f"{len(anchors)} heads of it are anchored, and none of it is there"


def _find_anchor_conflicts(kept: StoredChain, anchors: Sequence[Anchor]) -> Iterator[str]:
    """Where the chain is not what was anchored of it."""
    hashes = {entry.sequence: entry.hash for entry in kept.entries}
    anchored: dict[int, str] = {}
    for anchor in anchors:
        number = anchor.sequence
        if anchored.setdefault(number, anchor.hash) != anchor.hash:
            yield f"entry {number}: two heads are anchored for it, one of them forged"
        elif hashes.get(number, anchor.hash) != anchor.hash:
            yield f"entry {number}: not the one that was anchored, written anew since"
        if kept.length is not None and number > kept.length:
            yield f"entry {number} was anchored, and the chain is said to end at {kept.length}"


def _finding(kept: StoredChain, anchors: Sequence[Anchor] | None, found: list[str]) -> ChainFinding:
    anchored = max((anchor.sequence for anchor in anchors or ()), default=0)
    whole = kept.length is not None and len(kept.entries) == kept.length
    verdict = ChainVerdict.INTACT if whole else ChainVerdict.EXPIRED
    return ChainFinding(
        chain=kept.chain,
        verdict=ChainVerdict.BROKEN if found else verdict,
        entries=len(kept.entries),
        anchored=anchored,
        faults=tuple(found),
        notes=tuple(_describe_unproven(kept, anchors, anchored)),
    )


def _describe_unproven(kept: StoredChain, anchors: Sequence[Anchor] | None, anchored: int) -> Iterator[str]:
    last = kept.entries[-1].sequence if kept.entries else 0
    if anchors is None:
        yield "no ROLLBACK_AUDIT_BUCKET: a chain that was written anew as a whole is not found"
    elif not anchored and last:
        yield "no head is anchored: a chain that was written anew as a whole is not found"
    elif anchored < last:
        yield f"anchored up to entry {anchored}: what was written anew after it is not found"
