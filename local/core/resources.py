"""Plain resources of Google's REST APIs: a `Kind` declares their fields, ids and verbs.

No field that a client sends is dropped: it is stored, or refused with its name. Semantics:
https://google.aip.dev/133 (create), /134 (update masks), /154 (etags), /158 (pages).
"""

import re
import uuid
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

import grpc
from msgspec import Struct

from local.application.names import project_number
from local.core.clock import CloudClock
from local.core.discovery import check_objects
from local.core.grpc_services import StatusError
from local.core.iam_policies import IamPolicies
from local.core.resource_store import ResourceStore
from local.core.rest import (
    PAGE_PARAMETERS,
    Resource,
    RestMethod,
    RestRequest,
    build_list_response,
    camel_case,
    check_fields,
    invalid_argument,
)

MAX_PAGE_SIZE = 1000
_MASK = "updateMask"
_CHANGE_TIMES = frozenset(("mutationRecord", "mutationRecords", "updateTime", "userUpdateTime"))
"""When a resource was changed, as its service shows it."""


class Change(NamedTuple):
    """One resource as a request makes it."""

    name: str
    """Its full name."""
    ids: Mapping[str, str]
    query: Mapping[str, str]
    at: datetime
    before: Resource | None
    """None where it is created."""
    after: Resource


def _set_nothing(_: Change) -> Resource:
    return {}


def _new_number() -> str:
    """An id as services draw them."""
    return str(uuid.uuid4().int % 10**19)


class Kind(Struct, frozen=True, kw_only=True):
    """What one kind of resource is, as Google's reference describes it."""

    calls: str
    """Its name in the discovery document: `projects.secrets`."""
    schema: str
    """Google's schema of it, which objects in its fields follow: `secretmanager.v1.Secret`."""
    path: str
    """The collection: `/v1/projects/{project}/secrets`."""
    fields: Mapping[str, Any]
    """What a client sets, by the type of its JSON."""
    answers: tuple[str, ...] = ()
    """What the service sets beside `name` and `etag`; clients send it back, and it is ignored."""
    verbs: tuple[str, ...] = ("create", "get", "list", "patch", "delete")
    """`update` stands for a PUT of the whole."""
    listed_as: str = ""
    """The field of a list; else the last part of the path."""
    id_query: str = ""
    """The parameter that names a new one."""
    id_field: str = ""
    """The field of the body that does; with neither, the service draws a number."""
    id_pattern: str = r"[A-Za-z0-9][A-Za-z0-9_.-]*"
    wrapper: str = ""
    """The field of a creation's body that holds the resource, where it is not the body."""
    wraps_change: bool = False
    """Whether the body of a change holds it there too."""
    shows_id: bool = False
    """Whether `name` in answers is the id alone."""
    is_numbered: bool = False
    """Whether names hold the project's number instead of its id."""
    required: tuple[str, ...] = ()
    immutable: tuple[str, ...] = ()
    explicit: tuple[str, ...] = ()
    """Fields that are shown though they are empty or false, because a client has set them."""
    replaces: bool = False
    """Whether a change without a mask replaces the whole instead of the fields that it brings."""
    upserts: bool = False
    """Whether a PUT creates what is not there."""
    parameters: tuple[str, ...] = ()
    """More query parameters of a creation and a change."""
    list_parameters: tuple[str, ...] = ()
    """More of a list."""
    delete_parameters: tuple[str, ...] = ()
    has_etag: bool = False
    complete: Callable[[Change], Resource] = _set_nothing
    """Returns what the service sets, and refuses what Google refuses."""
    policy: str = ""
    """The HTTP method of `getIamPolicy`, where the kind has policies."""


