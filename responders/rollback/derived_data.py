"""What is made from documents that a rollback has written is asked for again, however it ends."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Final

from responders.rollback.case import Case, Transition
from responders.support.parallel_calls import ANSWER_SECONDS
from shared.core.chunks import parted
from shared.core.codec import decode, encode
from shared.core.store import Create
from shared.domain.commands import command as commands
from shared.domain.commands.command import CommandRecord
from shared.domain.data.document import collection_of
from shared.domain.data.repair.quarantine import JournalEntry
from shared.domain.policy.model import Policy
from shared.domain.rollback.rollback import Direction
from shared.state import repair_journal

VERB: Final = "regenerate"
"""The command that asks, whoever gives it."""
WRITES: Final = (Direction.REPAIR, Direction.UNDO)
DOCUMENTS_AT_ONCE: Final = 500
"""So many are named in one message."""
PATHS_BYTES: Final = 500_000
"""So much their paths may hold together: they stand in one record, a document of at most 1 MiB
(https://firebase.google.com/docs/firestore/quotas, read 2026-11-26)."""
RECORDS_AT_ONCE: Final = 400
COMMIT_BYTES: Final = 8 * 2**20
"""So much the records of one commit may hold: a request is at most 10 MiB (there)."""
RECORD_BYTES: Final = 2000
"""About so much of it is no path."""


def entries(case: Case) -> Iterator[JournalEntry]:
    """What each batch has written, however many there are. Raises: as Tenure.commit."""
    for _, document in repair_journal.behind(case.ports.store, case.rollback.id):
        case.hold_for(ANSWER_SECONDS)
        yield decode(JournalEntry, document.fields)


def ask(case: Case) -> None:
    """All that is made from what was written is asked for, a part with each commit of ours.

    Whoever goes on after a crash finds which of them have landed. Raises: as Tenure.commit.
    """
    if case.rollback.way not in WRITES:
        return
    paths = (one.path for entry in entries(case) for one in entry.landed)
    for part in after_repair(case.policy, case.rollback.id, paths, case.now()):
        if case.ports.store.get(part[0].path).fields is None:
            case.take(
                Transition(
                    event="rollback.derived-asked",
                    note=f"what is made from documents is to be asked for by {len(part)} messages",
                    say=False,
                    writes=tuple(part),
                    despite_words=True,
                )
            )


def after_repair(
    policy: Policy, rollback: str, written: Iterable[str], now: datetime
) -> Iterator[list[Create]]:
    """What has a worker ask for what is made from documents that were written back.

    In parts of which each is one commit, and the same whoever asks: the first record of a part
    is there, or none of it.
    """
    records = (
        _after_repair(policy, rollback, collection, number, some, now)
        for collection, paths in _with_derived(policy, written).items()
        for number, some in enumerate(parted(paths, DOCUMENTS_AT_ONCE, PATHS_BYTES, _bytes), 1)
    )
    creates = (Create(commands.command_path(record.id), encode(record)) for record in records)
    return parted(creates, RECORDS_AT_ONCE, COMMIT_BYTES, _create_bytes)


def _with_derived(policy: Policy, written: Iterable[str]) -> dict[str, list[str]]:
    """Those of them that something is made from, in order, by the collection that declares it."""
    found: dict[str, list[str]] = {}
    for path in sorted(written):
        name = collection_of(path).rpartition("/")[2]
        if name in policy.collections and policy.collections[name].derived:
            found.setdefault(name, []).append(path)
    return found


def _after_repair(
    policy: Policy, rollback: str, collection: str, number: int, paths: list[str], now: datetime
) -> CommandRecord:
    return CommandRecord(
        id=f"{VERB}-{rollback}-{collection}-{number}",
        command=VERB,
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
    return RECORD_BYTES + sum(map(_bytes, create.fields["answer"]["documents"]))
