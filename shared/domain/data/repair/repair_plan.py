"""Documents of an application brought back: which, to what, and how far that has come. Pure.

Both sides are read at fixed moments, in the order of names, and merged by name. What is valid, and
was changed or deleted since, is left and listed; a person may want it back all the same, and says
which (`DocumentSelection`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import pairwise

import msgspec
from msgspec.structs import replace

from shared.core import text as shortened
from shared.core.codec import FrozenStruct, StoredDocument, documents_of, from_json
from shared.core.durations import floor_to_minute
from shared.domain.data.document import DocumentSnapshot, collection_of, is_same_value, path_sort_key
from shared.domain.data.events.document_triggers import DocumentEvent
from shared.domain.data.integrity.validator import is_match
from shared.domain.policy.data_rules import (
    Collection,
    Comparison,
    FaultyQuery,
    Term,
    declared_collection_name,
)
from shared.domain.policy.document_scope import Scope

KIND = "repair"
MAX_SAMPLES_PER_OUTCOME = 10
DOCUMENTS_PER_STEP = 20_000
"""About so many documents are gone through by one step."""
MAX_STEPS_PER_COLLECTION = 8
POINT_IN_TIME_WINDOW = timedelta(minutes=58)
"""Within it every moment can be read, a whole hour by Google
(https://firebase.google.com/docs/firestore/pitr, read 2026-11-26), less what a look takes."""
WHOLE_DATABASE = Scope("", everywhere=True)
_QUERY = re.compile(r"(\S+)\s+(\S+)\s+(==|!=|<=|>=|<|>|in|present|absent)(?:\s+(.+))?")
preview_path = documents_of("surveys")


class SelectionKind(StrEnum):
    """How documents are chosen."""

    INVALID = "invalid"
    """Those that fail a declared check."""
    ALL = "all"
    DOCUMENT = "document"
    PREFIX = "prefix"
    COLLECTION = "collection"
    QUERY = "query"


class DocumentSelection(FrozenStruct):
    """Which documents a person wants back."""

    by: SelectionKind = SelectionKind.INVALID
    value: str = ""
    """A path, the beginning of one, a collection, or `COLLECTION FIELD OP VALUE`."""

    def __str__(self) -> str:
        return f"{self.by}:{self.value}" if self.value else self.by.value

    @property
    def collection(self) -> str:
        """The collection that it names; empty: none."""
        match self.by:
            case SelectionKind.DOCUMENT | SelectionKind.PREFIX:
                return collection_of(self.value)
            case SelectionKind.COLLECTION:
                return self.value
            case SelectionKind.QUERY:
                return self.value.split()[0]
        return ""

    def is_selected(self, pair: SnapshotPair) -> bool:
        """Whether it means that document, where it lies in what is gone through."""
        match self.by:
            case SelectionKind.DOCUMENT:
                return pair.path == self.value
            case SelectionKind.PREFIX:
                return pair.path.startswith(self.value)
            case SelectionKind.QUERY:
                known = pair.now if pair.now is not None else pair.then
                return known is not None and is_match(parse_query(self.value), known.fields)
        return True


class DocumentOutcome(StrEnum):
    """What becomes of a document; of one that is as it was, and valid, nothing."""

    BACK = "brought back"
    OLDER = "valid, changed since, and brought back"
    REVIVED = "deleted since, and made again"
    REMOVED = "made since, and removed"
    RETURNED = "as it was before the repair"
    LOST = "invalid, and no version that passes can be read"
    CHANGED = "valid, changed since, and left"
    MADE = "valid, made since, and left"
    DELETED = "deleted since, and left"
    ERASED = "of somebody who was erased, and left"
    TAKEN_OUT = "of somebody who was erased since, and taken out again"
    FORGOTTEN = "of somebody who was erased since, and kept in quarantine no more"
    EXPIRED = "expired, and left"
    UNKNOWN = "not known to be valid or not, and left"
    MEANWHILE = "written meanwhile, and left"
    REFUSED = "not taken by the database, and left"


EVENT_BY_OUTCOME = {
    DocumentOutcome.BACK: DocumentEvent.UPDATED,
    DocumentOutcome.OLDER: DocumentEvent.UPDATED,
    DocumentOutcome.REVIVED: DocumentEvent.CREATED,
    DocumentOutcome.REMOVED: DocumentEvent.DELETED,
}
"""What a document becomes by each outcome that changes it."""
WRITTEN_OUTCOMES = tuple(EVENT_BY_OUTCOME)
"""What changes a document."""
UNDOING_OUTCOMES = (DocumentOutcome.OLDER, DocumentOutcome.REVIVED, DocumentOutcome.REMOVED)
"""What undoes a change that nothing is wrong with."""


class SnapshotPair(FrozenStruct):
    """One document at both moments; None: it was not there."""

    path: str
    now: DocumentSnapshot | None
    then: DocumentSnapshot | None

    @property
    def is_same(self) -> bool:
        """Whether nobody has changed it between."""
        if self.now is None or self.then is None:
            return self.now is self.then
        return self.now.updated_at == self.then.updated_at or is_same_value(self.now.fields, self.then.fields)


class DocumentDecision(FrozenStruct):
    """One document, and what becomes of it."""

    path: str
    fate: DocumentOutcome
    now: DocumentSnapshot | None = None
    wanted: DocumentSnapshot | None = None
    """What it becomes; None: nothing, or it is removed."""
    whose: tuple[str, ...] = ()
    """Whom the documents that it stands below name in their fields."""


class RepairGoal(FrozenStruct):
    """A piece of a collection, in which nothing is left that is to be brought back."""

    database: str
    at: datetime
    """When the damaged side is read."""
    source: str
    """The database that older versions are read from: the same, or a copy of it."""
    before: datetime | None
    """When that one is read; None: as it is now."""
    select: DocumentSelection
    scope: Scope
    after: str = ""
    """The path behind which it begins; empty: with the first."""
    until: str = ""
    """The last path that belongs to it; empty: all that follow."""
    documents: int = 0
    """So many were looked at beforehand."""
    starts: tuple[str, ...] = ()
    """What hears of what is written there: people have agreed to that, and to nothing else."""
    policy: str = ""
    """Fingerprint of the policy by which documents were judged; empty: it is not known."""

    @property
    def is_copy(self) -> bool:
        """Whether older versions come from another database, which has no further past."""
        return self.source != self.database


class RepairPosition(FrozenStruct):
    """How far a piece was gone through, and what became of what lies before."""

    cursor: str = ""
    """The last path that counted; empty: none."""
    is_over: bool = False
    seen: int = 0
    fates: dict[DocumentOutcome, int] = {}
    seconds: float = 0.0
    """For how long its portions have gone on; nothing that lies between them."""


class RepairPreview(StoredDocument):
    """What a repair would do, looked through beforehand; nothing is written for it."""

    goals: tuple[RepairGoal, ...]
    positions: tuple[RepairPosition, ...] = ()
    """In each goal; in those that were not begun, none."""
    seconds: float = 0.0
    """For how long they were looked through."""
    samples: dict[DocumentOutcome, tuple[str, ...]] = {}
    """What people read of it before anything is done: some documents of each fate, in words."""

    @property
    def is_over(self) -> bool:
        """Whether every piece was gone through."""
        over = [one.is_over for one in self.positions]
        return len(over) == len(self.goals) and all(over)

    @property
    def outcome_counts(self) -> dict[DocumentOutcome, int]:
        """How many documents have each fate."""
        return sum_outcomes(one.fates for one in self.positions)

    @property
    def checked_documents(self) -> int:
        """How many documents were looked at."""
        return sum(one.seen for one in self.positions)


def parse_selection(text: str) -> DocumentSelection:
    """What a person has said. Raises: ValueError, in words."""
    name, _, value = text.partition(":")
    if name not in tuple(SelectionKind):
        raise ValueError(f"select: {name!r} is none of {', '.join(SelectionKind)}")
    select = DocumentSelection(SelectionKind(name), value.strip())
    alone = select.by in (SelectionKind.INVALID, SelectionKind.ALL)
    if alone == bool(select.value):
        raise ValueError(f"select: {name} takes {'nothing' if alone else 'a value'} behind it")
    if select.by is SelectionKind.QUERY:
        parse_query(select.value)
    if select.by in (SelectionKind.DOCUMENT, SelectionKind.PREFIX) and not _is_document(select):
        raise ValueError(f"select: {select.value!r} is no path such as users/ada")
    if select.by in (SelectionKind.COLLECTION, SelectionKind.QUERY):
        parts = select.collection.split("/")
        if len(parts) % 2 == 0 or not all(parts):
            raise ValueError(f"select: {select.collection!r} is no collection such as users/ada/orders")
    return select


def _is_document(select: DocumentSelection) -> bool:
    """Whether it names a document, or the beginning of one's name."""
    *above, name = select.value.split("/")
    return len(above) % 2 == 1 and all(above) and bool(name or select.by is SelectionKind.PREFIX)


def parse_query(text: str) -> FaultyQuery:
    """The query behind `COLLECTION FIELD OP VALUE`, its value as JSON. Raises: ValueError."""
    found = _QUERY.fullmatch(text.strip())
    if found is None:
        raise ValueError(f'select: {text!r} is no query such as: orders status == "paid"')
    _, field, op, value = found.groups()
    if (op in (Comparison.PRESENT, Comparison.ABSENT)) == (value is not None):
        raise ValueError(f"select: {op} {'takes no' if value is not None else 'needs a'} value")
    try:
        known = from_json(value) if value is not None else None
    except msgspec.DecodeError as unlike:
        raise ValueError(f"select: {value} is no JSON: {unlike}") from unlike
    if op == Comparison.ONE_OF and not isinstance(known, list):
        raise ValueError("select: in needs a list")
    return FaultyQuery(text, (Term(field, Comparison(op), known),))


def selected_scopes(
    select: DocumentSelection, declared: Mapping[str, Collection], roots: Iterable[str]
) -> list[Scope]:
    """Return what is gone through; of all `roots`, documents outside declared scopes come last."""
    known = [Scope(name, one.everywhere) for name, one in declared.items()]
    if select.by is SelectionKind.INVALID:
        return known
    if select.by is SelectionKind.ALL:
        return [*known, *(Scope(name) for name in sorted(set(roots)) if name not in declared), WHOLE_DATABASE]
    found = next((one for one in known if one.collection == select.collection), None)
    return [found or Scope(select.collection)]


def is_in_declared_scope(scope: Scope, declared: Mapping[str, Collection], path: str) -> bool:
    """Whether a document that was found there is gone through as one of it, and of no other."""
    collection = collection_of(path)
    return scope != WHOLE_DATABASE or (
        "/" in collection and not declared_collection_name(declared, collection)
    )


def pair_snapshots(
    now: Iterable[DocumentSnapshot], then: Iterable[DocumentSnapshot], until: str = ""
) -> Iterator[SnapshotPair]:
    """The documents of both, each of which comes in the order of names, as far as `until`."""
    ours, theirs = iter(now), iter(then)
    one, other = next(ours, None), next(theirs, None)
    last = path_sort_key(until) if until else None
    while one is not None or other is not None:
        path = min((it.path for it in (one, other) if it is not None), key=path_sort_key)
        if last is not None and path_sort_key(path) > last:
            return
        here = one if one is not None and one.path == path else None
        there = other if other is not None and other.path == path else None
        yield SnapshotPair(path, here, there)
        one = next(ours, None) if here is not None else one
        other = next(theirs, None) if there is not None else other


def split_goal(goal: RepairGoal, cuts: Iterable[str]) -> list[RepairGoal]:
    """The goal in pieces that lie beside each other."""
    return [replace(goal, after=after, until=until) for after, until in pairwise(("", *cuts, ""))]


def advance_position(
    position: RepairPosition,
    pairs: Iterable[SnapshotPair],
    fated: Iterable[DocumentDecision],
    *,
    is_last: bool,
) -> RepairPosition:
    """The position behind these documents, of which some have a fate."""
    seen = list(pairs)
    counts = dict(position.fates)
    for one in fated:
        counts[one.fate] = counts.get(one.fate, 0) + 1
    cursor = seen[-1].path if seen else position.cursor
    return RepairPosition(cursor, is_last, position.seen + len(seen), counts, position.seconds)


def add_samples(
    samples: Mapping[DocumentOutcome, tuple[str, ...]], fated: Iterable[DocumentDecision]
) -> dict[DocumentOutcome, tuple[str, ...]]:
    """The samples with further documents, of each fate the first few; who is erased is not told."""
    more = dict(samples)
    for one in fated:
        known = more.get(one.fate, ())
        if one.fate is not DocumentOutcome.ERASED and len(known) < MAX_SAMPLES_PER_OUTCOME:
            more[one.fate] = (*known, describe_document_change(one))
    return more


def describe_document_change(fated: DocumentDecision) -> str:
    """A document and the fields that differ, without anything that stands in them."""
    now = fated.now.fields if fated.now is not None else {}
    path = shortened.shorten(fated.path)
    if fated.wanted is None:
        return path
    wanted = fated.wanted.fields
    names = sorted(
        name
        for name in now.keys() | wanted.keys()
        if name not in now or name not in wanted or not is_same_value(now[name], wanted[name])
    )
    told = shortened.shorten(", ".join(names[:5])) + (" and more" if len(names) > 5 else "")
    return f"{path} ({told}; of {fated.wanted.updated_at:%Y-%m-%d %H:%M:%S} UTC)"


def sum_outcomes(counts: Iterable[Mapping[DocumentOutcome, int]]) -> dict[DocumentOutcome, int]:
    """All of them together, in the order of the fates."""
    known = list(counts)
    sums = {fate: sum(one.get(fate, 0) for one in known) for fate in DocumentOutcome}
    return {fate: number for fate, number in sums.items() if number}


def describe_outcomes(fates: Mapping[DocumentOutcome, int]) -> str:
    """How many documents have each fate, in a line."""
    return ", ".join(f"{number} {fate}" for fate, number in fates.items()) or "nothing to do"


def newest_time_before(version: DocumentSnapshot, now: datetime, earliest: datetime) -> datetime | None:
    """The newest moment that can be read at which a version was not written yet; None: none can."""
    just = version.updated_at - timedelta(microseconds=1)
    at = just if just > now - POINT_IN_TIME_WINDOW else floor_to_minute(just)
    return at if at >= earliest else None


def encode_position(position: RepairPosition) -> str:
    """A position as one line, the same for the same one."""
    return msgspec.json.encode(position, order="deterministic").decode()


def decode_position(text: str) -> RepairPosition:
    """The position that a line holds; the beginning where it is empty."""
    return from_json(text, RepairPosition) if text else RepairPosition()