class ResourceCollection:
    """The resources of one kind, in every project."""

    def __init__(
        self, kind: Kind, store: ResourceStore, clock: CloudClock, policies: IamPolicies | None = None
    ) -> None:
        self.kind = kind
        self._store = store
        self._clock = clock
        self._policies = policies

    def calls(self) -> tuple[RestMethod, ...]:
        """What is served."""
        kind, one = self.kind, f"{self.kind.path}/{{id}}"
        named = {kind.id_query} - {""}
        created, changed = self._fields({kind.id_field}), self._fields({_MASK})
        if kind.wrapper and not kind.wraps_change:
            changed = self._accepted
        masked = {*kind.parameters} if kind.wraps_change else {_MASK, *kind.parameters}
        served: dict[str, tuple[Any, ...]] = {
            "create": ("POST", kind.path, self.create, created, {*named, *kind.parameters}),
            "get": ("GET", one, self.get),
            "list": ("GET", kind.path, self.list_page, {}, {*PAGE_PARAMETERS, *kind.list_parameters}),
            "patch": ("PATCH", one, self.change, changed, masked),
            "update": ("PUT", one, self.replace, self._accepted, kind.parameters),
            "delete": ("DELETE", one, self.delete, {}, kind.delete_parameters),
        }
        own = tuple(RestMethod(f"{kind.calls}.{verb}", *served[verb]) for verb in kind.verbs)
        if self._policies is None:
            return own
        return (*own, *self._policies.calls(kind.calls, one, kind.policy, self.find_name))

    def find_name(self, request: RestRequest) -> str:
        """The full name of the resource that a request is about. Raises: StatusError NOT_FOUND."""
        name = self.name_of(request)
        self._store.find(name)
        return name

    def name_of(self, request: RestRequest) -> str:
        """The full name that a request's path holds."""
        return f"{self.parent_of(request)}/{request.ids['id']}"

    def parent_of(self, request: RestRequest) -> str:
        """The full name of the collection that a request's path holds."""
        ids = dict(request.ids)
        if self.kind.is_numbered and not ids["project"].isdigit():
            ids["project"] = str(project_number(ids["project"]))
        return self.kind.path.partition("/")[2].partition("/")[2].format_map(ids)

    def full_id(self, request: RestRequest, short: str) -> str:
        """The last part of a new resource's name, by the id that the client gave."""
        return short

    def create(self, request: RestRequest) -> Resource:
        """Store a new resource. Raises: StatusError INVALID_ARGUMENT or ALREADY_EXISTS."""
        kind = self.kind
        body = self._unwrap(request.body) if kind.wrapper else request.body
        parent = self.parent_of(request)
        name = f"{parent}/{self.full_id(request, self._read_id(request, parent))}"
        fields = self._read(body)
        with self._store.lock:
            if name in self._store:
                self.refuse_duplicate(name)
            return self._put(request, name, None, fields)

    def get(self, request: RestRequest) -> Resource:
        """Return one resource."""
        return self.find(request)

    def list_page(self, request: RestRequest) -> Resource:
        """Return a page of a collection."""
        field = self.kind.listed_as or self.kind.path.rpartition("/")[2]
        found = self.stored(request)
        return build_list_response(request, field, found, MAX_PAGE_SIZE)

    def stored(self, request: RestRequest) -> list[Resource]:
        """Return all of a collection, by name."""
        return self._store.below(self.parent_of(request))

    def change(self, request: RestRequest) -> Resource:
        """Change the fields that the mask names, or without one as the kind says."""
        kind = self.kind
        body = self._unwrap(request.body) if kind.wraps_change else request.body
        fields = self._read(body, is_whole=False)
        mask = (request.body if kind.wraps_change else request.query).get(_MASK, "")
        paths = [_camel_case(path.strip()) for path in mask.split(",") if path.strip()]
        with self._store.lock:
            before = self.find(request)
            self._refuse_stale(before, body.get("etag"))
            return self._put(request, self.name_of(request), before, self._merge(before, fields, paths))

    def replace(self, request: RestRequest) -> Resource:
        """Replace the whole resource, or create it where the kind says so."""
        fields = self._read(request.body)
        name = self.name_of(request)
        with self._store.lock:
            before = self._store.find(name) if name in self._store or not self.kind.upserts else None
            self._refuse_stale(before or {}, request.body.get("etag"))
            return self._put(request, name, before, fields)

    def delete(self, request: RestRequest) -> Resource:
        """Remove one resource and its policy."""
        with self._store.lock:
            self._refuse_stale(self.find(request), request.query.get("etag"))
            name = self.name_of(request)
            self._store.write({name: None})
        if self._policies is not None:
            self._policies.forget(name)
        return {}

    def find(self, request: RestRequest) -> Resource:
        """Return the resource that a request is about. Raises: StatusError NOT_FOUND."""
        return self._store.find(self.name_of(request))

    def refuse_duplicate(self, name: str) -> None:
        """Say that a name is taken. Raises: StatusError ALREADY_EXISTS."""
        raise StatusError(grpc.StatusCode.ALREADY_EXISTS, f"Requested entity already exists: {name}")

    def _put(self, request: RestRequest, name: str, before: Resource | None, fields: Resource) -> Resource:
        """Complete, check and store a resource; one that does not change keeps its etag."""
        kind = self.kind
        if missing := [one for one in kind.required if one not in fields]:
            raise invalid_argument(f"{', '.join(missing)}: a required field is missing")
        if before is not None:
            moved = [one for one in kind.immutable if before.get(one) != fields.get(one)]
            if moved:
                raise invalid_argument(f"{', '.join(moved)} cannot be changed")
        held = {key: it for key, it in (before or {}).items() if key not in kind.fields}
        shown = name.rpartition("/")[2] if kind.shows_id else name
        after = {**held, "name": shown, **fields}
        after |= kind.complete(Change(name, request.ids, request.query, self._clock.now(), before, after))
        if before is not None and _without_times(before) == _without_times(after):
            return before
        if kind.has_etag:
            after["etag"] = f'"{uuid.uuid4().hex[:14]}"'
        self._store.write({name: after})
        return after

    def _merge(self, before: Resource, fields: Resource, paths: Iterable[str]) -> Resource:
        """The client's fields after a change."""
        kind = self.kind
        current = {key: it for key, it in before.items() if key in kind.fields}
        named = list(paths) or ([] if not kind.replaces else ["*"])
        if named == ["*"]:
            return _without_empty(fields, kind.explicit)
        for path in named:
            head = path.partition(".")[0]
            if head in (*kind.answers, "name", "etag"):  # as a client has read them
                continue
            if head not in kind.fields:
                raise invalid_argument(f"Update mask contains an invalid path: {path}")
            _assign(current, fields, path.split("."))
        changed = current if named else {**current, **fields}
        return _without_empty(changed, kind.explicit)

    @property
    def _accepted(self) -> Mapping[str, Any]:
        """The fields of a resource as clients send it; what the service sets itself is ignored."""
        kind = self.kind
        ignored = ("name", *kind.answers, *(["etag"] * kind.has_etag))
        return {**dict.fromkeys(ignored, Any), **kind.fields}

    def _fields(self, outer: Iterable[str]) -> Mapping[str, Any]:
        """The fields of a body: those of the resource, or its wrapper and what is beside it."""
        if not self.kind.wrapper:
            return self._accepted
        return {self.kind.wrapper: Resource, **dict.fromkeys(outer, str)}

    def _unwrap(self, body: Resource) -> Resource:
        """The resource in a body. Raises: StatusError INVALID_ARGUMENT."""
        found: Resource = body.get(self.kind.wrapper, {})
        check_fields(found, self._accepted)
        return found

    def _read(self, body: Resource, *, is_whole: bool = True) -> Resource:
        """The client's fields of a body; of a whole, without the empty ones.

        Raises: StatusError INVALID_ARGUMENT.
        """
        kind = self.kind
        fields = {key: it for key, it in body.items() if key in kind.fields and it is not None}
        check_objects(fields, kind.schema)
        return _without_empty(fields, kind.explicit) if is_whole else fields

    def _read_id(self, request: RestRequest, parent: str) -> str:
        """The id of a new resource. Raises: StatusError INVALID_ARGUMENT."""
        kind = self.kind
        key = kind.id_query or kind.id_field
        if not key:
            return _new_number()
        stated = request.query.get(key, "") if kind.id_query else request.body.get(key, "")
        short = str(stated)
        if kind.id_field == "name" and not kind.shows_id:
            if not short.startswith(f"{parent}/"):
                raise invalid_argument(f"name '{short}' is not below {parent}")
            short = short.removeprefix(f"{parent}/")
        if not re.fullmatch(kind.id_pattern, short):
            said = f"{key} is missing" if not short else f"{key} '{stated}' does not match {kind.id_pattern}"
            raise invalid_argument(said)
        return short

    def _refuse_stale(self, current: Resource, etag: object) -> None:
        if etag and self.kind.has_etag and etag != current.get("etag"):
            raise StatusError(grpc.StatusCode.ABORTED, "The etag is not that of the resource as it is now.")


def _without_empty(fields: Resource, explicit: Iterable[str]) -> Resource:
    """The fields without those that say nothing, which JSON of a message leaves out."""
    return {key: it for key, it in fields.items() if key in explicit or it not in (None, "", False, [], {})}


def _without_times(resource: Resource) -> Resource:
    return {key: it for key, it in resource.items() if key not in _CHANGE_TIMES}


def _assign(target: Resource, source: Resource, parts: list[str]) -> None:
    """Take one path of the source over, or clear it."""
    head, rest = parts[0], parts[1:]
    if head not in source and head not in target:  # a key of a map stays as it is
        head = camel_case(head)
    if rest:
        inner, stated = target.get(head) or {}, source.get(head) or {}
        if not isinstance(inner, dict) or not isinstance(stated, dict):
            raise invalid_argument(f"Update mask contains an invalid path: {head} is no object")
        inner = dict(inner)
        _assign(inner, stated, rest)
        target[head] = inner
        if not inner:
            del target[head]
    elif head in source:
        target[head] = source[head]
    else:
        target.pop(head, None)


def _camel_case(path: str) -> str:
    """The first part of a mask's path as JSON writes it: both forms are read."""
    head, dot, rest = path.partition(".")
    return camel_case(head) + dot + rest
