"""Erase people in copies and restored databases."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice, takewhile

from msgspec.structs import replace

from responders.data.erasure_ledger import ENTRIES_PER_COMMIT, ErasureLedger, read_ledger
from shared.domain.data.erasure.ledger import (
    ErasureProgress,
    add_removed_documents,
    has_erased_person,
    person_ids,
)
from shared.domain.data.repair.repair_plan import WHOLE_DATABASE
from shared.domain.policy.data_rules import Place
from shared.domain.policy.system_policy import Policy
from shared.engine.steps.documents.batched import consume_until
from shared.ports.groups import Ports


@dataclass
class DatabaseCopyEraser:
    """One database that is a copy, made at a moment, and nobody's own."""

    _ports: Ports
    _policy: Policy
    _database: str
    _at: datetime

    def __post_init__(self) -> None:
        self._documents = self._ports.system(self._policy.system).documents

    def erase_people(self, progress: ErasureProgress, seconds: float) -> ErasureProgress:
        """Erase for so many seconds; return the progress. Raises: Unavailable, Rejected."""
        ledger = read_ledger(self._ports, self._policy)
        if ledger is None:
            return replace(progress, is_over=True)
        clock = self._ports.clock
        until = clock.monotonic() + seconds
        return consume_until(clock, until, progress, self._erase_all_places(progress, ledger))

    def _erase_all_places(
        self, progress: ErasureProgress, ledger: ErasureLedger
    ) -> Iterator[ErasureProgress]:
        """The progress after each piece of each place, and in the end behind all of them.

        Behind the last place come all names that there are: whoever documents belong to by what
        they are called, or stand below, need have no document of their own.
        """
        places = ledger.rules.documents
        while progress.place <= len(places):
            pieces: Iterator[ErasureProgress] = iter(())
            if progress.place == len(places):
                pieces = self._erase_by_path(progress, ledger)
            elif places[progress.place].field:
                pieces = self._erase_by_owner(places[progress.place], progress, ledger)
            for progress in pieces:
                yield progress
            progress = replace(progress, place=progress.place + 1, cursor="")
            yield progress
        yield replace(progress, is_over=True)

    def _erase_by_owner(
        self, place: Place, progress: ErasureProgress, ledger: ErasureLedger
    ) -> Iterator[ErasureProgress]:
        stream = self._documents.stream(self._database, place.scope, None, progress.cursor)
        while chunk := list(islice(stream, ENTRIES_PER_COMMIT)):
            for one in chunk:
                if has_erased_person(person_ids(place, one), ledger.book, ledger.erased, self._at):
                    paths = [*self._list_descendants(one.path), one.path]  # which leads to them, goes last
                    self._delete_documents(paths)
                    progress = add_removed_documents(progress, paths)
            progress = replace(progress, cursor=chunk[-1].path)
            yield progress

    def _erase_by_path(self, progress: ErasureProgress, ledger: ErasureLedger) -> Iterator[ErasureProgress]:
        stream = self._documents.paths(self._database, WHOLE_DATABASE, None, progress.cursor)
        while chunk := list(islice(stream, ENTRIES_PER_COMMIT)):
            paths = [one for one in chunk if ledger.is_document_erased(one, self._at)]
            self._delete_documents(paths)
            progress = replace(add_removed_documents(progress, paths), cursor=chunk[-1])
            yield progress

    def _list_descendants(self, parent: str) -> Iterator[str]:
        """The paths of all below a document, which lie right behind it, whatever is between."""
        paths = self._documents.paths(self._database, WHOLE_DATABASE, None, parent)
        return takewhile(lambda path: path.startswith(f"{parent}/"), paths)

    def _delete_documents(self, paths: list[str]) -> None:
        restores = self._ports.system(self._policy.system).restores
        for first in range(0, len(paths), ENTRIES_PER_COMMIT):
            restores.remove(self._database, paths[first : first + ENTRIES_PER_COMMIT])
