"""A run through a system's declared collections, in pieces, and what it has found. Pure.

All of it is read at one moment, in the order of names; a run carries its cursor, so that whoever
goes on with it begins behind the last document that counted. Above the read budget documents are
drawn in places, and the answer says with which confidence it holds.
"""

import math
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from random import Random

from msgspec.structs import replace

from shared.core.codec import FrozenStruct
from shared.core.text import count_noun
from shared.domain.data.document import DocumentSnapshot
from shared.domain.data.integrity.validator import DocumentVerdict, IntegrityCheck, has_dropped
from shared.domain.policy.data_rules import Collection, IntegrityRules
from shared.domain.policy.document_scope import Scope
from shared.domain.policy.system_policy import Policy

MAX_SAMPLES_PER_COLLECTION = 20
"""So many faults of each collection are kept, those of the documents written first."""
SAMPLE_RANGE_COUNTS = range(100, 201)
"""In how many places a sample is drawn; each run in another number, and so in others."""


class ScanRange(FrozenStruct):
    """Documents of one collection that lie beside each other."""

    collection: str
    after: str = ""
    """The path behind which it begins; empty: with the first."""
    limit: int | None = None
    """How many there are; None: all."""


class FaultSample(FrozenStruct):
    """One fault, and when its document was written so."""

    path: str
    check: IntegrityCheck
    reason: str
    updated_at: datetime


class CollectionTally(FrozenStruct):
    """What was found in one collection."""

    documents: int = 0
    faulty: int = 0
    unknown: int = 0
    """Of which something could not be looked at, and nothing is known to be wrong."""
    checks: dict[IntegrityCheck, int] = {}
    """Faulty documents by what they break."""
    samples: tuple[FaultSample, ...] = ()
    newest_at: datetime | None = None
    """When the last of the faulty documents was written."""


class PeakCount(FrozenStruct):
    """The most documents that a collection held, and when it held them the last time."""

    count: int
    at: datetime


class ScanRun(FrozenStruct):
    """A run, as far as it has come."""

    system: str
    why: str
    at: datetime
    """The moment that is read; a whole minute."""
    began_at: datetime
    counts: dict[str, int]
    stretches: tuple[ScanRange, ...]
    is_whole: bool = True
    """Whether it looks at every document, and not at a sample."""
    place: int = 0
    cursor: str = ""
    """The last path of it that counted; empty: none."""
    taken: int = 0
    """How many of it counted."""
    tallies: dict[str, CollectionTally] = {}
    dropped: dict[str, PeakCount] = {}
    """The collections that lost more than they may, with what they held before."""

    @property
    def is_over(self) -> bool:
        """Whether every stretch was looked at."""
        return self.place >= len(self.stretches)

    @property
    def stretch(self) -> ScanRange:
        """What is looked at now. Raises: IndexError when it is over."""
        return self.stretches[self.place]

    @property
    def remaining_documents(self) -> int | None:
        """How many documents are left of the stretch; None: all that follow."""
        limit = self.stretch.limit
        return None if limit is None else limit - self.taken

    @property
    def newest_at(self) -> datetime | None:
        """When the last of all faulty documents was written; None: there is none."""
        known = [one.newest_at for one in self.tallies.values() if one.newest_at is not None]
        return max(known, default=None)


def collection_scope(name: str, collection: Collection) -> Scope:
    """The documents that a declaration is about."""
    return Scope(name, collection.everywhere)


def document_limits(policy: Policy, counts: Mapping[str, int]) -> dict[str, int | None]:
    """Return how many documents of each collection to check, references included; None: all."""
    costs = {name: count * (1 + len(policy.collections[name].references)) for name, count in counts.items()}
    whole = sum(costs.values())
    if whole <= policy.integrity.read_budget:
        return dict.fromkeys(counts)
    return {name: max(1, int(count * policy.integrity.read_budget / whole)) for name, count in counts.items()}


