"""Downloads at /BUCKET/NAME, as browsers and the Go client ask for them, and of the JSON API."""

import gzip

import httpx
import pytest

from tests.local.support.run import ORIGIN
from tests.local.support.storage import StorageWorld

TOKEN = {"Authorization": "Bearer any"}
GO = {"X-Goog-Api-Client": "gl-go/1.26 gccl/1.70"}


@pytest.fixture(autouse=True)
def stored(world: StorageWorld) -> None:
    """A text with metadata is in the bucket `shelf`."""
    bucket = world.client.create_bucket("shelf")
    blob = bucket.blob("a/b c")
    blob.metadata = {"Who": "me", "line": "one\r\nX-Injected: two ü"}
    blob.content_language = "en"
    blob.upload_from_string(b"0123456789", content_type="text/plain")


def get(
    world: StorageWorld, headers: dict[str, str], path: str = "/shelf/a%2Fb%20c", method: str = "GET"
) -> httpx.Response:
    return httpx.request(method, world.url + path, headers=headers, trust_env=False)


@pytest.mark.parametrize("headers", [TOKEN, GO])
def test_a_client_reads_an_object_by_its_path(world: StorageWorld, headers: dict[str, str]) -> None:
    """Slashes may be encoded; headers describe the object, each in one line."""
    read = get(world, headers)

    assert (read.status_code, read.content) == (200, b"0123456789")
    assert read.headers["Last-Modified"] == ORIGIN.strftime("%a, %d %b %Y %H:%M:%S GMT")
    assert read.headers["Content-Language"] == "en"
    assert read.headers["X-Goog-Meta-Who"] == "me"
    assert read.headers["X-Goog-Stored-Content-Length"] == "10"
    assert "X-Injected" not in read.headers
    assert get(world, headers, "/shelf/a/b%20c").content == b"0123456789"


def test_a_browser_reads_what_is_public_alone(world: StorageWorld) -> None:
    """Everything else is refused, whether it is there or not."""
    assert get(world, {}).status_code == 403
    assert get(world, {}, "/shelf/nothing").status_code == 403
    assert get(world, {}, "/shelf/public/nothing").status_code == 404


@pytest.mark.parametrize(
    ("asked", "content"),
    [("bytes=2-4", b"234"), ("bytes=7-", b"789"), ("bytes=-2", b"89"), ("bytes=8-20", b"89")],
)
def test_a_range(world: StorageWorld, asked: str, content: bytes) -> None:
    """Of bytes, from either end."""
    read = get(world, {**GO, "Range": asked})

    assert (read.status_code, read.content) == (206, content)
    assert read.headers["Content-Range"].endswith("/10")


def test_a_read_of_nothing(world: StorageWorld) -> None:
    """HEAD describes the object without its content, and the connection serves on."""
    with httpx.Client(base_url=world.url, headers=GO, trust_env=False) as client:
        head = client.head("/shelf/a%2Fb%20c")
        again = client.get("/shelf/a%2Fb%20c")

    assert (head.headers["Content-Length"], head.content) == ("10", b"")
    assert again.content == b"0123456789"


def test_conditions_in_headers(world: StorageWorld) -> None:
    """A generation is named in the query, a condition in a header."""
    found = world.client.bucket("shelf").get_blob("a/b c")
    assert found is not None

    path = f"/shelf/a%2Fb%20c?generation={found.generation}"
    assert get(world, GO, path).status_code == 200
    assert get(world, GO, "/shelf/a%2Fb%20c?generation=1").status_code == 404
    assert get(world, {**GO, "x-goog-if-generation-match": "1"}).status_code == 412
    assert get(world, {**GO, "x-goog-if-metageneration-match": "1"}).status_code == 200


def test_paths_of_the_json_api_are_no_objects(world: StorageWorld) -> None:
    """A call that is not served is not an object that is not there."""
    assert get(world, TOKEN, "/storage/v1/b/shelf/acl").status_code == 400


@pytest.mark.parametrize("path", ["/shelf/zipped", "/storage/v1/b/shelf/o/zipped?alt=media"])
def test_an_object_in_gzip(world: StorageWorld, path: str) -> None:
    """It comes as it is to a client that reads gzip, and unpacked to another one."""
    packed = gzip.compress(b"content")
    blob = world.client.bucket("shelf").blob("zipped")
    blob.content_encoding = "gzip"
    blob.upload_from_string(packed)

    with httpx.stream("GET", world.url + path, headers=TOKEN, trust_env=False) as raw:
        assert b"".join(raw.iter_raw()) == packed
    unpacked = get(world, {**TOKEN, "Accept-Encoding": "identity", "Range": "bytes=2-3"}, path)

    assert (unpacked.status_code, unpacked.content) == (200, b"content")
    assert "Content-Encoding" not in unpacked.headers
    assert unpacked.headers["X-Goog-Stored-Content-Encoding"] == "gzip"


def test_what_is_called_gzip_and_is_not(world: StorageWorld) -> None:
    """It comes as it is."""
    blob = world.client.bucket("shelf").blob("zipped")
    blob.content_encoding = "gzip"
    blob.upload_from_string(b"plain")

    plain = {**TOKEN, "Accept-Encoding": "identity"}
    with httpx.stream("GET", f"{world.url}/shelf/zipped", headers=plain, trust_env=False) as raw:
        assert b"".join(raw.iter_raw()) == b"plain"
