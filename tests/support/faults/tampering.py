"""Every way to tamper with a stored trail, drawn by a seed, over whatever store holds it."""

from collections.abc import Callable, Mapping
from random import Random
from typing import Any, Protocol

from msgspec.structs import replace

from shared.core.codec import decode, encode
from shared.core.store import Put, Query, Store
from shared.domain.audit import system_chain
from shared.domain.audit.chain import AuditEntry, Event, build_entry, digest, genesis_hash

Fields = dict[str, Any]


class TamperedStore(Protocol):
    """A store in the hands of somebody who may write whatever they like."""

    @property
    def store(self) -> Store: ...

    def remove(self, path: str) -> None: ...


class Tamperer:
    """Somebody with all rights on the database, and none on the bucket of anchors."""

    def __init__(self, vault: TamperedStore, seed: int) -> None:
        self._vault = vault
        self._draw = Random(seed)

    # One rollback, or one system's chain: documents by path, and the document that holds its head

    def edit(self, chain: str) -> None:
        """One entry says something else, with a hash of its own that fits it or not."""
        path, entry = self._some(chain)
        forged = replace(entry, events=[_altered(self._draw, one) for one in entry.events])
        if self._draw.random() < 0.5:
            forged = replace(forged, hash=digest(forged))
        self._put(path, forged)

    def delete(self, chain: str) -> None:
        """One entry is gone."""
        self._vault.remove(self._some(chain)[0])

    def insert(self, chain: str) -> None:
        """One entry more, and all behind it moved on by one."""
        paths = self._paths(chain)
        at = self._draw.randrange(len(paths))
        entries = [self._entry(path) for path in paths]
        before = entries[at - 1].hash if at else genesis_hash(chain)
        extra = build_entry(before, at + 1, "forged", 1, [_forged()])
        following = [replace(one, sequence=one.sequence + 1) for one in entries[at:]]
        for number, entry in enumerate([extra, *following], at + 1):
            self._put(f"{_collection(chain)}/{number:06d}", entry)

    def reorder(self, chain: str) -> None:
        """Two entries have changed places, their numbers with them or not."""
        paths = self._paths(chain)
        first, second = self._draw.sample(paths, 2)
        one, other = self._entry(first), self._entry(second)
        if self._draw.random() < 0.5:
            one, other = (replace(one, sequence=other.sequence), replace(other, sequence=one.sequence))
        self._put(first, other)
        self._put(second, one)

    def truncate(self, chain: str) -> None:
        """The end is missing."""
        paths = self._paths(chain)
        for path in paths[self._draw.randrange(len(paths)) :]:
            self._vault.remove(path)

    def swap(self, chain: str, other: str) -> None:
        """One entry of each stands in the other, or each whole chain, with its head or without."""
        mine, theirs = self._paths(chain), self._paths(other)
        kind = self._draw.choice(("entry", "chain", "chain and head"))
        if kind == "entry":
            number = self._draw.randrange(min(len(mine), len(theirs)))
            mine, theirs = mine[number : number + 1], theirs[number : number + 1]
        ours = [self._entry(path) for path in mine]
        others = [self._entry(path) for path in theirs]
        for path in (*mine, *theirs):
            self._vault.remove(path)
        for entry in others:
            self._put(f"{_collection(chain)}/{entry.sequence:06d}", entry)
        for entry in ours:
            self._put(f"{_collection(other)}/{entry.sequence:06d}", entry)
        if kind == "chain and head":
            self._set_head(chain, others[-1])
            self._set_head(other, ours[-1])

    def rewrite(self, chain: str) -> None:
        """One entry says something else, and all behind it and the head are made to fit."""
        paths = self._paths(chain)
        at = self._draw.randrange(len(paths))
        previous = self._entry(paths[at]).previous
        for path in paths[at:]:
            entry = self._entry(path)
            events = [_altered(self._draw, one) for one in entry.events]
            entry = build_entry(previous, entry.sequence, entry.commit_id, entry.fence, events)
            previous = entry.hash
            self._put(path, entry)
        self._set_head(chain, entry)
        self._fit_events(chain)

    def cut(self, chain: str) -> None:
        """The end is missing, and the head is made to fit."""
        paths = self._paths(chain)
        at = self._draw.randrange(1, len(paths))
        for path in paths[at:]:
            self._vault.remove(path)
        self._set_head(chain, self._entry(paths[at - 1]))
        self._drop_events(chain, at)

    # Single events outside a rollback

    def edit_event(self, chain: str) -> None:
        """A single event says something else than its seal."""
        path, fields = self._draw.choice(self._events(chain))
        altered = _altered(self._draw, decode(Event, fields))
        self._vault.store.commit([Put(path, {**fields, **encode(altered)})])

    def delete_event(self, chain: str) -> None:
        """A single event is gone."""
        self._vault.remove(self._draw.choice(self._events(chain))[0])

    def move_event(self, chain: str) -> None:
        """A single event claims another seal."""
        path, fields = self._draw.choice(self._events(chain))
        self._vault.store.commit([Put(path, {**fields, "sealed": fields["sealed"] + 1})])

    def _events(self, chain: str) -> list[tuple[str, Fields]]:
        found = self._vault.store.query(Query(f"{chain}/audit"))
        return [(one.path, one.fields) for one in found if one.fields is not None]

    def _fit_events(self, chain: str) -> None:
        """Let the single events be what their seals say."""
        if not chain.startswith("systems/"):
            return
        for path, _ in self._events(chain):
            self._vault.remove(path)
        for number, path in enumerate(self._paths(chain), 1):
            for position, one in enumerate(self._entry(path).events):
                if one.name != system_chain.SEAL_EVENT:
                    key = f"{chain}/audit/{number}-{position}"
                    self._vault.store.commit([Put(key, {**encode(one), "sealed": number})])

    def _drop_events(self, chain: str, last: int) -> None:
        if chain.startswith("systems/"):
            for path, fields in self._events(chain):
                if fields["sealed"] > last:
                    self._vault.remove(path)

    def _set_head(self, chain: str, last: AuditEntry) -> None:
        kind, _, name = chain.partition("/")
        path = chain if kind == "rollbacks" else system_chain.head_path(name)
        fields = self._vault.store.get(path).fields or {}
        hash_name = "audit_head" if kind == "rollbacks" else "hash"
        changed = {hash_name: last.hash, "sequence": last.sequence}
        self._vault.store.commit([Put(path, {**fields, **changed})])

    def _some(self, chain: str) -> tuple[str, AuditEntry]:
        path = self._draw.choice(self._paths(chain))
        return path, self._entry(path)

    def _paths(self, chain: str) -> list[str]:
        return [one.path for one in self._vault.store.query(Query(_collection(chain)))]

    def _entry(self, path: str) -> AuditEntry:
        return decode(AuditEntry, self._vault.store.get(path).fields)

    def _put(self, path: str, entry: AuditEntry) -> None:
        beside = self._vault.store.get(path).fields or self._neighbour(path)
        kept = {"expires_at": beside["expires_at"]}
        self._vault.store.commit([Put(path, {**encode(entry), **kept})])

    def _neighbour(self, path: str) -> Fields:
        """The document that an entry belongs to: it expires together with it."""
        owner = self._vault.store.get(path.rsplit("/", 2)[0]).fields
        return owner if owner and "expires_at" in owner else {"expires_at": None}


