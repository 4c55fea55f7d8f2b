"""Databases of an application in memory, with everything that their documents ever were."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from msgspec.structs import replace

from shared.core.errors import Rejected
from shared.core.runtime import Clock
from shared.domain.data.document import DocumentSnapshot, is_document_path, is_in_scope, path_sort_key
from shared.domain.policy.document_scope import Scope
from tests.support.fakes.runtime.hooks import Hook, ask_hook_around, no_hook

PAST_HOUR = timedelta(hours=1)
WINDOW = timedelta(days=7)
LEAST = 128
"""Fewer documents than this are not parted."""


class FakeDocuments:
    """A Documents whose past reaches as far as the real one's.

    Verbs for the hook: documents.stream, .paths, .get, .existing, .count, .collections, .cuts.
    """

    def __init__(self, clock: Clock, hook: Hook = no_hook) -> None:
        self.hook = hook
        self.point_in_time_recovery = True
        self.reads = 0
        """Documents that were read, which is paid for."""
        self.seconds_each = 0.0
        """What a document of a stream takes to come."""
        self._clock = clock
        self._history: dict[str, dict[str, list[tuple[datetime, DocumentSnapshot | None]]]] = {}
        """By database and path: what a document became, and when."""
        self._sorted: dict[tuple[str, Scope | None], list[str]] = {}

    def write(self, database: str, documents: Mapping[str, Mapping[str, Any] | None]) -> None:
        """Let the documents be so from now on; None: gone.

        A microsecond passes where one of them was written just now: no two of its times are alike.
        """
        known = self._history.setdefault(database, {})
        if any(known[path][-1][0] >= self._clock.now() for path in documents if path in known):
            self._clock.sleep(1e-6)
        now = self._clock.now()
        if any(path not in known for path in documents):
            self._sorted.clear()
        for path, fields in documents.items():
            past = known.setdefault(path, [])
            before = past[-1][1] if past else None
            made = before.created_at if before is not None else now
            kept = None if fields is None else DocumentSnapshot(path, dict(fields), made, now)
            past.append((now, kept))

    def get_quietly(self, database: str, path: str) -> DocumentSnapshot | None:
        """One document as it is now, without asking the hook or paying for it."""
        return self._at(database, path, self._clock.now())

    def fill(self, database: str, source: str, at: datetime) -> None:
        """Let a database hold now what another one held then; nothing is gone of its own."""
        found = {path: self._at(source, path, at) for path in self._ordered(source)}
        self.write(database, {path: one.fields for path, one in found.items() if one is not None})

    def drop(self, database: str) -> None:
        """Let a database be gone, with its past."""
        self._history.pop(database, None)
        self._sorted.clear()

    def stream(
        self, database: str, scope: Scope, at: datetime | None, after: str = ""
    ) -> Iterator[DocumentSnapshot]:
        """As they were then."""
        with ask_hook_around(self.hook, "documents.stream"):
            moment = self._moment(at)
        for path in self._names(database, scope, after):
            version = self._at(database, path, moment)
            if version is not None:
                self.reads += 1
                if self.seconds_each:
                    self._clock.sleep(self.seconds_each)
                yield version

    def paths(self, database: str, scope: Scope, at: datetime | None, after: str = "") -> Iterator[str]:
        """The same, by name."""
        with ask_hook_around(self.hook, "documents.paths"):
            moment = self._moment(at)
        for path in self._names(database, scope, after):
            if self._at(database, path, moment) is not None:
                self.reads += 1
                yield path

    def get(
        self, database: str, paths: Sequence[str], at: datetime | None
    ) -> dict[str, DocumentSnapshot | None]:
        """One by one, all of one moment."""
        with ask_hook_around(self.hook, "documents.get"):
            moment = self._asked(paths, at)
            return {path: self._at(database, path, moment) for path in paths}

    def existing(self, database: str, paths: Sequence[str], at: datetime | None) -> set[str]:
        """Those that were there."""
        with ask_hook_around(self.hook, "documents.existing"):
            moment = self._asked(paths, at)
            return {path for path in paths if self._at(database, path, moment) is not None}

    def matching(
        self,
        database: str,
        scope: Scope,
        where: Mapping[str, Any],
        at: datetime | None,
        only: Sequence[str],
        most: int,
    ) -> list[DocumentSnapshot]:
        """By name, each cut down to those fields."""
        with ask_hook_around(self.hook, "documents.matching"):
            moment = self._moment(at)
            found = list(islice(self._equal(database, scope, where, moment), most))
            self.reads += len(found)
            names = [field.split(".") for field in only]
            return [replace(one, fields=_cut(one.fields, names)) for one in found]

    def newest(
        self, database: str, scope: Scope, field: str, since: datetime, most: int
    ) -> list[DocumentSnapshot]:
        """By the time in the field; what is no time is never later than one."""
        with ask_hook_around(self.hook, "documents.newest"):
            later = [
                (at, one)
                for one in self._equal(database, scope, {}, self._moment(None))
                if isinstance(at := one.fields.get(field), datetime) and at > since
            ]
            later.sort(key=lambda it: (it[0], path_sort_key(it[1].path)), reverse=True)
            self.reads += len(later[:most])
            return [one for _, one in later[:most]]

    def count(
        self, database: str, scope: Scope, at: datetime | None, where: Mapping[str, Any] | None = None
    ) -> int:
        """All that were there."""
        with ask_hook_around(self.hook, "documents.count"):
            moment = self._moment(at)
            return sum(1 for _ in self._equal(database, scope, where or {}, moment))

    def collections(self, database: str, at: datetime | None) -> list[str]:
        """By the documents in and below them."""
        with ask_hook_around(self.hook, "documents.collections"):
            moment = self._moment(at)
            return sorted(
                {
                    path.partition("/")[0]
                    for path in self._ordered(database)
                    if self._at(database, path, moment) is not None
                }
            )

    def partition_points(self, database: str, scope: Scope, at: datetime | None, most: int) -> list[str]:
        """In pieces of the same size."""
        with ask_hook_around(self.hook, "documents.cuts"):
            moment = self._moment(at)
            found = [
                path
                for path in self._names(database, scope, "")
                if self._at(database, path, moment) is not None
            ]
            points = min(most, len(found) // LEAST)
            return [found[len(found) * part // (points + 1)] for part in range(1, points + 1)]

    def _equal(
        self, database: str, scope: Scope, where: Mapping[str, Any], moment: datetime
    ) -> Iterator[DocumentSnapshot]:
        """Whatever was there then with fields that equal these."""
        for path in self._names(database, scope, ""):
            version = self._at(database, path, moment)
            if version is not None and all(
                _equals(_below(version.fields, field.split(".")), wanted) for field, wanted in where.items()
            ):
                yield version

    def _names(self, database: str, scope: Scope, after: str) -> Iterator[str]:
        known = self._ordered(database, scope)
        start = bisect_right(known, path_sort_key(after), key=path_sort_key) if after else 0
        yield from known[start:]

    def _ordered(self, database: str, scope: Scope | None = None) -> list[str]:
        """Whatever was ever there of a scope, or at all, in order."""
        if (database, scope) not in self._sorted:
            known = self._history.get(database, {})
            within = known if scope is None else (path for path in known if is_in_scope(scope, path))
            self._sorted[database, scope] = sorted(within, key=path_sort_key)
        return self._sorted[database, scope]

    def _at(self, database: str, path: str, moment: datetime) -> DocumentSnapshot | None:
        past = self._history.get(database, {}).get(path, [])
        for since, version in reversed(past):
            if since <= moment:
                return version
        return None

    def _asked(self, paths: Sequence[str], at: datetime | None) -> datetime:
        """The moment. Raises: Rejected for what no document can be called."""
        for path in paths:
            if not is_document_path(path):
                raise Rejected(f"INVALID_ARGUMENT: {path}")
        self.reads += len(paths)
        return self._moment(at)

    def _moment(self, at: datetime | None) -> datetime:
        """Raises: Rejected for a moment that cannot be read."""
        now = self._clock.now()
        if at is None:
            return now
        oldest = now - (WINDOW if self.point_in_time_recovery else PAST_HOUR)
        coarse = at < now - PAST_HOUR and (at.second or at.microsecond)
        if at > now or at < oldest or coarse:
            raise Rejected(f"the moment {at} cannot be read")
        return at


def _below(value: Any, names: Sequence[str]) -> Any:
    """What stands under these names; None: nothing."""
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _equals(value: Any, wanted: Any) -> bool:
    """As a query compares: 1 equals 1.0, and not true."""
    return isinstance(value, bool) is isinstance(wanted, bool) and bool(value == wanted)


def _cut(fields: Mapping[str, Any], wanted: Iterable[Sequence[str]]) -> dict[str, Any]:
    """What stands under any of these; of two, each begins with another name."""
    return {name: one for names in wanted for name, one in _only(fields, names).items()}


def _only(fields: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """What stands under these names alone."""
    name, *below = names
    if name not in fields:
        return {}
    if not below:
        return {name: fields[name]}
    return {name: _only(fields[name], below)} if isinstance(fields[name], dict) else {}
