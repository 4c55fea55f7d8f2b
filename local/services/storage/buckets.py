"""Buckets and their objects, kept in the journal: what a call does, apart from how it is asked."""

import re
import threading
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from msgspec.structs import replace

from local.core.clock import CloudClock
from local.core.journal import Journal
from local.services.storage.conditions import Preconditions
from local.services.storage.errors import (
    bucket_exists,
    bucket_not_empty,
    bucket_not_found,
    condition_not_met,
    invalid_request,
    object_not_found,
    object_under_hold,
    retention_not_met,
    retention_policy_locked,
)
from local.services.storage.fields import merge
from local.services.storage.values import Bucket, StoredObject, etag_of, retention_expires_at
from shared.core.codec import from_json, from_msgpack

BUCKETS, OBJECTS = "storage buckets", "storage objects"
"""What they are called in the journal."""
NAME_LIMIT_BYTES = 1024
"""cloud.google.com/storage/docs/objects#naming (read 2026-11)."""
MAX_OBJECT_BYTES = 256 * 1024 * 1024
"""Objects are held in memory (Google: 5 TiB)."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_BUCKET = re.compile(
    r"(?!goog|(?:\d+\.){3}\d+$|.*(?:google|g00gle))(?=.{3,222}$)"
    r"[a-z0-9](?:[a-z0-9_-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9_-]{0,61}[a-z0-9])?)*"
)
"""cloud.google.com/storage/docs/buckets#naming (read 2026-11): each part of a dotted name has at
most 63 characters, and the whole 222."""
_RESERVED = re.compile(r"\.|\.\.|\.well-known/acme-challenge/.*|.*[\r\n].*", re.DOTALL)


class Buckets:
    """Every bucket there is. Each verb is atomic; all raise Refusal."""

    def __init__(self, clock: CloudClock, journal: Journal) -> None:
        self._clock = clock
        self._journal = journal
        self._lock = threading.Lock()
        self._buckets = {name: from_json(value, Bucket) for name, value in journal.read(BUCKETS)}
        self._objects: dict[str, dict[str, list[StoredObject]]] = {}
        """By bucket and name: the generations, oldest first; the last may be live."""
        self._last = 0
        for _, value in journal.read(OBJECTS):
            self._learn(from_msgpack(value, StoredObject))

    def create(
        self,
        name: str,
        *,
        retention: timedelta | None = None,
        location: str = "US",
        project: str = "",
        versioned: bool = False,
        fields: Mapping[str, Any] | None = None,
    ) -> Bucket:
        """A new bucket; one with retention keeps each object that long."""
        if not _BUCKET.fullmatch(name):
            raise invalid_request(f"Invalid bucket name: '{name}'")
        with self._lock:
            if name in self._buckets:
                raise bucket_exists()
            now = self._clock.now()
            return self._put_bucket(
                Bucket(
                    name,
                    now,
                    now,
                    versioned=versioned,
                    retention_seconds=int(retention.total_seconds()) if retention else None,
                    retention_from=now if retention else None,
                    location=location,
                    project=project,
                    fields=merge({}, fields or {}),
                )
            )

    def bucket(self, name: str) -> Bucket:
        """A bucket."""
        if name not in self._buckets:
            raise bucket_not_found()
        return self._buckets[name]

    def find_project(self, name: str) -> str:
        """The project of a bucket; "" where it is not there."""
        return self._buckets[name].project if name in self._buckets else ""

    def of_project(self, project: str) -> list[Bucket]:
        """The buckets of a project, by name."""
        return sorted(
            (one for one in list(self._buckets.values()) if one.project == project), key=lambda one: one.name
        )

    def change(
        self,
        name: str,
        *,
        versioned: bool | None = None,
        retention: timedelta | None = None,
        fields: Mapping[str, Any] | None = None,
        conditions: Preconditions = Preconditions(),  # noqa: B008 - frozen
    ) -> Bucket:
        """The bucket with what is given; None leaves it as it is, retention of 0 ends it."""
        with self._lock:
            bucket = self.bucket(name)
            conditions.check(bucket)
            now = self._clock.now()
            after = replace(
                bucket,
                updated_at=now,
                metageneration=bucket.metageneration + 1,
                versioned=bucket.versioned if versioned is None else versioned,
                fields=merge(bucket.fields, fields or {}),
            )
            if retention is not None:
                seconds = int(retention.total_seconds())
                if bucket.locked and seconds < (bucket.retention_seconds or 0):
                    raise retention_policy_locked(name)
                after = replace(
                    after,
                    retention_seconds=seconds or None,
                    retention_from=(bucket.retention_from or now) if seconds else None,
                )
            return self._put_bucket(after)

    def remove(self, name: str, conditions: Preconditions) -> None:
        """The bucket is gone; one with any generation of an object stays."""
        with self._lock:
            conditions.check(self.bucket(name))
            if self._objects.get(name):
                raise bucket_not_empty()
            self._journal.write(BUCKETS, [(name, None)])
            del self._buckets[name]

    def grant(self, name: str, bindings: list[dict[str, Any]], etag: str | None = None) -> Bucket:
        """The bucket with these bindings in its IAM policy, if that is at the etag."""
        with self._lock:
            bucket = self.bucket(name)
            if etag and etag != etag_of(0, bucket.metageneration):
                raise condition_not_met("If-Match")
            return self._put_bucket(
                replace(bucket, bindings=bindings, metageneration=bucket.metageneration + 1)
            )

    def lock(self, name: str, metageneration: int | None) -> Bucket:
        """The bucket, whose retention nobody shortens or removes from now on."""
        with self._lock:
            bucket = self.bucket(name)
            if metageneration != bucket.metageneration:
                raise condition_not_met("If-Match")
            if bucket.retention_seconds is None:
                raise invalid_request(f"Bucket '{name}' does not have a retention policy to lock.")
            return self._put_bucket(replace(bucket, locked=True, metageneration=bucket.metageneration + 1))

    def put(
        self,
        bucket: str,
        name: str,
        content: bytes,
        content_type: str,
        metadata: Mapping[str, str],
        conditions: Preconditions,
        fields: Mapping[str, Any] | None = None,
    ) -> StoredObject:
        """A new live generation, in the place of the one before."""
        if not name or len(name.encode()) > NAME_LIMIT_BYTES or _RESERVED.fullmatch(name):
            raise invalid_request(f"Invalid object name: '{name[:100]}'")
        with self._lock:
            home = self.bucket(bucket)
            live = self._live(bucket, name)
            conditions.check(live)
            now = self._clock.now()
            self._last = max(self._last + 1, (now - _EPOCH) // timedelta(microseconds=1))
            inherited = {
                "storageClass": home.fields.get("storageClass"),
                "eventBasedHold": home.fields.get("defaultEventBasedHold"),
            }
            stored = StoredObject(
                bucket,
                name,
                self._last,
                content,
                content_type,
                now,
                now,
                dict(metadata),
                fields=merge({}, {**inherited, **(fields or {})}),
            )
            self._keep([*self._put_aside(home, live, now), stored])
            return stored

    def find(
        self,
        bucket: str,
        name: str,
        generation: int | None = None,
        conditions: Preconditions = Preconditions(),  # noqa: B008 - frozen
    ) -> StoredObject:
        """The live object, or one generation of it."""
        self.bucket(bucket)
        found = self._found(bucket, name, generation)
        conditions.check(found, reading=True)
        return found

    def edit(
        self,
        bucket: str,
        name: str,
        generation: int | None,
        fields: Mapping[str, Any],
        conditions: Preconditions,
    ) -> StoredObject:
        """The object with a patch of its fields, which retention does not forbid."""
        with self._lock:
            self.bucket(bucket)
            found = self._found(bucket, name, generation)
            conditions.check(found)
            before = {**found.fields, "metadata": found.metadata, "contentType": found.content_type}
            after = merge(before, fields)
            edited = replace(
                found,
                metadata=after.pop("metadata", {}),
                content_type=after.pop("contentType", ""),
                fields=after,
                updated_at=self._clock.now(),
                metageneration=found.metageneration + 1,
            )
            self._keep([edited])
            return edited

    def delete(self, bucket: str, name: str, generation: int | None, conditions: Preconditions) -> None:
        """The live object is gone, or noncurrent where versions are kept; a generation is gone."""
        with self._lock:
            home = self.bucket(bucket)
            found = self._found(bucket, name, generation)
            conditions.check(found)
            if generation is None:
                self._keep(self._put_aside(home, found, self._clock.now()))
            else:
                self._require_free(home, found)
                self._drop(found)

    def all(self, bucket: str, *, versions: bool) -> list[StoredObject]:
        """The live objects by name; with `versions` every generation, oldest first of each name."""
        self.bucket(bucket)
        with self._lock:
            kept = self._objects.get(bucket, {})
            return [
                stored
                for name in sorted(kept, key=str.encode)
                for stored in kept[name]
                if versions or stored.replaced_at is None
            ]

    def _live(self, bucket: str, name: str) -> StoredObject | None:
        kept = self._objects.get(bucket, {}).get(name, [])
        return kept[-1] if kept and kept[-1].replaced_at is None else None

    def _found(self, bucket: str, name: str, generation: int | None) -> StoredObject:
        kept = self._objects.get(bucket, {}).get(name, [])
        wanted = (
            self._live(bucket, name)
            if generation is None
            else next((one for one in kept if one.generation == generation), None)
        )
        if wanted is None:
            raise object_not_found(bucket, name)
        return wanted

    def _put_aside(self, home: Bucket, live: StoredObject | None, now: datetime) -> list[StoredObject]:
        """What of the live object is kept when it is not the live one any more."""
        if live is None:
            return []
        if home.versioned:
            return [replace(live, replaced_at=now)]
        self._require_free(home, live)
        self._drop(live)
        return []

    def _require_free(self, home: Bucket, stored: StoredObject) -> None:
        until = retention_expires_at(home, stored)
        if until is not None and self._clock.now() < until:
            raise retention_not_met(stored.bucket, stored.name, until)
        for kind in ("temporaryHold", "eventBasedHold"):
            if stored.fields.get(kind):
                raise object_under_hold(stored.bucket, stored.name, kind)

    def _put_bucket(self, bucket: Bucket) -> Bucket:
        self._journal.write(BUCKETS, [(bucket.name, msgspec.json.encode(bucket))])
        self._buckets[bucket.name] = bucket
        return bucket

    def _keep(self, stored: Iterable[StoredObject]) -> None:
        kept = list(stored)
        self._journal.write(OBJECTS, [(_key(one), msgspec.msgpack.encode(one)) for one in kept])
        for one in kept:
            self._learn(one)

    def _learn(self, stored: StoredObject) -> None:
        """Take a generation in, in the place of what was known of it."""
        kept = self._objects.setdefault(stored.bucket, {}).setdefault(stored.name, [])
        kept[:] = [one for one in kept if one.generation != stored.generation]
        kept.append(stored)
        kept.sort(key=lambda one: one.generation)
        self._last = max(self._last, stored.generation)

    def _drop(self, stored: StoredObject) -> None:
        self._journal.write(OBJECTS, [(_key(stored), None)])
        kept = self._objects[stored.bucket][stored.name]
        kept.remove(stored)
        if not kept:
            del self._objects[stored.bucket][stored.name]


def _key(stored: StoredObject) -> str:
    """Its key in the journal; a generation is never given twice."""
    return f"{stored.bucket}/{stored.generation}"
