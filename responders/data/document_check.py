"""Check documents now and in the past, and read what the last check of a system has found."""

from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import closing, suppress
from datetime import datetime, timedelta
from functools import partial
from itertools import islice
from random import Random

from msgspec.structs import replace

from responders.support.parallel_calls import call_all, call_in_batches, require_answer
from shared.core.durations import ceil_to_minute
from shared.core.errors import Moved, RollbackError
from shared.core.store import Document
from shared.domain.data.document import DocumentSnapshot, collection_of
from shared.domain.data.integrity.damage import (
    LOSS_SIGNAL,
    SIGNAL_OF,
    IntegrityRecord,
    OnsetSearch,
    damage_path,
)
from shared.domain.data.integrity.scan import (
    SAMPLE_RANGE_COUNTS,
    FaultSample,
    PeakCount,
    ScanRange,
    ScanRun,
    collection_scope,
    document_limits,
    draw_sample,
    find_drops,
    record_documents,
    skip_range,
)
from shared.domain.data.integrity.validator import (
    DocumentVerdict,
    IntegrityCheck,
    ObservedReferences,
    Validator,
)
from shared.domain.policy.system_policy import Policy
from shared.ports.groups import Ports

DOCUMENTS_PER_CHUNK = 500
"""Documents that are judged together, and what they name looked up together."""
MAX_NEWEST_DOCUMENTS = 20
"""Documents of each collection that a check of the newest writes reads, however many there are."""
NEWEST_SPAN = timedelta(minutes=2)
"""A check of the newest writes runs each minute; a late one misses nothing."""
MAX_PARALLEL_FILE_READS = 16
FILE_CHECK_TIME_LIMIT_SECONDS = 10.0
"""No batch of files is begun after that."""


