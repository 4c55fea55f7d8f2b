"""The JSON API of Cloud Storage: a request in, status, headers and body out.

https://cloud.google.com/storage/docs/json_api/v1 (read 2026-11), and what google-cloud-storage
3.17.1 sends: metadata at /storage/v1, uploads at /upload/storage/v1, content at
/download/storage/v1. And what is public of a bucket, at /BUCKET/NAME, as browsers read it.
"""

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import msgspec
from msgspec import Struct

from local.application.names import project_number
from local.services.storage import uploads
from local.services.storage.buckets import Buckets
from local.services.storage.conditions import number, read_preconditions
from local.services.storage.errors import Refusal, invalid_request, unsupported_call
from local.services.storage.uploads import UploadIncomplete, Uploads
from local.services.storage.values import (
    StoredObject,
    bucket_resource,
    media_headers,
    object_resource,
    policy_resource,
)
from shared.core.codec import from_builtins, from_json

NAME = "storage.googleapis.com"
CALLS = tuple(
    f"{NAME}/{verb}"
    for verb in (
        "buckets.get",
        "buckets.getIamPolicy",
        "buckets.insert",
        "buckets.lockRetentionPolicy",
        "buckets.patch",
        "buckets.setIamPolicy",
        "objects.delete",
        "objects.get",
        "objects.insert",
        "objects.list",
        "objects.patch",
        "objects.rewrite",
        "projects.serviceAccount.get",
    )
)
"""What is served, by the names under which faults find it."""
MAX_PAGE_SIZE = 1000
MAX_REWRITE_BYTES_PER_CALL = 1024 * 1024
"""How much of an object a call copies to another location: Google's own measure is time, 30 s."""
_RANGE = re.compile(r"bytes=(\d*)-(\d*)")
_UNSUPPORTED_PARAMETERS = {"matchGlob", "softDeleted", "includeFoldersAsPrefixes", "filter"}


class StorageRequest(Struct, frozen=True):
    """One HTTP request; header names are in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes
    address: str

    @property
    def path(self) -> str:
        """The path, still encoded: an object's name may hold slashes."""
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, str]:
        """Its parameters."""
        return dict(parse_qsl(urlsplit(self.target).query, keep_blank_values=True))


class StorageAnswer(Struct, frozen=True):
    """What is sent back."""

    status: int
    headers: dict[str, str]
    body: bytes = b""


Handler = Callable[[StorageRequest, str, str], StorageAnswer]


