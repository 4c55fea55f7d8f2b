"""What is made from documents that a rollback has written is asked for again, however it ends."""

from collections.abc import Iterable, Iterator
from datetime import datetime

from responders.rollback.case import Case, Transition
from responders.support.parallel_calls import CALL_TIMEOUT_SECONDS
from shared.core.chunks import split_into_chunks
from shared.core.codec import encode
from shared.core.store import Create
from shared.core.text import count_noun, last_segment
from shared.domain.commands.command import CommandRecord, command_path
from shared.domain.data.document import collection_of
from shared.domain.data.repair.quarantine import JournalEntry
from shared.domain.policy.system_policy import Policy
from shared.domain.rollback.rollback import Direction
from shared.state.reader import read_entries_after

REGENERATE_VERB = "regenerate"
WRITING_DIRECTIONS = (Direction.REPAIR, Direction.UNDO)
MAX_DOCUMENTS_PER_MESSAGE = 500
MAX_PATH_BYTES_PER_RECORD = 500_000
"""So much their paths may hold together: they stand in one record, a document of at most 1 MiB
(https://firebase.google.com/docs/firestore/quotas, read 2026-11-26)."""
MAX_RECORDS_PER_COMMIT = 400
MAX_COMMIT_BYTES = 8 * 2**20
"""So much the records of one commit may hold: a request is at most 10 MiB (there)."""
RECORD_OVERHEAD_BYTES = 2000
"""About so much of it is no path."""


def iterate_journal_entries(case: Case) -> Iterator[JournalEntry]:
    """What each batch has written, however many there are. Raises: as LeasedRollback.commit."""
    for _, document in read_entries_after(case.ports.store, case.rollback.id):
        case.extend_lease(CALL_TIMEOUT_SECONDS)
        yield document.decode(JournalEntry)


def request_regeneration(case: Case) -> None:
    """Request all derived data, a part per commit; a successor finds which parts landed."""
    if case.rollback.way not in WRITING_DIRECTIONS:
        return
    paths = (one.path for entry in iterate_journal_entries(case) for one in entry.landed)
    for part in build_regeneration_batches(case.policy, case.rollback.id, paths, case.now()):
        if case.ports.store.get(part[0].path).fields is None:
            case.commit_transition(
                Transition(
                    event="rollback.derived-asked",
                    note=f"derived data are requested by {count_noun(len(part), 'message')}",
                    say=False,
                    writes=tuple(part),
                    despite_words=True,
                )
            )


def build_regeneration_batches(
    policy: Policy, rollback: str, written: Iterable[str], now: datetime
) -> Iterator[list[Create]]:
    """Yield the commands that request derived data, in parts that are the same for every worker."""
    records = (
        _build_regeneration_command(policy, rollback, collection, number, some, now)
        for collection, paths in _select_derived_sources(policy, written).items()
        for number, some in enumerate(
            split_into_chunks(paths, MAX_DOCUMENTS_PER_MESSAGE, MAX_PATH_BYTES_PER_RECORD, _bytes), 1
        )
    )
    creates = (Create(command_path(record.id), encode(record)) for record in records)
    return split_into_chunks(creates, MAX_RECORDS_PER_COMMIT, MAX_COMMIT_BYTES, _create_bytes)


def _select_derived_sources(policy: Policy, written: Iterable[str]) -> dict[str, list[str]]:
    """Those of them that something is made from, in order, by the collection that declares it."""
    found: dict[str, list[str]] = {}
    for path in sorted(written):
        name = last_segment(collection_of(path))
        if name in policy.collections and policy.collections[name].derived:
            found.setdefault(name, []).append(path)
    return found


def _build_regeneration_command(
    policy: Policy, rollback: str, collection: str, number: int, paths: list[str], now: datetime
) -> CommandRecord:
    return CommandRecord(
        id=f"{REGENERATE_VERB}-{rollback}-{collection}-{number}",
        command=REGENERATE_VERB,
        system=policy.system,
        actor="worker",
        reason=f"documents were brought back by {rollback}",
        received_at=now,
        result=f"what is made from {len(paths)} of {collection} is to be asked for",
        due_at=now,
        answer={"collection": collection, "documents": paths, "taken": {}, "refused": {}},
    )


def _bytes(text: str) -> int:
    return len(text.encode())


def _create_bytes(create: Create) -> int:
    """About what it takes; the same whenever it is made."""
    return RECORD_OVERHEAD_BYTES + sum(map(_bytes, create.fields["answer"]["documents"]))
