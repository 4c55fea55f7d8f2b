"""Decide the outcome of each document of a repair: restored, left to a later edit, or erased."""

from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing
from datetime import datetime
from functools import partial

import msgspec
from msgspec.structs import replace

from responders.data.document_check import DocumentChecker
from responders.data.erasure_ledger import read_ledger
from responders.support.parallel_calls import CALL_TIMEOUT_SECONDS, call_all, call_one, require_answer
from shared.core.codec import FrozenStruct
from shared.core.durations import floor_to_minute
from shared.core.errors import Rejected, Unavailable
from shared.domain.data.document import DocumentSnapshot, is_in_scope
from shared.domain.data.erasure.ledger import declared_erasure, owners_by_field, owning_ancestors
from shared.domain.data.integrity.damage import MINUTE, OnsetSearch
from shared.domain.data.repair.repair_plan import (
    POINT_IN_TIME_WINDOW,
    UNDOING_OUTCOMES,
    DocumentDecision,
    DocumentOutcome,
    RepairGoal,
    RepairPosition,
    SelectionKind,
    SnapshotPair,
    is_in_declared_scope,
    newest_time_before,
    pair_snapshots,
)
from shared.domain.data.ttl import TtlField, declared_ttl_fields, has_expired
from shared.domain.policy.data_rules import declared_collection_name
from shared.domain.policy.document_scope import Scope
from shared.domain.policy.system_policy import Policy
from shared.ports.groups import Ports

DOCUMENTS_PER_BATCH = 400
"""Documents that are judged together, and written together."""
MAX_BATCH_PATH_BYTES = 500_000
"""So much their paths may hold together: one document of the journal names each of them, and why it
was left, and that holds 1 MiB (https://firebase.google.com/docs/firestore/quotas, read
2026-11-26)."""
MAX_BATCH_CONTENT_BYTES = 4 * 2**20
"""So much both sides of them may hold together, as MessagePack: several pieces are in the memory of
one instance at a time."""
MAX_VERSIONS_TRIED = 10
"""So many versions of a document are tried, the newest first; then whole minutes, by halving."""
VERSION_READ_SECONDS = 0.2
"""So much time each look at an older version has, with all those beside it."""
_ENCODER = msgspec.msgpack.Encoder()


class DocumentBatch(FrozenStruct):
    """Documents that lie behind each other, and what becomes of those that have a fate."""

    pairs: list[SnapshotPair]
    fated: list[DocumentDecision]
    is_last: bool