class StorageService:
    """The calls of the JSON API over the buckets."""

    def __init__(self, buckets: Buckets) -> None:
        self._buckets = buckets
        self._uploads = Uploads(buckets)
        bucket, name = "/storage/v1/b/(?P<bucket>[^/]+)", "(?P<name>[^/]+)"
        self._routes: tuple[tuple[str, str, str, Handler], ...] = (
            ("POST", "/storage/v1/b", "buckets.insert", self._create_bucket),
            ("GET", bucket, "buckets.get", self._get_bucket),
            ("PATCH", bucket, "buckets.patch", self._patch_bucket),
            ("GET", f"{bucket}/iam", "buckets.getIamPolicy", self._get_policy),
            ("PUT", f"{bucket}/iam", "buckets.setIamPolicy", self._set_policy),
            ("POST", f"{bucket}/lockRetentionPolicy", "buckets.lockRetentionPolicy", self._lock),
            ("GET", f"{bucket}/o", "objects.list", self._list),
            ("POST", f"/upload{bucket}/o", "objects.insert", self._upload),
            ("PUT", f"/upload{bucket}/o", "objects.insert", self._go_on),
            ("POST", f"{bucket}/o/{name}/rewriteTo/b/.+", "objects.rewrite", self._rewrite),
            ("GET", f"(?:/download)?{bucket}/o/{name}", "objects.get", self._get),
            ("PATCH", f"{bucket}/o/{name}", "objects.patch", self._patch),
            ("DELETE", f"{bucket}/o/{name}", "objects.delete", self._delete),
            (
                "GET",
                "/storage/v1/projects/(?P<name>[^/]+)/serviceAccount",
                "projects.serviceAccount.get",
                self._agent,
            ),
            ("GET", "/(?P<bucket>[^/]+)/(?P<name>public/.+)", "objects.get", self._read),
        )

    def call(self, request: StorageRequest) -> tuple[str, Callable[[], StorageAnswer]]:
        """The name of the call that is asked for, and what carries it out.

        Raises: Refusal, when nothing is served there; the second one as well.
        """
        for method, pattern, verb, handler in self._routes:
            found = re.fullmatch(pattern, request.path)
            if found is not None and method == request.method:
                parts = found.groupdict()
                bucket, name = unquote(parts.get("bucket", "")), unquote(parts.get("name", ""))
                return f"{NAME}/{verb}", partial(handler, request, bucket, name)
        raise unsupported_call()

    def _agent(self, _request: StorageRequest, _bucket: str, project: str) -> StorageAnswer:
        """The address of Cloud Storage's own agent of a project."""
        agent = f"service-{project_number(project)}@gs-project-accounts.iam.gserviceaccount.com"
        return _build_json_answer({"kind": "storage#serviceAccount", "email_address": agent})

    def _create_bucket(self, request: StorageRequest, _bucket: str, _name: str) -> StorageAnswer:
        said = _document(request.body)
        name = said.get("name")
        if not isinstance(name, str):
            raise Refusal(400, "required", "Required parameter: name")
        self._buckets.create(name)
        return self._changed(name, said)

    def _get_bucket(self, _request: StorageRequest, bucket: str, _name: str) -> StorageAnswer:
        return _build_json_answer(bucket_resource(self._buckets.bucket(bucket)))

    def _patch_bucket(self, request: StorageRequest, bucket: str, _name: str) -> StorageAnswer:
        return self._changed(bucket, _document(request.body))

    def _changed(self, bucket: str, said: Mapping[str, Any]) -> StorageAnswer:
        """The bucket with the versioning and the retention that a resource says."""
        try:
            versioning = from_builtins(said.get("versioning") or {}, dict[str, bool])
            policy = from_builtins(said.get("retentionPolicy") or {}, dict[str, Any])
            seconds = policy.get("retentionPeriod", 0)
            period = msgspec.convert(seconds, int, strict=False)  # noqa: TID251 - learns no type
        except msgspec.ValidationError as error:
            raise invalid_request(str(error)) from error
        found = self._buckets.change(
            bucket,
            versioned=versioning.get("enabled", False) if "versioning" in said else None,
            retention_seconds=period if "retentionPolicy" in said else None,
        )
        return _build_json_answer(bucket_resource(found))

    def _get_policy(self, _request: StorageRequest, bucket: str, _name: str) -> StorageAnswer:
        return _build_json_answer(policy_resource(self._buckets.bucket(bucket)))

    def _set_policy(self, request: StorageRequest, bucket: str, _name: str) -> StorageAnswer:
        """The policy replaced, whichever one it was."""
        bindings = _document(request.body).get("bindings")
        if not isinstance(bindings, list):
            raise invalid_request("Required: bindings")
        return _build_json_answer(policy_resource(self._buckets.grant(bucket, bindings)))

    def _lock(self, request: StorageRequest, bucket: str, _name: str) -> StorageAnswer:
        asked = read_preconditions(request.query).metageneration
        return _build_json_answer(bucket_resource(self._buckets.lock(bucket, asked)))

    def _list(self, request: StorageRequest, bucket: str, _name: str) -> StorageAnswer:
        query = request.query
        if foreign := _UNSUPPORTED_PARAMETERS & set(query):
            raise invalid_request(f"The embedded cloud does not play {', '.join(sorted(foreign))}.")
        home = self._buckets.bucket(bucket)
        found = self._buckets.all(bucket, versions=query.get("versions", "").lower() == "true")
        items, prefixes, token = _page(found, query)
        answer: dict[str, Any] = {"kind": "storage#objects"}
        if token:
            answer["nextPageToken"] = token
        if prefixes:
            answer["prefixes"] = prefixes
        if items:
            answer["items"] = [object_resource(home, one) for one in items]
        return _build_json_answer(answer)

    def _upload(self, request: StorageRequest, bucket: str, _name: str) -> StorageAnswer:
        query, asked = request.query, read_preconditions(request.query)
        said_type = request.headers.get("content-type", "")
        match query.get("uploadType"):
            case "media":
                upload = uploads.read_simple_upload(bucket, query, said_type, request.body, asked)
            case "multipart":
                upload = uploads.read_multipart_upload(bucket, query, said_type, request.body, asked)
            case "resumable":
                type_of_all = request.headers.get("x-upload-content-type", "")
                upload = uploads.build_upload(bucket, query, type_of_all, request.body, asked)
                key = self._uploads.begin(upload)
                there = f"http://{request.address}/upload/storage/v1/b/{bucket}/o"
                place = f"{there}?uploadType=resumable&upload_id={key}"
                return StorageAnswer(200, {"Location": place, "X-GUploader-UploadID": key})
            case other:
                raise invalid_request(f"Invalid upload type: {other}")
        return self._told(self._uploads.finish(upload))

    def _go_on(self, request: StorageRequest, _bucket: str, _name: str) -> StorageAnswer:
        key = request.query.get("upload_id", "")
        stored = self._uploads.go_on(key, request.body, request.headers)
        if isinstance(stored, UploadIncomplete):
            taken = {"Range": f"bytes=0-{stored.taken - 1}"} if stored.taken else {}
            return StorageAnswer(308, taken)
        return self._told(stored)

    def _get(self, request: StorageRequest, bucket: str, name: str) -> StorageAnswer:
        query = request.query
        found = self._buckets.find(bucket, name, number(query, "generation"), read_preconditions(query))
        if query.get("alt") == "media":
            return _build_media_answer(found, request.headers.get("range", ""))
        return self._told(found)

    def _read(self, request: StorageRequest, bucket: str, name: str) -> StorageAnswer:
        """As a browser reads it: what everybody may read lies below public/."""
        found = self._buckets.find(bucket, name)
        return _build_media_answer(found, request.headers.get("range", ""))

    def _patch(self, request: StorageRequest, bucket: str, name: str) -> StorageAnswer:
        said, query = _document(request.body), request.query
        kinds = {"metadata": dict[str, str], "contentType": str, "temporaryHold": bool}
        named = {"metadata": "metadata", "contentType": "content_type", "temporaryHold": "held"}
        try:
            changes: dict[str, Any] = {
                named[key]: from_builtins(said[key] or kind(), kind)
                for key, kind in kinds.items()
                if key in said
            }
        except msgspec.ValidationError as error:
            raise invalid_request(str(error)) from error
        generation = number(query, "generation")
        return self._told(self._buckets.edit(bucket, name, generation, changes, read_preconditions(query)))

    def _delete(self, request: StorageRequest, bucket: str, name: str) -> StorageAnswer:
        query = request.query
        self._buckets.delete(bucket, name, number(query, "generation"), read_preconditions(query))
        return StorageAnswer(204, {})

    def _rewrite(self, request: StorageRequest, bucket: str, name: str) -> StorageAnswer:
        """Copy an object at once, or between locations a part of it: the last one makes the copy.

        What the body says of the new object is not played.
        """
        to_bucket, _, to_name = request.path.partition("/rewriteTo/b/")[2].partition("/o/")
        query, target = request.query, unquote(to_bucket)
        found = self._buckets.find(bucket, name, number(query, "sourceGeneration"))
        home, there = self._buckets.bucket(bucket), self._buckets.bucket(target)
        whole = len(found.content)
        copied = _read_rewrite_token(query.get("rewriteToken", ""), found) + MAX_REWRITE_BYTES_PER_CALL
        if home.location == there.location:
            copied = whole
        said = {
            "kind": "storage#rewriteResponse",
            "totalBytesRewritten": str(min(copied, whole)),
            "objectSize": str(whole),
            "done": copied >= whole,
        }
        if copied < whole:
            return _build_json_answer({**said, "rewriteToken": _token((str(copied), found.generation))})
        stored = self._buckets.put(
            target,
            unquote(to_name),
            found.content,
            found.content_type,
            found.metadata,
            read_preconditions(query),
        )
        return _build_json_answer({**said, "resource": object_resource(there, stored)})

    def _told(self, stored: StoredObject) -> StorageAnswer:
        return _build_json_answer(object_resource(self._buckets.bucket(stored.bucket), stored))


