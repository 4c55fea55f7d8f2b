"""Bodies with a length and in chunks, well-formed and hostile: every HTTP server reads them."""

import json
import socket
from collections.abc import Iterator

import httpx
import pytest

from local.cloud import Cloud
from tests.local.support.run import ORIGIN, policy
from tests.support.runtime.embedded_cloud import embedded_cloud

CHUNKED = "Transfer-Encoding: chunked"
HOSTS = {
    "control": "127.0.0.1",
    "rest": "cloudresourcemanager.googleapis.com",
    "storage": "storage.googleapis.com",
}
SERVERS = tuple(HOSTS)
PLACE = "shelf"


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    with embedded_cloud(policy(), at=ORIGIN) as cloud:
        cloud.buckets.create(PLACE)
        yield cloud


def request_line(server: str) -> str:
    """A call that stores the object or the JSON of its body."""
    path = {
        "control": "POST /_cloud/clock",
        "rest": "POST /v3/projects/shop:setIamPolicy",
        "storage": f"POST /upload/storage/v1/b/{PLACE}/o?uploadType=media&name=a",
    }
    return f"{path[server]} HTTP/1.1\r\nHost: {HOSTS[server]}\r\n"


def send(cloud: Cloud, server: str, headers: str, body: bytes, *, then: bytes = b"") -> bytes:
    """Everything that a server answers to a request, and to what is sent behind it."""
    return exchange(cloud, server, f"{request_line(server)}{headers}\r\n\r\n".encode() + body + then)


def dial(cloud: Cloud, server: str) -> socket.socket:
    """A connection to a server."""
    host, _, port = cloud.addresses[server].partition(":")
    return socket.create_connection((host, int(port)), 10.0)


def exchange(cloud: Cloud, server: str, sent: bytes) -> bytes:
    """Everything that comes back on one connection, once we have sent all."""
    with dial(cloud, server) as connection:
        connection.sendall(sent)
        connection.shutdown(socket.SHUT_WR)
        with connection.makefile("rb") as answer:
            return answer.read()


def in_chunks(content: bytes, *, extension: str = "", trailers: str = "") -> bytes:
    """In chunks of three bytes."""
    parts = [content[start : start + 3] for start in range(0, len(content), 3)]
    chunks = b"".join(f"{len(part):x}{extension}\r\n".encode() + part + b"\r\n" for part in parts)
    return chunks + f"0{extension}\r\n{trailers}\r\n".encode()


@pytest.mark.parametrize(
    "shape", [{}, {"extension": "; kind=any"}, {"trailers": "Digest: none\r\nOther: one\r\n"}]
)
def test_a_body_in_chunks_is_read_whole(cloud: Cloud, shape: dict[str, str]) -> None:
    """Each server acts on what was sent; the bytes behind it are the next request."""
    again = b"GET /nowhere HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    bindings = [{"role": "roles/viewer", "members": ["user:a@example.com"]}]
    bodies = {
        "control": json.dumps({"scale": 0}).encode(),
        "rest": json.dumps({"policy": {"bindings": bindings}}).encode(),
        "storage": b"the content",
    }

    answers = {
        server: send(cloud, server, CHUNKED, in_chunks(body, **shape), then=again)
        for server, body in bodies.items()
    }

    for answer in answers.values():
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert answer.count(b"HTTP/1.1 ") == 2
    assert b'"scale":0' in answers["control"]
    assert b"user:a@example.com" in answers["rest"]
    assert b'"size":"11"' in answers["storage"]
    stored = cloud.buckets.find(PLACE, "a")
    assert stored.content == b"the content"


@pytest.mark.parametrize("server", SERVERS)
@pytest.mark.parametrize(
    ("headers", "body"),
    [
        (CHUNKED, b""),
        (CHUNKED, b"3\r\nab"),
        (CHUNKED, b"3\r\nabc"),
        (CHUNKED, b"3\r\nabc\r\n"),
        (CHUNKED, b"3\r\nabc\r\n0\r\n"),
        (CHUNKED, b"3\r\nabc\r\n0\r\nDigest: none\r\n"),
        ("Content-Length: 3", b"ab"),
    ],
)
def test_a_body_that_ends_too_early(cloud: Cloud, server: str, headers: str, body: bytes) -> None:
    """A part of an object or of a request is never taken for the whole."""
    before = cloud.buckets.all(PLACE, versions=True)

    answer = send(cloud, server, headers, body)

    assert answer.startswith(b"HTTP/1.1 400 ")
    assert cloud.buckets.all(PLACE, versions=True) == before