FOUND_BY_THE_CHAIN: Mapping[str, Callable[[Tamperer, str, str], None]] = {
    "edit": lambda who, chain, _: who.edit(chain),
    "delete": lambda who, chain, _: who.delete(chain),
    "insert": lambda who, chain, _: who.insert(chain),
    "reorder": lambda who, chain, _: who.reorder(chain),
    "truncate": lambda who, chain, _: who.truncate(chain),
    "swap": lambda who, chain, other: who.swap(chain, other),
}
FOUND_BY_ANCHORS_ALONE: Mapping[str, Callable[[Tamperer, str, str], None]] = {
    "rewrite": lambda who, chain, _: who.rewrite(chain),
    "cut": lambda who, chain, _: who.cut(chain),
}


def _collection(chain: str) -> str:
    return f"{chain}/{'audit' if chain.startswith('rollbacks/') else 'seals'}"


def _altered(draw: Random, one: Event) -> Event:
    """The event, with another actor, time, name or fact."""
    change = draw.choice(("actor", "at", "name", "facts"))
    if change == "facts":
        return replace(one, facts={**one.facts, "note": "nothing happened"})
    return replace(one, **{change: getattr(one, change) + "0"})


def _forged() -> Event:
    return Event("rollback.approved", "2026-03-01T12:00:00.000000+00:00", "somebody")