def _read_rewrite_token(token: str, found: StoredObject) -> int:
    """How much of an object a token says is copied. Raises: Refusal for one of another object."""
    if not token:
        return 0
    copied, generation = _decode_page_token(token)
    if generation != found.generation or not copied.isdecimal():
        raise invalid_request("Invalid rewrite token.")
    return int(copied)


def _build_json_answer(resource: Mapping[str, Any]) -> StorageAnswer:
    return StorageAnswer(200, {"Content-Type": "application/json"}, msgspec.json.encode(resource))


def _document(body: bytes) -> dict[str, Any]:
    try:
        return from_json(body or b"{}", dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise invalid_request(f"Parse Error: {error}") from error


def _build_media_answer(stored: StoredObject, asked: str) -> StorageAnswer:
    """The content, or the range of it that is asked for."""
    headers, whole = media_headers(stored), len(stored.content)
    place = _RANGE.fullmatch(asked)
    if place is None or place.groups() == ("", ""):
        return StorageAnswer(200, headers, stored.content)
    first, last = place.groups()
    start = int(first) if first else max(0, whole - int(last))
    end = min(whole, int(last) + 1) if first and last else whole
    if start >= end:
        return StorageAnswer(416, {"Content-Range": f"bytes */{whole}"})
    headers["Content-Range"] = f"bytes {start}-{end - 1}/{whole}"
    return StorageAnswer(206, headers, stored.content[start:end])


def _page(found: list[StoredObject], query: Mapping[str, str]) -> tuple[list[StoredObject], list[str], str]:
    """The objects and the prefixes of one page, and the token of the next ("" at the end)."""
    size = min(number(query, "maxResults") or MAX_PAGE_SIZE, MAX_PAGE_SIZE)
    after = _decode_page_token(query["pageToken"]) if query.get("pageToken") else ("", 0)
    items: list[StoredObject] = []
    prefixes: list[str] = []
    last = after
    for stored in _filter_objects(found, query):
        prefix = _prefix(stored.name, query)
        place = (prefix, 2**63) if prefix else (stored.name, stored.generation)
        if place <= after or prefix in prefixes:
            continue
        if len(items) + len(prefixes) == size:
            return items, prefixes, _token(last)
        if prefix:
            prefixes.append(prefix)
        else:
            items.append(stored)
        last = place
    return items, prefixes, ""


def _filter_objects(found: list[StoredObject], query: Mapping[str, str]) -> list[StoredObject]:
    start, end = query.get("startOffset", ""), query.get("endOffset", "")
    return [
        stored
        for stored in found
        if stored.name.startswith(query.get("prefix", ""))
        and stored.name >= start
        and (not end or stored.name < end)
    ]


def _prefix(name: str, query: Mapping[str, str]) -> str:
    """What a delimiter makes of a name: the part up to it; "" for a name that is listed itself."""
    delimiter, prefix = query.get("delimiter", ""), query.get("prefix", "")
    if not delimiter:
        return ""
    head, found, _ = name.removeprefix(prefix).partition(delimiter)
    return f"{prefix}{head}{delimiter}" if found else ""


def _token(place: tuple[str, int]) -> str:
    return base64.urlsafe_b64encode(f"{place[1]}/{place[0]}".encode()).decode()


def _decode_page_token(token: str) -> tuple[str, int]:
    try:
        generation, _, name = base64.urlsafe_b64decode(token.encode()).decode().partition("/")
        return name, int(generation)
    except (binascii.Error, ValueError) as error:
        raise invalid_request(f"Invalid page token: {token[:100]}") from error
