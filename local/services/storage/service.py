"""The JSON API of Cloud Storage: a request in, status, headers and body out.

https://cloud.google.com/storage/docs/json_api/v1 (read 2026-11), and what google-cloud-storage
3.17.1 sends: metadata at /storage/v1, uploads at /upload/storage/v1, content at
/download/storage/v1. And objects at /BUCKET/NAME, as browsers and Google's Go client read them.
"""

import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any
from urllib.parse import quote, unquote

import msgspec
from msgspec.structs import replace

from local.application.names import project_number
from local.core.grpc_services import StatusError
from local.core.iam_policies import GrantCheck, replace_policy, show_policy
from local.core.journal import Journal
from local.core.pages import page
from local.core.projects import ProjectDirectory
from local.services.storage import uploads
from local.services.storage.buckets import Buckets
from local.services.storage.conditions import number, read_header_preconditions, read_preconditions
from local.services.storage.errors import Refusal, invalid_request, not_public, unsupported_call
from local.services.storage.fields import merge, read_bucket, read_object_fields
from local.services.storage.listing import MAX_PAGE_SIZE, decode_token, encode_token, list_page
from local.services.storage.media import build_media_answer
from local.services.storage.requests import PARAMETERS, StorageAnswer, StorageRequest
from local.services.storage.uploads import UploadIncomplete, Uploads
from local.services.storage.values import StoredObject, bucket_resource, object_resource, policy_resource
from shared.core.codec import from_json

NAME = "storage.googleapis.com"
CALLS = tuple(f"{NAME}/{call}" for call in PARAMETERS)
"""What is served, by the names under which faults find it."""
MAX_REWRITE_BYTES_PER_CALL = 1024 * 1024
"""How much of an object a call copies to another location: Google's own measure is time, 30 s."""
_CLIENT_HEADERS = {"authorization", "x-goog-api-client"}
"""Google's clients send one of them with each call; browsers do not."""
_POLICY_FIELDS = frozenset(("bindings", "etag", "kind", "resourceId", "version"))
_PROJECT_PATTERN = re.compile(r"(?<=[?&]project=)[^&]+|(?<=^/storage/v1/projects/)[^/?]+")
_OBJECT_PATH = "/(?!storage/|upload/|download/|batch/)(?P<bucket>[^/]+)/(?P<name>.+)"

Handler = Callable[[StorageRequest, str, str], StorageAnswer]


