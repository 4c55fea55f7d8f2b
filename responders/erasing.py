"""The ledger of erased people: written by the clock and by command, applied to opened copies."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from itertools import islice
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from responders.asking import ask
from responders.verbs import Asked, Effect
from shared import erasure as erasures
from shared import log
from shared.documents import decode, encode
from shared.erasure import Book, Erasure, ErasureRules, Progress
from shared.errors import Moved, Refused, Rejected, Unavailable
from shared.policy import Policy
from shared.ports import Ports, Put, Query, written
from shared.versions import Scope, Version

EVERY: Final = timedelta(hours=1)
"""The declared collection is read so often."""
OVERLAP: Final = timedelta(minutes=5)
"""So much is read twice: no clock is off by more, and an entry may be written again."""
CHUNK: Final = 300
ATTEMPTS: Final = 10


class Erasing:
    """The ledgers of the systems that declare where data of a person stands."""

    def __init__(self, ports: Ports, policies: Mapping[str, Policy]) -> None:
        self._ports = ports
        self._policies = [one for one in policies.values() if one.erasure is not None]
        self._read: dict[str, datetime] = {}
        """When each ledger was brought up to date, as far as this instance knows."""

    def learn(self) -> None:
        """Bring each ledger up to date where nobody has for an hour; it has its salt at once.

        What the database does not answer is asked again in a minute. Raises: Unavailable, for the
        store's.
        """
        now = self._ports.clock.now()
        for policy in self._policies:
            read = self._read.get(policy.system)
            if policy.erasure is not None and (read is None or now - read >= EVERY):
                self._learn(policy, policy.erasure)

    def learn_now(self) -> None:
        """Bring each ledger up to date, however new it is. Raises: Unavailable, Rejected."""
        for policy in self._policies:
            if policy.erasure is not None:
                self._learn_for_certain(policy, policy.erasure)

    def _learn_for_certain(self, policy: Policy, rules: ErasureRules) -> None:
        """Whom we have read is in the ledger: another instance may have read a moment before us."""
        for _ in range(ATTEMPTS):
            with suppress(Moved):
                self._learn(policy, rules, must=True)
                return
        raise Unavailable(f"{policy.system}: everybody reads who was erased")

    def _learn(self, policy: Policy, rules: ErasureRules, *, must: bool = False) -> None:
        document = self._ports.store.get(erasures.book_path(policy.system))
        now = document.read_at
        book = decode(Book, document.fields) if document.fields else self._new(policy, now)
        is_due = must or now - book.read_until >= EVERY
        if document.fields is None or (rules.collection and is_due):
            try:
                found = self._erased(policy, rules, book.read_until) if rules.collection else []
            except (Rejected, Unavailable) as failure:
                if must:
                    raise
                log.write("ERROR", f"who was erased in {policy.system} is not seen: {failure}")
                return
            entries = [
                _entry(policy, rules, erasures.hashed(book.salt, person), at)
                for person, at in found
            ]
            book = replace(book, read_until=now - OVERLAP)
            try:
                self._ports.store.commit([written(document, encode(book)), *entries])
            except Moved:  # another instance has read it
                if must:
                    raise
        self._read[policy.system] = now

    def _new(self, policy: Policy, now: datetime) -> Book:
        """A ledger without an entry: all that the collection holds is to be read."""
        salt = f"{self._ports.ids()}{self._ports.ids()}"
        return Book(policy.system, salt, datetime.fromtimestamp(0, now.tzinfo))

    def _erased(
        self, policy: Policy, rules: ErasureRules, since: datetime
    ) -> list[tuple[str, datetime]]:
        """Whom the application has erased since then. Raises: Rejected, Unavailable."""
        database, documents = policy.integrity.database, self._ports.documents(policy.system)
        counted = self._ports.estate(policy.system).documents
        paths: tuple[str, ...] = ask(
            self._ports, partial(counted.written_since, database, rules.collection, since)
        )
        found = ask(self._ports, partial(documents.get, database, paths, None)) if paths else {}
        said = (erasures.of_document(rules, one) for one in found.values() if one is not None)
        return [one for one in said if one is not None]


def erase(asked: Asked) -> Effect:
    """A person is in the ledger, by the hash of their id alone; quarantine is gone through next."""
    policy, rules = asked.policy, asked.policy.erasure
    if rules is None:
        raise Refused(f"{policy.system} declares no data of persons (erasure)")
    entry = _entry(policy, rules, asked.command.person, asked.ports.clock.now())
    result = "whoever that is stays erased in every copy that is opened"
    return Effect(result, (entry,), goes_on=True)


def _entry(policy: Policy, rules: ErasureRules, hashed: str, at: datetime) -> Put:
    places = tuple(str(one) for one in rules.documents)
    entry = Erasure(policy.system, hashed, at, places)
    return Put(erasures.path(policy.system, hashed), encode(entry))


class Ledger(Struct, frozen=True):
    """Who must stay erased, as whoever opens old data asks it."""

    rules: ErasureRules
    book: Book
    erased: Mapping[str, datetime]

    def forbids(self, version: Version) -> bool:
        """Whether a version of the past belongs to somebody who was erased since."""
        return erasures.is_of_erased(self.rules, version, self.book, self.erased)


def read_ledger(ports: Ports, policy: Policy) -> Ledger | None:
    """The ledger of a system; None where nobody was erased. Raises: Unavailable."""
    document = ports.store.get(erasures.book_path(policy.system))
    ours = (("system", "==", policy.system),)
    found = ports.store.query(Query("erasures", where=ours))
    if policy.erasure is None or document.fields is None or not found:
        return None
    erased = erasures.known(decode(Erasure, one.fields) for one in found)
    return Ledger(policy.erasure, decode(Book, document.fields), erased)


class Copy:
    """One database that is a copy, made at a moment, and nobody's own."""

    def __init__(self, ports: Ports, policy: Policy, database: str, at: datetime) -> None:
        self._ports = ports
        self._policy = policy
        self._database = database
        self._at = at
        self._documents = ports.documents(policy.system)

    def purge(self, progress: Progress, seconds: float) -> Progress:
        """The progress after so many seconds, or over: nobody who was erased is in the copy.

        Raises: Unavailable, Rejected; what was taken out until then is gone.
        """
        ledger = read_ledger(self._ports, self._policy)
        if ledger is None:
            return replace(progress, is_over=True)
        until = self._ports.clock.monotonic() + seconds
        while progress.place < len(ledger.rules.documents):
            for later in self._gone_through(progress, ledger):
                progress = later
                if self._ports.clock.monotonic() >= until:
                    return progress
        return replace(progress, is_over=True)

    def _gone_through(self, progress: Progress, ledger: Ledger) -> Iterator[Progress]:
        """The progress after each piece of its place, and in the end behind it."""
        place = ledger.rules.documents[progress.place]
        stream = self._documents.stream(self._database, place.scope, None, progress.cursor)
        while chunk := list(islice(stream, CHUNK)):
            for one in chunk:
                if erasures.is_erased(place, one, ledger.book, ledger.erased, self._at):
                    paths = list(self._with_all_below(one))
                    self._remove(paths)
                    progress = erasures.removed(progress, paths)
            progress = replace(progress, cursor=chunk[-1].path)
            yield progress
        yield replace(progress, place=progress.place + 1, cursor="")

    def _with_all_below(self, version: Version) -> Iterator[str]:
        """The paths of a document and of all below it."""
        yield version.path
        yield from self._below(version.path)

    def _below(self, parent: str) -> Iterator[str]:
        for name in self._documents.collections(self._database, None, parent):
            for path in self._documents.paths(self._database, Scope(f"{parent}/{name}"), None):
                yield path
                yield from self._below(path)

    def _remove(self, paths: list[str]) -> None:
        restores = self._ports.restores(self._policy.system)
        for first in range(0, len(paths), CHUNK):
            restores.remove(self._database, paths[first : first + CHUNK])