@pytest.mark.parametrize("server", SERVERS)
@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        (CHUNKED, b"3\r\nabcd\r\n0\r\n\r\n", 400),
        (CHUNKED, b"-3\r\nabc\r\n0\r\n\r\n", 400),
        (CHUNKED, b"0x3\r\nabc\r\n0\r\n\r\n", 400),
        (CHUNKED, b"3\nabc\n0\n\n", 400),
        (CHUNKED, b"0" * 10_000, 400),
        (CHUNKED, b"3;" + b"x" * 10_000 + b"\r\nabc\r\n0\r\n\r\n", 400),
        (CHUNKED, b"0\r\n" + b"A: b\r\n" * 1000 + b"\r\n", 400),
        (CHUNKED, b"fffffffffff\r\nabc", 413),
        (f"{CHUNKED}\r\nContent-Length: 3", b"3\r\nabc\r\n0\r\n\r\n", 400),
        ("Transfer-Encoding: gzip, chunked", b"3\r\nabc\r\n0\r\n\r\n", 501),
        (f"{CHUNKED}\r\n{CHUNKED}", b"3\r\nabc\r\n0\r\n\r\n", 501),
        ("Content-Length: -3", b"abc", 400),
        ("Content-Length: 3, 3", b"abc", 400),
        ("Content-Length: 3\r\nContent-Length: 4", b"abcd", 400),
        ("Content-Length: 99999999999", b"abc", 413),
    ],
)
def test_a_body_that_cannot_be_read(
    cloud: Cloud, server: str, headers: str, body: bytes, status: int
) -> None:
    """The request is refused, nothing is done, and what is left is not read as another request."""
    before = cloud.buckets.all(PLACE, versions=True)
    shown = 400 if (server, status) == ("rest", 413) else status

    answer = send(cloud, server, headers, body, then=b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")

    assert answer.startswith(f"HTTP/1.1 {shown} ".encode())
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["error"]["code"] == shown
    assert b"\r\nConnection: close\r\n" in answer
    assert answer.count(b"HTTP/1.1 ") == 1
    assert cloud.buckets.all(PLACE, versions=True) == before


@pytest.mark.parametrize("server", SERVERS)
def test_an_answer_to_head_has_no_body(cloud: Cloud, server: str) -> None:
    """The next answer on the connection begins behind its headers."""
    head = b"HEAD /storage/v1/b/shelf/o HTTP/1.1\r\nHost: x\r\n\r\n"

    answer = exchange(cloud, server, head + head.replace(b"HEAD", b"GET"))

    first, _, second = answer.partition(b"\r\n\r\n")
    assert b"HTTP/1.1 " in first
    assert second.startswith(b"HTTP/1.1 ")


def test_chunks_in_http_1_0(cloud: Cloud) -> None:
    """A version that knows no chunks is refused with them."""
    old = request_line("storage").replace("HTTP/1.1", "HTTP/1.0")
    with dial(cloud, "storage") as connection:
        connection.sendall(f"{old}{CHUNKED}\r\n\r\n0\r\n\r\n".encode())

        assert b" 400 " in connection.recv(4096).split(b"\r\n")[0]


def test_a_client_reads_why_its_large_body_is_refused(cloud: Cloud) -> None:
    """The connection is not reset below a client that is still writing."""
    url = f"http://{cloud.addresses['rest']}/v3/projects/shop:setIamPolicy"
    headers = {"Host": HOSTS["rest"]}

    whole = httpx.post(url, content=b" " * (12 * 1024 * 1024), headers=headers, trust_env=False)
    chunked = httpx.post(url, content=(b" " * 65_536 for _ in range(192)), headers=headers, trust_env=False)

    refusal = {
        "code": 400,
        "message": "Request payload size exceeds the limit: 11534336 bytes.",
        "status": "INVALID_ARGUMENT",
    }
    assert whole.json()["error"] == chunked.json()["error"] == refusal


def test_a_commit_of_ten_mebibytes(cloud: Cloud) -> None:
    """Firestore reads it by REST."""
    documents = "projects/shop/databases/(default)/documents"
    text = {"fields": {"text": {"stringValue": "x" * 1_000_000}}}
    writes = [{"update": {"name": f"{documents}/large/{number}", **text}} for number in range(10)]

    answer = httpx.post(
        f"http://{cloud.addresses['rest']}/v1/{documents}:commit",
        json={"writes": writes},
        headers={"Host": "firestore.googleapis.com"},
        trust_env=False,
    )

    assert len(answer.json()["writeResults"]) == 10