class StorageService:
    """The calls of the JSON API over the buckets."""

    def __init__(
        self,
        buckets: Buckets,
        check_grant: GrantCheck = lambda _: None,
        projects: ProjectDirectory | None = None,
        require: Callable[[str, str], None] = lambda _project, _host: None,
    ) -> None:
        """`require` refuses a request where Cloud Storage is off in the project."""
        self._buckets = buckets
        self._check_grant = check_grant
        self._projects = projects or ProjectDirectory(Journal())
        self._require = require
        self._uploads = Uploads(buckets)
        bucket, name = "/storage/v1/b/(?P<bucket>[^/]+)", "(?P<name>[^/]+)"
        self._routes: tuple[tuple[str, str, str, Handler], ...] = (
            ("GET", "/storage/v1/b", "buckets.list", self._list_buckets),
            ("POST", "/storage/v1/b", "buckets.insert", self._create_bucket),
            ("GET", bucket, "buckets.get", self._get_bucket),
            ("PATCH", bucket, "buckets.patch", self._patch_bucket),
            ("DELETE", bucket, "buckets.delete", self._delete_bucket),
            ("GET", f"{bucket}/iam", "buckets.getIamPolicy", self._get_policy),
            ("GET", f"{bucket}/iam/testPermissions", "buckets.testIamPermissions", self._test_permissions),
            ("PUT", f"{bucket}/iam", "buckets.setIamPolicy", self._set_policy),
            ("POST", f"{bucket}/lockRetentionPolicy", "buckets.lockRetentionPolicy", self._lock),
            ("GET", f"{bucket}/o", "objects.list", self._list),
            ("POST", f"/upload{bucket}/o", "objects.insert", self._upload),
            ("PUT", f"/upload{bucket}/o", "objects.insert", self._upload),
            ("DELETE", f"/upload{bucket}/o", "objects.insert", self._cancel),
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
            ("GET", _OBJECT_PATH, "objects.get", self._read),
            ("HEAD", _OBJECT_PATH, "objects.get", self._read),
        )

    def call(self, request: StorageRequest) -> tuple[str, Callable[[], StorageAnswer]]:
        """The name of the call that is asked for, and what carries it out.

        Raises: Refusal, when nothing is served there; the second one as well.
        """
        request = replace(request, target=self._resolve_target(request.target))
        for method, pattern, verb, handler in self._routes:
            found = re.fullmatch(pattern, request.path)
            if found is not None and method == request.method:
                request.require_served(verb)
                parts = found.groupdict()
                bucket, name = unquote(parts.get("bucket", "")), unquote(parts.get("name", ""))
                self._require_switched_on(request, bucket, name)
                return f"{NAME}/{verb}", partial(handler, request, bucket, name)
        raise unsupported_call(f"{request.method} {request.path}")

    def _resolve_target(self, target: str) -> str:
        """The target with the id of the project that it names."""
        return _PROJECT_PATTERN.sub(lambda found: quote(self._projects.resolve(unquote(found[0]))), target)

    def _require_switched_on(self, request: StorageRequest, bucket: str, name: str) -> None:
        """Raises: Refusal 403 where Cloud Storage is off in the project of the request."""
        owner = self._buckets.find_project(bucket) if bucket else request.query.get("project", name)
        try:
            self._require(owner, NAME)
        except StatusError as refused:
            raise Refusal(403, "accessNotConfigured", refused.message) from refused

    def _read_document(self, request: StorageRequest) -> dict[str, Any]:
        """The resource in a body, with ids in its names."""
        resource: dict[str, Any] = self._projects.resolve_body(_document(request.body))
        return resource

    def _agent(self, _request: StorageRequest, _bucket: str, project: str) -> StorageAnswer:
        """The address of Cloud Storage's own agent of a project."""
        agent = f"service-{project_number(project)}@gs-project-accounts.iam.gserviceaccount.com"
        return _build_json_answer({"kind": "storage#serviceAccount", "email_address": agent})

    def _list_buckets(self, request: StorageRequest, _bucket: str, _name: str) -> StorageAnswer:
        query = request.query
        found = self._buckets.of_project(_require_project(query))
        named = [one for one in found if one.name.startswith(query.get("prefix", ""))]
        size, after = number(query, "maxResults") or 0, query.get("pageToken", "")
        shown, token = page(named, lambda one: one.name, size, after, MAX_PAGE_SIZE)
        answer: dict[str, Any] = {"kind": "storage#buckets"}
        if token:
            answer["nextPageToken"] = token
        if shown:
            answer["items"] = [bucket_resource(one) for one in shown]
        return _build_json_answer(answer)

    def _create_bucket(self, request: StorageRequest, _bucket: str, _name: str) -> StorageAnswer:
        said = self._read_document(request)
        name = said.get("name")
        if not isinstance(name, str):
            raise Refusal(400, "required", "Required parameter: name")
        setting = read_bucket(said)
        found = self._buckets.create(
            name,
            project=_require_project(request.query),
            location=(setting.location or "US").upper(),
            versioned=bool(setting.versioned),
            retention=setting.retention or None,
            fields=setting.fields,
        )
        return _build_json_answer(bucket_resource(found))

    def _get_bucket(self, request: StorageRequest, bucket: str, _name: str) -> StorageAnswer:
        found = self._buckets.bucket(bucket)
        read_preconditions(request.query).check(found, reading=True)
        return _build_json_answer(bucket_resource(found))

    def _patch_bucket(self, request: StorageRequest, bucket: str, _name: str) -> StorageAnswer:
        setting = read_bucket(self._read_document(request))
        if setting.location and setting.location.upper() != self._buckets.bucket(bucket).location.upper():
            raise invalid_request("The location of a bucket cannot be changed.")
        found = self._buckets.change(
            bucket,
            versioned=setting.versioned,
            retention=setting.retention,
            fields=setting.fields,
            conditions=read_preconditions(request.query),
        )
        return _build_json_answer(bucket_resource(found))

    def _delete_bucket(self, request: StorageRequest, bucket: str, _name: str) -> StorageAnswer:
        self._buckets.remove(bucket, read_preconditions(request.query))
        return StorageAnswer(204, {})

    def _test_permissions(self, request: StorageRequest, bucket: str, _name: str) -> StorageAnswer:
        """All that are asked for: policies are enforced nowhere."""
        self._buckets.bucket(bucket)
        asked = [value for name, value in request.parameters if name == "permissions"]
        return _build_json_answer({"kind": "storage#testIamPermissionsResponse", "permissions": asked})

    def _get_policy(self, request: StorageRequest, bucket: str, _name: str) -> StorageAnswer:
        policy = policy_resource(self._buckets.bucket(bucket))
        version = request.query.get("optionsRequestedPolicyVersion") or 0
        try:
            return _build_json_answer(show_policy(policy, version))
        except StatusError as refused:
            raise invalid_request(refused.message) from refused

    def _set_policy(self, request: StorageRequest, bucket: str, _name: str) -> StorageAnswer:
        """The policy replaced; one with another etag than it has now is refused."""
        said = self._read_document(request)
        bindings = said.get("bindings")
        if not isinstance(bindings, list):
            raise invalid_request("Required: bindings")
        if unknown := {*said} - _POLICY_FIELDS:
            raise invalid_request(f"The embedded cloud does not store '{min(unknown)}' of a policy.")
        asked = {key: said[key] for key in ("bindings", "version") if key in said}
        before = {"bindings": self._buckets.bucket(bucket).bindings}
        try:
            policy = replace_policy(before, asked, None, self._check_grant)
        except StatusError as refused:
            raise invalid_request(refused.message) from refused
        found = self._buckets.grant(bucket, policy.get("bindings", []), said.get("etag"))
        return _build_json_answer(policy_resource(found))

    def _lock(self, request: StorageRequest, bucket: str, _name: str) -> StorageAnswer:
        asked = read_preconditions(request.query).metageneration
        return _build_json_answer(bucket_resource(self._buckets.lock(bucket, asked)))

    def _list(self, request: StorageRequest, bucket: str, _name: str) -> StorageAnswer:
        query = request.query
        home = self._buckets.bucket(bucket)
        found = self._buckets.all(bucket, versions=query.get("versions", "").lower() == "true")
        items, prefixes, token = list_page(found, query)
        answer: dict[str, Any] = {"kind": "storage#objects"}
        if token:
            answer["nextPageToken"] = token
        if prefixes:
            answer["prefixes"] = prefixes
        if items:
            answer["items"] = [object_resource(home, one) for one in items]
        return _build_json_answer(answer)

    def _upload(self, request: StorageRequest, bucket: str, _name: str) -> StorageAnswer:
        match request.query.get("uploadType"):
            case "media":
                upload = uploads.read_simple_upload(bucket, request)
            case "multipart":
                upload = uploads.read_multipart_upload(bucket, request)
            case "resumable" if "upload_id" in request.query:
                return self._go_on(request)
            case "resumable":
                type_of_all = request.headers.get("x-upload-content-type", "")
                key = self._uploads.begin(uploads.build_upload(bucket, request, type_of_all, request.body))
                there = f"{request.origin}/upload/storage/v1/b/{bucket}/o"
                place = f"{there}?uploadType=resumable&upload_id={key}"
                return StorageAnswer(200, {"Location": place, "X-GUploader-UploadID": key})
            case other:
                raise invalid_request(f"Invalid upload type: {other}")
        return self._told(self._uploads.finish(upload))

    def _go_on(self, request: StorageRequest) -> StorageAnswer:
        """Take the next chunk; clients that take 308 for a redirect ask for it in a header."""
        reached = self._uploads.go_on(request.query["upload_id"], request.body, request.headers)
        if not isinstance(reached, UploadIncomplete):
            return _build_json_answer(reached)
        taken = {"Range": f"bytes=0-{reached.taken - 1}"} if reached.taken else {}
        if request.headers.get("x-guploader-no-308") == "yes":
            return StorageAnswer(200, {**taken, "X-Http-Status-Code-Override": "308"})
        return StorageAnswer(308, taken)

    def _cancel(self, request: StorageRequest, _bucket: str, _name: str) -> StorageAnswer:
        """Give up an upload in chunks; Google's status is 499."""
        self._uploads.cancel(request.query.get("upload_id", ""))
        return StorageAnswer(499, {})

    def _get(self, request: StorageRequest, bucket: str, name: str) -> StorageAnswer:
        query = request.query
        found = self._buckets.find(bucket, name, number(query, "generation"), read_preconditions(query))
        if query.get("alt") == "media":
            return build_media_answer(found, request.headers)
        return self._told(found)

    def _read(self, request: StorageRequest, bucket: str, name: str) -> StorageAnswer:
        """As browsers read it, what lies below public/; as Google's clients do, everything."""
        if not (name.startswith("public/") or _CLIENT_HEADERS & set(request.headers)):
            raise not_public()
        conditions = read_header_preconditions(request.headers)
        found = self._buckets.find(bucket, name, number(request.query, "generation"), conditions)
        return build_media_answer(found, request.headers)

    def _patch(self, request: StorageRequest, bucket: str, name: str) -> StorageAnswer:
        fields, query = read_object_fields(_document(request.body)), request.query
        generation = number(query, "generation")
        return self._told(self._buckets.edit(bucket, name, generation, fields, read_preconditions(query)))

    def _delete(self, request: StorageRequest, bucket: str, name: str) -> StorageAnswer:
        query = request.query
        self._buckets.delete(bucket, name, number(query, "generation"), read_preconditions(query))
        return StorageAnswer(204, {})

    def _rewrite(self, request: StorageRequest, bucket: str, name: str) -> StorageAnswer:
        """Copy an object at once, or between locations a part of it: the last one makes the copy.

        The new object has the fields that the body says, or else those of the old one.
        """
        to_bucket, _, to_name = request.path.partition("/rewriteTo/b/")[2].partition("/o/")
        query, target = request.query, unquote(to_bucket)
        conditions = read_preconditions(query, "source")
        found = self._buckets.find(bucket, name, number(query, "sourceGeneration"), conditions)
        fields = read_object_fields(_document(request.body)) or {**found.fields, "metadata": found.metadata}
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
            return _build_json_answer({**said, "rewriteToken": encode_token((str(copied), found.generation))})
        stored = self._buckets.put(
            target,
            unquote(to_name),
            found.content,
            fields.pop("contentType", None) or found.content_type,
            merge({}, fields.pop("metadata", None) or {}),
            read_preconditions(query),
            fields,
        )
        return _build_json_answer({**said, "resource": object_resource(there, stored)})

    def _told(self, stored: StoredObject) -> StorageAnswer:
        return _build_json_answer(object_resource(self._buckets.bucket(stored.bucket), stored))


def _read_rewrite_token(token: str, found: StoredObject) -> int:
    """How much of an object a token says is copied. Raises: Refusal for one of another object."""
    if not token:
        return 0
    copied, generation = decode_token(token)
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


def _require_project(query: Mapping[str, str]) -> str:
    if not query.get("project"):
        raise Refusal(400, "required", "Required parameter: project")
    return query["project"]