class DocumentChecker:
    """Checks one system's data in one invocation. Raises (anywhere): Unavailable, Rejected."""

    def __init__(self, ports: Ports, policy: Policy) -> None:
        self._ports = ports
        self._policy = policy
        self._database = policy.integrity.database
        self._documents = ports.system(policy.system).documents
        self._judges = {name: Validator(one) for name, one in policy.collections.items()}

    def begin(self, why: str, at: datetime, before: Mapping[str, PeakCount] | None = None) -> ScanRun:
        """Begin a run over a whole minute, within the read budget; `before`: peak counts."""
        now, policy = self._ports.clock.now(), self._policy
        counts = self.count_documents(at)
        stretches = []
        random = Random(f"{policy.system} {at}")
        for name, wanted in document_limits(policy, counts).items():
            if wanted is None:
                stretches.append(ScanRange(name))
            else:
                scope = collection_scope(name, policy.collections[name])
                cuts = self._documents.partition_points(
                    self._database, scope, at, random.choice(SAMPLE_RANGE_COUNTS)
                )
                stretches += draw_sample(name, cuts, wanted, random)
        return ScanRun(
            system=policy.system,
            why=why,
            at=at,
            began_at=now,
            counts=counts,
            stretches=tuple(stretches),
            is_whole=all(one.limit is None for one in stretches),
            dropped=find_drops(policy, counts, before or {}),
        )

    def check_newest_writes(self, at: datetime) -> ScanRun:
        """Check the documents that were written last before `at`, by their `updated_field`."""
        dated = {name: one for name, one in self._policy.collections.items() if one.updated_field}
        stretches = tuple(map(ScanRange, dated))
        run = ScanRun(self._policy.system, "newest writes", at, at, {}, stretches, is_whole=False)
        newest, since = self._documents.newest, at - NEWEST_SPAN
        for name, one in dated.items():
            where = collection_scope(name, one)
            found = newest(self._database, where, one.updated_field, since, MAX_NEWEST_DOCUMENTS)
            run = skip_range(record_documents(run, self.check_documents(name, found, None)))
        return run

    def advance(self, run: ScanRun, seconds: float) -> tuple[ScanRun, RollbackError | None]:
        """Return the run after so many seconds, and the error that stopped it early."""
        until = self._ports.clock.monotonic() + seconds
        try:
            while not run.is_over and self._ports.clock.monotonic() < until:
                with closing(self._scan_range(run)) as looks:
                    for later in looks:
                        run = later
                        if self._ports.clock.monotonic() >= until:
                            break
        except RollbackError as failure:
            return run, failure
        return run, None

    def check_documents(
        self,
        name: str,
        versions: Sequence[DocumentSnapshot],
        at: datetime | None,
        *,
        files: bool = True,
        database: str = "",
    ) -> list[tuple[DocumentSnapshot, DocumentVerdict]]:
        """Check documents and what they name in `database`; files have no past to look at."""
        judge, database = self._judges[name], database or self._database
        named = {one.target for version in versions for one in judge.references(version)} - {""}
        there = self._documents.existing(database, sorted(named), at) if named else set()
        unreadable = self._check_files(judge, versions) if files else {}
        sight = ObservedReferences({path: path in there for path in named}, unreadable)
        return [(version, judge.check_document(version, sight, files=files)) for version in versions]

    def find_first_damage(
        self, run: ScanRun, signal: str, earliest: datetime
    ) -> tuple[datetime | None, bool]:
        """The first moment at which something of that kind was wrong, and whether it is within.

        Looked for over whole minutes, among the faults that the run has kept, which assumes that
        damage stays. To the second where a document was written then; None: nothing that has a past
        is wrong. Not within: it began before all that can be read.
        """
        written = self._find_fault_times(run, signal, run.at)
        if not written:
            return None, False
        if signal == LOSS_SIGNAL and run.dropped:  # when all documents were there
            earliest = max(earliest, min(one.at for one in run.dropped.values()))
        search = OnsetSearch(min(ceil_to_minute(earliest), run.at), run.at)
        while (at := search.next_look) is not None:
            found = self._find_fault_times(run, signal, at)
            written = found or written
            search = search.record_look(at, bad=bool(found))
        exact = [one for one in written if search.low < one <= search.high]
        return min(exact, default=search.high), search.is_within

    def is_still_damaged(self, samples: Iterable[FaultSample], at: datetime) -> bool:
        """Whether one of these documents is not known to be well at that moment."""
        by_collection: dict[str, set[str]] = {}
        for one in samples:
            name = collection_of(one.path)
            declared = name if name in self._judges else name.rpartition("/")[2]
            by_collection.setdefault(declared, set()).add(one.path)
        for name, paths in by_collection.items():
            found = self._documents.get(self._database, sorted(paths), at).values()
            known = [one for one in found if one is not None]
            if any(not verdict.is_valid for _, verdict in self.check_documents(name, known, at)):
                return True
        return False

    def _find_fault_times(self, run: ScanRun, signal: str, at: datetime) -> list[datetime]:
        """When what is wrong at that minute was written; the minute itself where nothing tells."""
        found = []
        for name, tally in run.tallies.items():
            paths = {one.path for one in tally.samples if SIGNAL_OF[one.check] == signal}
            versions = self._documents.get(self._database, sorted(paths), at) if paths else {}
            known = [one for one in versions.values() if one is not None]
            for version, verdict in self.check_documents(name, known, at, files=False):
                kinds = {one.check for one in verdict.faults}
                if any(SIGNAL_OF[one] == signal for one in kinds):
                    found.append(at if kinds == {IntegrityCheck.REFERENCE} else version.updated_at)
        if signal == LOSS_SIGNAL:
            found += [at for name in run.dropped if self._has_dropped(run, name, at)]
        return found

    def _has_dropped(self, run: ScanRun, name: str, at: datetime) -> bool:
        count = self._documents.count(
            self._database, collection_scope(name, self._policy.collections[name]), at
        )
        return name in find_drops(self._policy, {name: count}, run.dropped)

    def _scan_range(self, run: ScanRun) -> Generator[ScanRun]:
        """The run after each chunk of its stretch, and in the end behind it."""
        stretch = run.stretch
        collection = self._policy.collections[stretch.collection]
        stream = self._documents.stream(
            self._database,
            collection_scope(stretch.collection, collection),
            run.at,
            run.cursor or stretch.after,
        )
        with closing(stream):  # type: ignore[type-var]
            while True:
                left = run.remaining_documents
                size = DOCUMENTS_PER_CHUNK if left is None else min(DOCUMENTS_PER_CHUNK, left)
                chunk = list(islice(stream, size))
                run = record_documents(run, self.check_documents(stretch.collection, chunk, run.at))
                if len(chunk) < size or run.remaining_documents == 0:
                    yield skip_range(run)
                    return
                yield run

    def _check_files(self, judge: Validator, versions: Iterable[DocumentSnapshot]) -> dict[str, str]:
        """Why each file that is named cannot be read; what could not be looked at is left out."""
        named = {one.target for version in versions for one in judge.files(version)} - {""}
        read = self._ports.projects.media.unreadable_reason
        calls = {one: partial(read, *one.removeprefix("gs://").split("/", 1)) for one in sorted(named)}
        answers = call_in_batches(self._ports, calls, MAX_PARALLEL_FILE_READS, FILE_CHECK_TIME_LIMIT_SECONDS)
        return {name: said for name, said in answers.items() if isinstance(said, str)}

    def count_documents(self, at: datetime | None) -> dict[str, int]:
        """How many documents each declared collection held at that moment; None: holds now."""
        count = partial(self._documents.count, self._database)
        calls = {
            name: partial(count, collection_scope(name, one), at)
            for name, one in self._policy.collections.items()
        }
        return {name: require_answer(one) for name, one in call_all(self._ports, calls).items()}


def request_data_check(ports: Ports, document: Document, record: IntegrityRecord, why: str) -> None:
    """Have the data looked through, unless that is under way or asked for."""
    if record.run is None and not record.asked:
        with suppress(Moved):  # somebody looks just now
            ports.store.commit([document.build_write(replace(record, asked=why))])


def read_known_damage(ports: Ports, policy: Policy) -> tuple[Document, IntegrityRecord]:
    """What the last run has found of a system, and its document. Raises: Unavailable."""
    document = ports.store.get(damage_path(policy.system))
    record = document.find(IntegrityRecord) or IntegrityRecord(policy.system)
    return document, record
