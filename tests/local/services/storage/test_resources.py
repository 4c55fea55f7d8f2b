"""Buckets and objects as their resources describe them: each field is stored, or it is refused."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
from google.api_core.exceptions import BadRequest, Conflict, NotFound, PreconditionFailed
from google.cloud import storage

from local.application.names import project_number
from tests.local.support.run import ORIGIN
from tests.local.support.storage import StorageWorld

OBJECT_FIELDS = {
    "cacheControl": "no-cache",
    "contentDisposition": "attachment",
    "contentEncoding": "gzip",
    "contentLanguage": "en",
    "contentType": "text/html",
    "customTime": "2026-03-01T12:00:00.000Z",
    "eventBasedHold": True,
    "metadata": {"who": "me"},
    "storageClass": "COLDLINE",
    "temporaryHold": True,
}
BUCKET_FIELDS = {
    "autoclass": {"enabled": True},
    "billing": {"requesterPays": True},
    "cors": [{"origin": ["*"]}],
    "defaultEventBasedHold": True,
    "encryption": {"defaultKmsKeyName": "key"},
    "iamConfiguration": {"uniformBucketLevelAccess": {"enabled": True}},
    "labels": {"team": "shop"},
    "lifecycle": {"rule": [{"action": {"type": "Delete"}, "condition": {"age": 30}}]},
    "logging": {"logBucket": "logs"},
    "rpo": "ASYNC_TURBO",
    "softDeletePolicy": {"retentionDurationSeconds": "0"},
    "storageClass": "NEARLINE",
    "versioning": {"enabled": True},
    "website": {"mainPageSuffix": "index.html"},
}


@pytest.fixture
def api(world: StorageWorld) -> Iterator[httpx.Client]:
    """The JSON API, with a bucket `shelf` in it."""
    with httpx.Client(base_url=f"{world.url}/storage/v1", trust_env=False) as client:
        client.post("/b", params={"project": "shop"}, json={"name": "shelf"}).raise_for_status()
        yield client


def put(world: StorageWorld, name: str, content: bytes = b"1", bucket: str = "shelf") -> storage.Blob:
    blob = world.client.bucket(bucket).blob(name)
    blob.upload_from_string(content)
    return blob


def described(fields: dict[str, Any], resource: dict[str, Any]) -> dict[str, Any]:
    return {name: resource.get(name) for name in fields}


def test_a_bucket_has_what_it_was_created_with(api: httpx.Client) -> None:
    """Every field, in its first metageneration, with the number of its project."""
    sent = {"name": "new", "location": "europe-west1", **BUCKET_FIELDS}

    created = api.post("/b", params={"project": "shop"}, json=sent).raise_for_status().json()

    assert described(BUCKET_FIELDS, created) == BUCKET_FIELDS
    assert created["metageneration"] == "1"
    assert created["projectNumber"] == str(project_number("shop"))
    assert (created["location"], created["locationType"]) == ("EUROPE-WEST1", "region")
    assert api.get("/b/new").json() == created


def test_a_patch_of_a_bucket_changes_what_it_names(api: httpx.Client) -> None:
    """Null removes a field or a label, and what is not named stays."""
    api.patch("/b/shelf", json=BUCKET_FIELDS).raise_for_status()

    patch = {"labels": {"team": None, "stage": "live"}, "rpo": None, "versioning": {"enabled": False}}
    changed = api.patch("/b/shelf", json=patch).raise_for_status().json()

    assert changed["labels"] == {"stage": "live"}
    assert "rpo" not in changed
    assert "versioning" not in changed
    assert changed["website"] == BUCKET_FIELDS["website"]


def test_buckets_are_listed_by_their_project(world: StorageWorld) -> None:
    """In pages, and by a prefix."""
    for name in ("a-1", "a-2", "b-1"):
        world.client.create_bucket(name)
    world.client.create_bucket("a-3", project="other")

    found = [bucket.name for bucket in world.client.list_buckets(prefix="a-", page_size=1)]

    assert found == ["a-1", "a-2"]
    assert httpx.get(f"{world.url}/storage/v1/b", trust_env=False).status_code == 400


def test_a_bucket_is_deleted_when_it_is_empty(world: StorageWorld) -> None:
    """Older generations count, and so do conditions; its name is free then."""
    bucket = world.client.create_bucket("shelf")
    bucket.versioning_enabled = True
    bucket.patch()
    put(world, "a")
    bucket.blob("a").delete()
    with pytest.raises(Conflict):
        bucket.delete()

    for blob in bucket.list_blobs(versions=True):
        bucket.blob(blob.name, generation=blob.generation).delete()
    with pytest.raises(PreconditionFailed):
        bucket.delete(if_metageneration_match=1)
    bucket.delete()

    with pytest.raises(NotFound):
        world.client.get_bucket("shelf")
    world.client.create_bucket("shelf")


def test_conditions_of_a_bucket(api: httpx.Client) -> None:
    """A read and a patch hold at the metageneration that they name only."""
    for metageneration, status in ((1, 200), (2, 412)):
        asked = {"ifMetagenerationMatch": str(metageneration)}
        assert api.get("/b/shelf", params=asked).status_code == status
    assert api.patch("/b/shelf", json={}, params={"ifMetagenerationMatch": "2"}).status_code == 412
    assert api.get("/b/shelf", params={"ifMetagenerationNotMatch": "1"}).status_code == 304


def test_a_policy_at_another_etag(api: httpx.Client) -> None:
    """A policy that somebody else has changed is not replaced; conditions need version 3."""
    condition = {"title": "always", "expression": "true"}
    binding = {"role": "roles/x", "members": ["user:ann@example.com"], "condition": condition}
    before = api.get("/b/shelf/iam").json()

    conditional = {"bindings": [binding], "etag": before["etag"], "version": 3}
    after = api.put("/b/shelf/iam", json=conditional).json()
    stale = api.put("/b/shelf/iam", json={"bindings": [], "etag": before["etag"]})

    assert (after["version"], after["bindings"]) == (3, [binding])
    assert stale.status_code == 412
    asked = {"permissions": ["storage.a", "storage.b"]}
    held = api.get("/b/shelf/iam/testPermissions", params=asked).json()
    assert held["permissions"] == ["storage.a", "storage.b"]


def test_an_object_has_what_it_was_uploaded_with(world: StorageWorld, api: httpx.Client) -> None:
    """Every field; and a copy has the same ones, unless it names its own."""
    boundary = "==="
    parts = [httpx.Response(200, json={"name": "a", **OBJECT_FIELDS}).text, "content"]
    body = "".join(f"--{boundary}\r\nContent-Type: any/type\r\n\r\n{part}\r\n" for part in parts)
    created = api.post(
        f"{world.url}/upload/storage/v1/b/shelf/o?uploadType=multipart",
        headers={"Content-Type": f"multipart/related; boundary={boundary}"},
        content=f"{body}--{boundary}--",
    )
    copied = api.post("/b/shelf/o/a/rewriteTo/b/shelf/o/same").json()["resource"]
    own = api.post("/b/shelf/o/a/rewriteTo/b/shelf/o/own", json={"storageClass": "ARCHIVE"})

    assert described(OBJECT_FIELDS, created.raise_for_status().json()) == OBJECT_FIELDS
    assert described(OBJECT_FIELDS, copied) == OBJECT_FIELDS
    assert own.json()["resource"]["storageClass"] == "ARCHIVE"
    assert "metadata" not in own.json()["resource"]


@pytest.mark.parametrize("content", ["abc--bdef", "a\r\n--bc", "a\r\n", ""])
def test_the_boundary_of_an_upload_in_its_content(
    world: StorageWorld, api: httpx.Client, content: str
) -> None:
    """Only a line of its own ends the content."""
    body = f'--b\r\n\r\n{{"name": "a"}}\r\n--b \r\nContent-Type: a/b\r\n\r\n{content}\r\n--b--\r\n'
    api.post(
        f"{world.url}/upload/storage/v1/b/shelf/o?uploadType=multipart",
        headers={"Content-Type": "multipart/related; boundary=b"},
        content=body,
    ).raise_for_status()

    assert api.get("/b/shelf/o/a?alt=media").text == content


@pytest.mark.parametrize(
    ("location", "kind"), [("eu", "multi-region"), ("nam4", "dual-region"), ("moon", None), ("a-b", None)]
)
def test_a_location(api: httpx.Client, location: str, kind: str | None) -> None:
    """One that Google does not have is refused."""
    made = api.post("/b?project=shop", json={"name": "there", "location": location})

    assert (made.status_code, made.json().get("locationType")) == (200 if kind else 400, kind)


def test_a_copy_of_another_generation(world: StorageWorld, api: httpx.Client) -> None:
    """Conditions of the source hold for the source."""
    blob = put(world, "a")

    for generation, status in ((blob.generation, 200), (1, 412)):
        asked = {"ifSourceGenerationMatch": str(generation)}
        assert api.post("/b/shelf/o/a/rewriteTo/b/shelf/o/b", params=asked).status_code == status


def test_a_patch_of_an_object_changes_what_it_names(world: StorageWorld, api: httpx.Client) -> None:
    """Metadata by key; null removes."""
    put(world, "a")
    api.patch("/b/shelf/o/a", json=OBJECT_FIELDS).raise_for_status()

    patch = {"metadata": {"who": None, "why": "x"}, "contentLanguage": None, "temporaryHold": False}
    changed = api.patch("/b/shelf/o/a", json=patch).raise_for_status().json()

    assert changed["metadata"] == {"why": "x"}
    assert "contentLanguage" not in changed
    assert (changed["temporaryHold"], changed["contentType"]) == (False, "text/html")


def test_an_object_inherits_from_its_bucket(world: StorageWorld, api: httpx.Client) -> None:
    """Storage class, and the hold that waits for an event."""
    api.patch("/b/shelf", json={"storageClass": "ARCHIVE", "defaultEventBasedHold": True})

    blob = put(world, "a")

    assert (blob.storage_class, blob.event_based_hold) == ("ARCHIVE", True)
    held = api.delete("/b/shelf/o/a")
    assert (held.status_code, "Event-Based" in held.text) == (403, True)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PATCH", "/b/shelf", {"acl": [{"entity": "allUsers"}]}),
        ("PATCH", "/b/shelf", {"storageClass": "COLD"}),
        ("PATCH", "/b/shelf", {"labels": ["x"]}),
        ("PATCH", "/b/shelf", {"location": "EU"}),
        ("PATCH", "/b/shelf", {"retentionPolicy": {"retentionPeriod": "long"}}),
        ("PATCH", "/b/shelf", {"retentionPolicy": {"retentionPeriod": "-1"}}),
        ("PATCH", "/b/shelf", {"retentionPolicy": {"retentionPeriod": "3155760000"}}),
        ("PATCH", "/b/shelf", {"retentionPolicy": {"retentionPeriod": "60", "foo": 1}}),
        ("PATCH", "/b/shelf?predefinedAcl=publicRead", {}),
        ("PATCH", "/b/shelf?prefix=a", {"labels": {"a": "b"}}),
        ("PATCH", "/b/shelf?ifGenerationMatch=7", {"labels": {"a": "b"}}),
        ("PATCH", "/b/shelf/o/a?sourceGeneration=7", {"metadata": {"a": "b"}}),
        ("GET", "/b/shelf/o?permissions=x", None),
        ("PATCH", "/b/shelf/o/a", {"customTime": "yesterday"}),
        ("PATCH", "/b/shelf/o/a", {"retention": {"mode": "Locked"}}),
        ("PATCH", "/b/shelf/o/a", {"temporaryHold": "yes"}),
        ("GET", "/b/shelf/o?matchGlob=*.txt", None),
        ("GET", "/b/shelf/o?softDeleted=true", None),
        ("GET", "/b/shelf/o/a/acl", None),
        ("GET", "/b/shelf/notificationConfigs", None),
        ("POST", "/b/shelf/o/b/compose", {"sourceObjects": [{"name": "a"}]}),
        ("PUT", "/b/shelf/o/a", {"contentType": "x/y"}),
    ],
)
def test_what_is_not_served_is_refused(
    world: StorageWorld, api: httpx.Client, method: str, path: str, body: Any
) -> None:
    """By a status that clients do not repeat and do not take for absence; nothing changes."""
    put(world, "a")
    before = api.get("/b/shelf").json(), api.get("/b/shelf/o/a").json()

    refused = api.request(method, path, json=body)

    assert refused.status_code == 400
    assert (api.get("/b/shelf").json(), api.get("/b/shelf/o/a").json()) == before


def test_a_key_of_the_customer_is_refused(world: StorageWorld) -> None:
    """Content that was to be encrypted is not stored as it is."""
    bucket = world.client.create_bucket("shelf")

    with pytest.raises(BadRequest, match="x-goog-encryption"):
        bucket.blob("a", encryption_key=b"k" * 32).upload_from_string(b"1")


def test_a_list_as_the_go_client_asks_for_it(world: StorageWorld, api: httpx.Client) -> None:
    """Parameters that ask for nothing change nothing."""
    put(world, "a")
    asked = "matchGlob=&includeFoldersAsPrefixes=false&softDeleted=false&includeTrailingDelimiter=false"

    listed = api.get(f"/b/shelf/o?alt=json&projection=full&prettyPrint=false&{asked}").json()

    assert [one["name"] for one in listed["items"]] == ["a"]


def test_an_upload_in_chunks_as_the_go_client_sends_it(world: StorageWorld, api: httpx.Client) -> None:
    """Chunks are posted, and an answer that takes one is 200 with its own header."""
    begun = api.post(
        f"{world.url}/upload/storage/v1/b/shelf/o?uploadType=resumable&name=a",
        json={"cacheControl": "no-store"},
    )
    session, first = begun.headers["Location"], b"x" * (256 * 1024)
    header = {"X-GUploader-No-308": "yes"}

    taken = api.post(session, content=first, headers={**header, "Content-Range": "bytes 0-262143/*"})
    gap = api.post(session, content=b"y", headers={**header, "Content-Range": "bytes 262145-262145/262146"})
    last = api.post(session, content=b"y", headers={**header, "Content-Range": "bytes 262144-262144/262145"})

    assert taken.status_code == 200
    assert taken.headers["X-Http-Status-Code-Override"] == "308"
    assert taken.headers["Range"] == "bytes=0-262143"
    assert gap.status_code == 400
    assert (last.json()["size"], last.json()["cacheControl"]) == ("262145", "no-store")


CHUNK = b"x" * 256 * 1024


@pytest.fixture
def session(world: StorageWorld, api: httpx.Client) -> str:
    """The address of an upload in chunks."""
    begun = api.post(f"{world.url}/upload/storage/v1/b/shelf/o?uploadType=resumable&name=a")
    return begun.headers["Location"]


def send(api: httpx.Client, session: str, part: str, content: Any = b"") -> httpx.Response:
    """A chunk, or without content a look at what is stored."""
    return api.put(session, content=content, headers={"Content-Range": f"bytes {part}"})


def test_an_upload_in_a_stream_as_node_sends_it(api: httpx.Client, session: str) -> None:
    """The body is all that is left of the content; every other chunk is as long as it says."""
    send(api, session, "0-262143/*", CHUNK)

    short = send(api, session, "262144-262146/*", b"tw")
    last = send(api, session, "262144-*/*", iter([b"t", b"wo"]))

    assert short.status_code == 400
    assert last.raise_for_status().json()["size"] == "262147"
    assert api.get("/b/shelf/o/a?alt=media").content == CHUNK + b"two"


def test_a_finished_upload_is_asked_for_again(api: httpx.Client, session: str) -> None:
    """As by a client that has lost the answer: it gets the same one, nothing is made again."""
    made = send(api, session, "0-4/5", b"hello").raise_for_status().json()

    again = send(api, session, "0-4/5", b"hello")
    api.post("/b/shelf/o/a/rewriteTo/b/shelf/o/b")
    api.delete("/b/shelf/o/a")
    status = send(api, session, "*/5")

    assert (again.status_code, again.json()) == (200, made)
    assert (status.status_code, status.json()) == (200, made)
    assert [one["name"] for one in api.get("/b/shelf/o").json()["items"]] == ["b"]


def test_a_chunk_is_sent_again(api: httpx.Client, session: str) -> None:
    """What is stored stays as it is."""
    for first, last in ((0, 262143), (262144, 524287), (0, 262143)):
        taken = send(api, session, f"{first}-{last}/*", CHUNK)

    assert (taken.status_code, taken.headers["Range"]) == (308, "bytes=0-524287")


@pytest.mark.parametrize("asked", ["0-9/5", "0-9/*", "0-9/20", "9-0/*"])
def test_a_chunk_that_cannot_be(api: httpx.Client, session: str, asked: str) -> None:
    """Longer than the whole, or before the last and no multiple of 256 KiB; nothing is stored."""
    refused = send(api, session, asked, b"0123456789")

    assert refused.status_code == 400
    assert "Range" not in send(api, session, "*/*").headers


def test_an_upload_is_cancelled(api: httpx.Client, session: str) -> None:
    """It is gone; Google's status is 499."""
    send(api, session, "0-262143/*", CHUNK)

    cancelled = api.delete(session)

    assert (cancelled.status_code, cancelled.content) == (499, b"")
    assert send(api, session, "*/*").status_code == 404
    assert api.delete(session).status_code == 404
    assert api.get("/b/shelf/o/a").status_code == 404


def test_a_hash_in_a_header(world: StorageWorld, api: httpx.Client) -> None:
    """Content that does not have it is refused, at once or at the end of an upload in chunks."""
    upload = f"{world.url}/upload/storage/v1/b/shelf/o?name=a&uploadType="
    wrong = {"X-Goog-Hash": "crc32c=AAAAAA=="}
    session = api.post(f"{upload}resumable").headers["Location"]

    assert api.post(f"{upload}media", content=b"x", headers=wrong).status_code == 400
    assert api.put(session, content=b"x", headers=wrong).status_code == 400
    assert api.get("/b/shelf/o/a").status_code == 404


def test_times_of_an_object(world: StorageWorld, api: httpx.Client) -> None:
    """Finalized when created; a patch moves only the time of its update."""
    put(world, "a")
    world.clock.advance(timedelta(hours=1))

    changed = api.patch("/b/shelf/o/a", json={"metadata": {"x": "y"}}).json()

    assert changed["timeCreated"] == changed["timeFinalized"] == ORIGIN.strftime("%Y-%m-%dT%H:%M:%S.000Z")
    assert changed["updated"] > changed["timeCreated"]
