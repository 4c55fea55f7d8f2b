"""What an application writes into its own database: good documents, and what a bad release leaves.

Nothing is written until a pace is set. Then each minute of cloud time brings its documents, in one
commit at its end; a release with corruption damages its share of them.
"""

import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from random import Random

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from local.application import Application
from local.core.clock import CloudClock
from local.core.journal import Journal
from local.services.firestore.commit_engine import FirestoreEngine
from local.services.firestore.messages import Document, Value, Write
from shared.core.codec import from_msgpack

COLLECTION = "records"
DOCUMENT_COUNT = 1000
"""How many there are in the end: each write picks one of them."""
MAX_WRITES_PER_MINUTE = 500
"""Writes of one commit (https://firebase.google.com/docs/firestore/quotas, read 2026-11)."""
MAX_CATCH_UP = timedelta(days=1)
"""What a leap of the clock leaves behind this is not made up for."""
MINUTE = timedelta(minutes=1)


class WriteProgress(Struct, frozen=True):
    """How far the writing has come."""

    writer: str
    """The function that writes."""
    per_minute: int
    written_until: datetime
    written: int = 0
    damage_due: float = 0.0
    """The fraction of a damaged document that has not been written yet."""


class DocumentTraffic:
    """The document traffic of one application, in `projects/P/databases/(default)`."""

    def __init__(
        self, application: Application, clock: CloudClock, journal: Journal, engine: FirestoreEngine
    ) -> None:
        self._application = application
        self._clock = clock
        self._journal = journal
        self._engine = engine
        self._kept_as = f"records/{application.policy.system}"
        self._database = f"projects/{application.project}/databases/(default)"
        self._lock = threading.Lock()
        self._progress: WriteProgress | None = None
        for _, value in journal.read(self._kept_as):
            self._progress = from_msgpack(value, WriteProgress)

    @property
    def progress(self) -> WriteProgress | None:
        """How far the writing has come; None while nothing was ever written."""
        with self._lock:
            return self._progress

    def write(self, per_minute: int, writer: str | None = None) -> WriteProgress:
        """Let a function (None: the first) write that many documents a minute from now on.

        Raises: KeyError for an unknown function, ValueError for a pace that cannot be.
        """
        if not 0 <= per_minute <= MAX_WRITES_PER_MINUTE:
            raise ValueError(f"per_minute is not between 0 and {MAX_WRITES_PER_MINUTE}")
        functions = list(self._application.policy.functions)
        chosen = functions[0] if writer is None else writer
        if chosen not in functions:
            raise KeyError(chosen)
        self.catch_up()
        with self._lock:
            seen = self._progress or WriteProgress(chosen, per_minute, self._clock.now())
            now = self._clock.now()
            begun = replace(seen, writer=chosen, per_minute=per_minute, written_until=now)
            self._keep(begun)
            return begun

    def catch_up(self) -> None:
        """Write what whole minutes have brought since the last time."""
        with self._lock:
            progress = self._progress
            if progress is None or not progress.per_minute:
                return
            now = self._clock.now()
            oldest = now - MAX_CATCH_UP
            if progress.written_until < oldest:
                progress = replace(progress, written_until=oldest)
            while progress.written_until + MINUTE <= now:
                progress = self._write_minute(progress)
            self._keep(progress)

    def damaged_documents(self) -> list[str]:
        """The full names of the documents that are not as they must be: what a check finds now."""
        collection = f"{self._database}/documents/{COLLECTION}"
        with self._engine.read_at() as view:
            found = list(view.documents.documents_in(collection, view.time))
        return sorted(document.name for document in found if not is_valid_document(document))

    def _write_minute(self, progress: WriteProgress) -> WriteProgress:
        end = progress.written_until + MINUTE
        share = self._application.corruption(progress.writer, progress.written_until)
        owed = progress.damage_due + share * progress.per_minute
        broken = int(owed + 1e-9)
        writes = list(self._writes(progress, end, broken))
        self._engine.commit(self._database, writes, is_wanted=lambda: True)
        return replace(
            progress,
            written_until=end,
            written=progress.written + progress.per_minute,
            damage_due=owed - broken,
        )

    def _writes(self, progress: WriteProgress, moment: datetime, broken: int) -> Iterator[Write]:
        """The minute's writes, the damaged ones first; each document at most once."""
        draw = Random(f"{self._database}/{progress.written}")
        for index, place in enumerate(draw.sample(range(DOCUMENT_COUNT), progress.per_minute)):
            name = f"{self._database}/documents/{COLLECTION}/{place:04d}"
            document = _build_valid_document(name, progress.written + index, moment)
            yield Write(update=_damage_document(document) if index < broken else document)

    def _keep(self, progress: WriteProgress) -> None:
        self._journal.write(self._kept_as, [("progress", msgspec.msgpack.encode(progress))])
        self._progress = progress


def is_valid_document(document: Document) -> bool:
    """Whether a document has an owner, and an amount that is a whole number."""
    fields = document.fields
    has_owner = "owner" in fields and bool(fields["owner"].string_value)
    return has_owner and "amount" in fields and fields["amount"].HasField("integer_value")


def _build_valid_document(name: str, number: int, moment: datetime) -> Document:
    fields = {
        "owner": Value(string_value=f"user-{number % 97:02d}"),
        "amount": Value(integer_value=100 + number % 900),
        "written_at": Value(timestamp_value=moment),
    }
    return Document(name=name, fields=fields)


def _damage_document(document: Document) -> Document:
    """The same with its amount as text and without its owner."""
    damaged = Document(name=document.name, fields=document.fields)
    damaged.fields["amount"].CopyFrom(Value(string_value="NaN"))
    del damaged.fields["owner"]
    return damaged