def draw_sample(name: str, cuts: Iterable[str], wanted: int, random: Random) -> list[ScanRange]:
    """So many documents of a collection, in half of the pieces that it is cut into, at random."""
    starts = ["", *cuts]
    chosen = sorted(random.sample(starts, max(1, len(starts) // 2)))
    return [ScanRange(name, start, math.ceil(wanted / len(chosen))) for start in chosen]


def record_documents(run: ScanRun, judged: Iterable[tuple[DocumentSnapshot, DocumentVerdict]]) -> ScanRun:
    """The run with these documents of its stretch, which follow each other."""
    seen = list(judged)
    if not seen:
        return run
    name = run.stretch.collection
    tally = _add_to_tally(run.tallies.get(name, CollectionTally()), seen)
    return replace(
        run, cursor=seen[-1][0].path, taken=run.taken + len(seen), tallies={**run.tallies, name: tally}
    )


def skip_range(run: ScanRun) -> ScanRun:
    """The run behind the stretch that it was at."""
    return replace(run, place=run.place + 1, cursor="", taken=0)


def find_drops(
    policy: Policy, counts: Mapping[str, int], before: Mapping[str, PeakCount]
) -> dict[str, PeakCount]:
    """The collections that lost more than they may, with what they held before."""
    return {
        name: before[name]
        for name, count in counts.items()
        if (largest := policy.collections[name].largest_drop) is not None
        and name in before
        and has_dropped(before[name].count, count, largest)
    }


def peak_counts(
    counted: Iterable[tuple[datetime, Mapping[str, int]]], since: datetime
) -> dict[str, PeakCount]:
    """The most documents that each collection held since then, by the counts on record."""
    found: dict[str, PeakCount] = {}
    for at, counts in sorted(counted, key=lambda one: one[0]):
        for name, count in counts.items() if at >= since else ():
            if name not in found or count >= found[name].count:
                found[name] = PeakCount(count, at)
    return found


def describe_coverage(run: ScanRun, rules: IntegrityRules) -> str:
    """How much was looked at, and how sure that is."""
    documents = sum(one.documents for one in run.tallies.values())
    faulty = sum(one.faulty for one in run.tallies.values())
    unknown = sum(one.unknown for one in run.tallies.values())
    words = f"{count_noun(documents, 'document')} as of {run.at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    words += f", {faulty} faulty"
    if unknown:
        words += f", {unknown} not known"
    if not run.is_whole and not faulty and documents:
        share = 1 - (1 - rules.confidence) ** (1 / documents)
        sure = f"with {rules.confidence:.0%} confidence fewer than {share:.2%} are faulty"
        words += f"; {sure}, unless they lie side by side"
    elif not run.is_whole:
        words += f", in a sample of {sum(run.counts.values())}"
    return words


def _add_to_tally(
    tally: CollectionTally, judged: list[tuple[DocumentSnapshot, DocumentVerdict]]
) -> CollectionTally:
    bad = [(version, verdict) for version, verdict in judged if verdict.is_valid is False]
    unknown = sum(verdict.is_valid is None for _, verdict in judged)
    tally = replace(tally, documents=tally.documents + len(judged), unknown=tally.unknown + unknown)
    if not bad:
        return tally
    checks = dict(tally.checks)
    for _, verdict in bad:
        for check in {one.check for one in verdict.faults}:
            checks[check] = checks.get(check, 0) + 1
    found = [
        FaultSample(fault.path, fault.check, fault.reason, version.updated_at)
        for version, verdict in bad
        # One fault of each check: a document with many does not drive out the others.
        for fault in {one.check: one for one in reversed(verdict.faults)}.values()
    ]
    samples = sorted([*tally.samples, *found], key=lambda one: (one.updated_at, one.path, one.check))
    newest = max(version.updated_at for version, _ in bad)
    return replace(
        tally,
        faulty=tally.faulty + len(bad),
        checks=checks,
        samples=tuple(samples[:MAX_SAMPLES_PER_COLLECTION]),
        newest_at=max(newest, tally.newest_at or newest),
    )