class RepairSelector:
    """Selects one piece of a database in one invocation. Raises: Unavailable, Rejected."""

    def __init__(self, ports: Ports, policy: Policy, goal: RepairGoal, expiries: Sequence[TtlField]) -> None:
        """`expiries` are those of the database that is written to."""
        self._ports = ports
        self._policy = policy
        self._goal = goal
        self._expiries = expiries
        self._documents = ports.system(policy.system).documents
        self._examining = DocumentChecker(ports, policy)
        self._name = declared_collection_name(policy.collections, goal.scope.collection)
        self.ledger = read_ledger(ports, policy)
        self._earliest: datetime | None = None

    def select_batches(self, position: RepairPosition) -> Generator[DocumentBatch]:
        """Yield batches behind a position, the same ones whoever asks; the last may be empty."""
        with closing(self._read_pairs(position.cursor)) as pairs:
            some: list[SnapshotPair] = []
            names = contents = 0
            for pair in pairs:
                name, content = len(pair.path.encode()), _content_bytes(pair)
                is_full = names + name > MAX_BATCH_PATH_BYTES or contents + content > MAX_BATCH_CONTENT_BYTES
                if some and (is_full or len(some) == DOCUMENTS_PER_BATCH):
                    yield DocumentBatch(some, self.decide_outcomes(some), is_last=False)
                    some, names, contents = [], 0, 0
                some.append(pair)
                names, contents = names + name, contents + content
            yield DocumentBatch(some, self.decide_outcomes(some), is_last=True)

    def decide_outcomes(self, pairs: Sequence[SnapshotPair]) -> list[DocumentDecision]:
        """What becomes of each; of one that is as it was, and valid, nothing."""
        if self._goal.select.by is SelectionKind.INVALID:
            found = self._decide_invalid(pairs)
        else:
            found = self._decide_selected([one for one in pairs if self._is_wanted(one)])
        return [self._apply_exclusions(one) for one in self._add_owners(list(found))]

    def _is_wanted(self, pair: SnapshotPair) -> bool:
        goal, declared = self._goal, self._policy.collections
        return goal.select.is_selected(pair) and is_in_declared_scope(goal.scope, declared, pair.path)

    def _read_pairs(self, after: str) -> Generator[SnapshotPair]:
        goal = self._goal
        if goal.select.by is SelectionKind.DOCUMENT:
            yield from self._read_single_pair(after)
            return
        start = after or goal.after
        now = self._documents.stream(goal.database, goal.scope, goal.at, start)
        then = self._documents.stream(goal.source, goal.scope, goal.before, start)
        with closing(now), closing(then):  # type: ignore[type-var]
            yield from pair_snapshots(now, then, goal.until)

    def _read_single_pair(self, after: str) -> Iterator[SnapshotPair]:
        """The one document that is meant, where it does not lie before."""
        goal, path = self._goal, self._goal.select.value
        if after:
            return
        now = self._documents.get(goal.database, [path], goal.at)[path]
        then = self._documents.get(goal.source, [path], goal.before)[path]
        if now is not None or then is not None:
            yield SnapshotPair(path, now, then)

    def _decide_invalid(self, pairs: Sequence[SnapshotPair]) -> Iterator[DocumentDecision]:
        valid = self._check_versions([one.now for one in pairs if one.now is not None])
        bad = [one for one in pairs if one.now is not None and valid[one.path] is False]
        passing, unknown = self._find_valid_versions(bad)
        for pair in pairs:
            if pair.now is None:
                yield DocumentDecision(pair.path, DocumentOutcome.DELETED, wanted=pair.then)
            elif valid[pair.path] is None or pair.path in unknown:
                yield DocumentDecision(pair.path, DocumentOutcome.UNKNOWN, pair.now)
            elif valid[pair.path] is False:
                wanted = passing.get(pair.path)
                fate = DocumentOutcome.BACK if wanted else DocumentOutcome.LOST
                yield DocumentDecision(pair.path, fate, pair.now, wanted)
            elif not pair.is_same:
                fate = DocumentOutcome.MADE if pair.then is None else DocumentOutcome.CHANGED
                yield DocumentDecision(pair.path, fate, pair.now, pair.then)

    def _decide_selected(self, pairs: Sequence[SnapshotPair]) -> Iterator[DocumentDecision]:
        changed = [one for one in pairs if not one.is_same]
        now = self._check_versions([one.now for one in changed if one.now is not None])
        then = self._check_versions([one.then for one in changed if one.then is not None], come_back=True)
        for pair in changed:
            if pair.then is None:
                yield DocumentDecision(pair.path, DocumentOutcome.REMOVED, pair.now)
            elif then[pair.path] is not True:
                fate = DocumentOutcome.LOST if then[pair.path] is False else DocumentOutcome.UNKNOWN
                yield DocumentDecision(pair.path, fate, pair.now, None)
            elif pair.now is None:
                yield DocumentDecision(pair.path, DocumentOutcome.REVIVED, None, pair.then)
            else:
                fate = DocumentOutcome.BACK if now[pair.path] is False else DocumentOutcome.OLDER
                yield DocumentDecision(pair.path, fate, pair.now, pair.then)

    def _add_owners(self, fated: Sequence[DocumentDecision]) -> list[DocumentDecision]:
        """Add owners named above each document: later nobody may be able to read them."""
        goal, rules = self._goal, self._policy.erasure
        if rules is None:
            return list(fated)
        above = {one.path: owning_ancestors(rules, one.path) for one in fated}
        asked = sorted(set().union(*above.values()))
        named: dict[str, set[str]] = {path: set() for path in asked}
        for database, at in ((goal.database, goal.at), (goal.source, goal.before)):
            found = self._documents.get(database, asked, at) if asked else {}
            for version in found.values():
                if version is not None:
                    named[version.path] |= set(owners_by_field(rules, version))
        whose = {path: set().union(*(named[one] for one in paths)) for path, paths in above.items()}
        return [replace(one, whose=tuple(sorted(whose[one.path]))) for one in fated]

    def _apply_exclusions(self, fated: DocumentDecision) -> DocumentDecision:
        """The fate, unless what would come back is of an erased person, or over."""
        if self._is_undoing_erasure(fated):
            return DocumentDecision(fated.path, DocumentOutcome.ERASED, fated.now)
        version = fated.wanted
        if version is None or fated.fate is DocumentOutcome.CHANGED:
            return fated
        if self.ledger is not None and self.ledger.is_version_erased(version, fated.whose):
            return DocumentDecision(fated.path, DocumentOutcome.ERASED, fated.now)
        if has_expired(self._expiries, version, self._ports.clock.now()):
            return DocumentDecision(fated.path, DocumentOutcome.EXPIRED, fated.now)
        return fated

    def _is_undoing_erasure(self, fated: DocumentDecision) -> bool:
        """Whether the application keeps there whom it has erased, and would know it no more."""
        rules, now, wanted = self._policy.erasure, fated.now, fated.wanted
        if rules is None or not rules.collection:
            return False
        if not is_in_scope(Scope(rules.collection, everywhere=True), fated.path):
            return False
        if fated.fate is not DocumentOutcome.BACK or now is None or wanted is None:
            return fated.fate in UNDOING_OUTCOMES
        said = declared_erasure(rules, now)
        return said is not None and declared_erasure(rules, wanted) != said

    def _check_versions(
        self, versions: list[DocumentSnapshot], *, come_back: bool = False
    ) -> dict[str, bool | None]:
        """Whether each is valid, by path; what is not declared is.

        What is to `come_back` is checked with all else of then, where all of it does.
        """
        if not self._name:
            return {one.path: True for one in versions}
        goal = self._goal
        is_then = come_back and goal.select.by is SelectionKind.ALL
        at, database = (goal.before, goal.source) if is_then else (goal.at, goal.database)
        judged = self._examining.check_documents(self._name, versions, at, database=database)
        return {version.path: verdict.is_valid for version, verdict in judged}

    def _find_valid_versions(
        self, bad: Sequence[SnapshotPair]
    ) -> tuple[dict[str, DocumentSnapshot], set[str]]:
        """Return each newest valid version, and the documents of which none is known."""
        passing: dict[str, DocumentSnapshot] = {}
        unknown = set()
        left = {one.path: one.now for one in bad if one.now is not None}
        spoilt = {path: one.updated_at for path, one in left.items()}
        for _ in range(0 if self._goal.is_copy else MAX_VERSIONS_TRIED):
            before = self._read_preceding_versions(list(left.values()))
            valid = self._check_versions(list(before.values()))
            passing |= {path: one for path, one in before.items() if valid[path]}
            unknown |= {path for path in before if valid[path] is None}
            left = {path: one for path, one in before.items() if valid[path] is False}
            spoilt |= {path: one.updated_at for path, one in left.items()}
            if not left:
                break
        rest = [one for one in bad if one.path not in passing and one.path not in unknown]
        valid = self._check_versions([one.then for one in rest if one.then is not None])
        unknown |= {path for path, is_valid in valid.items() if is_valid is None}
        then = {
            one.path: one.then
            for one in rest
            if (valid[one.path] if one.then is not None else one.path in left)
        }
        newest, not_known = self._bisect_valid_versions(then, spoilt)
        return passing | newest, unknown | not_known

    def _bisect_valid_versions(
        self, then: Mapping[str, DocumentSnapshot | None], spoilt: Mapping[str, datetime]
    ) -> tuple[dict[str, DocumentSnapshot], set[str]]:
        """Of each the newest version since then that passes, by halving: damage is taken to stay.

        Where it was deleted meanwhile, the newest before that. None: it was not there then. And
        those that come to a version of which that is not known.
        """
        found = {path: one for path, one in then.items() if one is not None}
        unknown: set[str] = set()
        goal = self._goal
        if goal.before is None or goal.is_copy:
            return found, unknown
        spans = {
            path: OnsetSearch(goal.before, floor_to_minute(spoilt[path]) + MINUTE, is_low_known=True)
            for path in then
        }
        while looks := {
            path: at
            for path, one in spans.items()
            if path not in unknown and (at := one.next_look) is not None
        }:
            there = self._read_versions(looks)
            valid = self._check_versions(list(there.values()))
            unknown |= {path for path in there if valid[path] is None}
            for path, at in looks.items():
                is_bad = not valid[path] if path in there else path in found
                spans[path] = spans[path].record_look(at, bad=is_bad)
                if path in there and valid[path]:
                    found[path] = there[path]
        return found, unknown

    def _read_preceding_versions(self, versions: Sequence[DocumentSnapshot]) -> dict[str, DocumentSnapshot]:
        """The version right before each of these; one without any that can be read is left out."""
        now, earliest = self._ports.clock.now(), self._find_read_limit()
        moments = {one.path: newest_time_before(one, now, earliest) for one in versions}
        return self._read_versions({path: at for path, at in moments.items() if at is not None})

    def _read_versions(self, moments: Mapping[str, datetime]) -> dict[str, DocumentSnapshot]:
        """Each document as it was at its moment; one that was not there is left out."""
        asked: dict[datetime, list[str]] = {}
        for path, at in moments.items():
            asked.setdefault(at, []).append(path)
        get = partial(self._documents.get, self._goal.database)
        calls = {str(at): partial(get, paths, at) for at, paths in asked.items()}
        found: dict[str, DocumentSnapshot] = {}
        within = max(CALL_TIMEOUT_SECONDS, VERSION_READ_SECONDS * len(calls))
        for answer in call_all(self._ports, calls, within).values():
            known: dict[str, DocumentSnapshot | None] = require_answer(answer)
            found |= {path: one for path, one in known.items() if one is not None}
        return found

    def _find_read_limit(self) -> datetime:
        """How far back the database can be read; an hour, where it does not say."""
        if self._earliest is None:
            database = partial(self._ports.system(self._policy.system).backups.database, self._goal.database)
            try:
                self._earliest = call_one(self._ports, database).earliest_at + MINUTE
            except Rejected:
                self._earliest = self._ports.clock.now() - POINT_IN_TIME_WINDOW
        return self._earliest


def _content_bytes(pair: SnapshotPair) -> int:
    sides = (one.fields for one in (pair.now, pair.then) if one is not None)
    return sum(len(_ENCODER.encode(fields)) for fields in sides)


def read_expiries(ports: Ports, policy: Policy, database: str) -> list[TtlField]:
    """By what documents of a database expire, as it says itself and as its policy declares.

    Raises: Unavailable where that is not known, which does not mean none.
    """
    try:
        own = ports.system(policy.system).resources.indexes.expiries(database)
    except (Rejected, Unavailable) as no:
        raise Unavailable(f"by what documents of {database} expire is not known: {no}") from no
    return [*own, *declared_ttl_fields(policy.collections)]
