"""Unchanged clients reach the embedded cloud by Google's own host names."""

import json
import os
import shutil
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest

from local.application.names import project_number
from local.cloud import Cloud
from local.control.proxy import build_client_environment, write_authority
from local.core.clock import CloudClock
from local.services.storage import NAME as STORAGE
from tests.local.support.rest import SHOP
from tests.local.support.run import ORIGIN, PARENT, policy
from tests.support.runtime.embedded_cloud import embedded_cloud

CLIENTS = """
from google.cloud import firestore, monitoring_v3, pubsub_v1, run_v2, storage

bucket = storage.Client().create_bucket("shelf")
bucket.blob("a/b", chunk_size=256 * 1024).upload_from_string(b"x" * 600_000)
print(len(bucket.blob("a/b").download_as_bytes()))
document = firestore.Client(database="rollback").document("books/1")
document.set({"title": "One"})
print(document.get().to_dict())
topics = pubsub_v1.PublisherClient().list_topics(request={"project": "projects/shop"})
print("projects/shop/topics/rollback-alerts" in [topic.name for topic in topics])
print(len(list(run_v2.ServicesClient().list_services(parent="PARENT"))))
"""


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    with embedded_cloud(SHOP, at=ORIGIN, alerter=True) as cloud:
        yield cloud


@pytest.fixture
def environment(cloud: Cloud, tmp_path: Path) -> dict[str, str]:
    """That of a process whose clients know nothing of the embedded cloud."""
    authority = write_authority(tmp_path, cloud.identity.connection_details()["certificate"])
    variables = build_client_environment(cloud.addresses["proxy"], authority, cloud.home)
    return {"PATH": os.environ["PATH"], "HOME": str(tmp_path), **variables}


@pytest.fixture
def client(cloud: Cloud, environment: dict[str, str]) -> Iterator[httpx.Client]:
    trusted = ssl.create_default_context(cafile=environment["SSL_CERT_FILE"])
    proxy = environment["HTTPS_PROXY"]
    with httpx.Client(proxy=proxy, verify=trusted, trust_env=False) as client:
        yield client


def dial(cloud: Cloud) -> socket.socket:
    """A connection to the proxy."""
    host, _, port = cloud.addresses["proxy"].partition(":")
    return socket.create_connection((host, int(port)), timeout=60)


def connect(cloud: Cloud, request: bytes) -> bytes:
    """What the proxy answers to a request, until it closes the connection."""
    with dial(cloud) as connection:
        connection.sendall(request)
        return connection.makefile("rb").read()


def open_tunnel(cloud: Cloud, host: str, *protocols: str) -> ssl.SSLSocket:
    """TLS with a host, as a client that speaks these protocols."""
    connection = dial(cloud)
    connection.sendall(f"CONNECT {host}:443 HTTP/1.1\r\nHost: {host}:443\r\n\r\n".encode())
    assert connection.recv(1000).startswith(b"HTTP/1.1 200 ")
    certificate = cloud.identity.connection_details()["certificate"]
    context = ssl.create_default_context(cadata=certificate)
    context.set_alpn_protocols(list(protocols))
    return context.wrap_socket(connection, server_hostname=host)


def test_googles_python_clients(environment: dict[str, str]) -> None:
    """Cloud Storage by REST, Firestore, Pub/Sub and Run by gRPC, by variables alone."""
    program = [sys.executable, "-c", CLIENTS.replace("PARENT", PARENT)]

    done = subprocess.run(program, env=environment, capture_output=True, text=True, timeout=120)  # noqa: S603

    assert done.stdout.splitlines() == ["600000", "{'title': 'One'}", "True", "4"], done.stderr


def curl(environment: dict[str, str], *arguments: str) -> Any:
    """What curl prints, read as JSON. It offers h2 as well, and gets the HTTP server."""
    command = ["curl", "--silent", "--fail-with-body", "--http2", "--oauth2-bearer", "any", *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, timeout=60, check=False)  # noqa: S603
    assert done.returncode == 0, done.stdout
    return json.loads(done.stdout)


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
def test_curl(environment: dict[str, str]) -> None:
    """What it writes to Storage, Firestore, Pub/Sub and Run, it reads again."""
    objects = f"https://{STORAGE}/upload/storage/v1/b/shop-rollback-audit/o?uploadType=media&name=curl"
    documents = "https://firestore.googleapis.com/v1/projects/shop/databases/rollback/documents/books"
    topic = "https://pubsub.googleapis.com/v1/projects/shop/topics/from-curl"
    fields = {"title": {"stringValue": "One"}}

    stored = curl(environment, "--data-binary", "hello", objects)
    curl(environment, "--json", json.dumps({"fields": fields}), f"{documents}?documentId=curl")
    curl(environment, "--request", "PUT", "--json", "{}", topic)

    assert stored["size"] == "5"
    bucket = curl(environment, f"https://{STORAGE}/storage/v1/b/shop-rollback-audit")
    assert bucket["projectNumber"] == str(project_number("shop"))
    assert curl(environment, f"{documents}/curl")["fields"] == fields
    assert curl(environment, topic)["name"] == "projects/shop/topics/from-curl"
    seen = curl(environment, f"https://run.googleapis.com/v2/{PARENT}/services?pageSize=1")["services"][0]
    revision = seen["latestReadyRevision"].rpartition("/")[2]
    pinned = {"type": "TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION", "revision": revision, "percent": 100}
    service = f"https://run.googleapis.com/v2/{seen['name']}"
    change = json.dumps({"traffic": [pinned], "etag": seen["etag"]})
    curl(environment, "--request", "PATCH", "--json", change, f"{service}?updateMask=traffic")
    assert curl(environment, service)["traffic"] == [pinned]


@pytest.mark.parametrize(
    ("url", "field"),
    [
        ("https://cloudresourcemanager.googleapis.com/v1/projects/shop", "projectNumber"),
        ("https://monitoring.googleapis.com/v3/projects/shop/alertPolicies", ""),
        ("https://pubsub.googleapis.com/v1/projects/shop/topics", "topics"),
        ("https://identitytoolkit.googleapis.com/admin/v2/projects/shop/config", "signIn"),
        ("https://www.googleapis.com/oauth2/v1/certs", ""),
    ],
)
def test_a_product_by_its_host(client: httpx.Client, url: str, field: str) -> None:
    """Those that have gRPC beside it, and those of whom the front door plays a part."""
    answer = client.get(url)

    assert answer.status_code == 200
    assert not field or field in answer.json()


def test_an_upload_in_chunks_stays_behind_the_name(client: httpx.Client) -> None:
    """The session is at the address that the client has asked."""
    begun = client.post(
        f"https://{STORAGE}/upload/storage/v1/b/shop-rollback-audit/o?uploadType=resumable&name=a"
    )

    assert begun.headers["Location"].startswith(f"https://{STORAGE}/upload/")


@pytest.mark.parametrize(
    ("host", "path", "form", "field"),
    [
        ("oauth2", "/token", {"grant_type": "refresh_token", "refresh_token": "x"}, "access_token"),
        (
            "sts",
            "/v1/token",
            {"grant_type": "urn:ietf:params:oauth:grant-type:token-exchange", "subject_token": "x"},
            "access_token",
        ),
        ("iamcredentials", "/v1/projects/-/serviceAccounts/a@x:generateAccessToken", {}, "accessToken"),
    ],
)
def test_any_credentials_give_a_token(
    client: httpx.Client, host: str, path: str, form: dict[str, str], field: str
) -> None:
    """By each of the ways that clients exchange theirs."""
    assert client.post(f"https://{host}.googleapis.com{path}", data=form).json()[field]


def test_an_exchange_that_is_not_played(client: httpx.Client) -> None:
    """It is refused in OAuth's form."""
    grants = {
        "password": "unsupported_grant_type",
        "urn:ietf:params:oauth:grant-type:jwt-bearer": "invalid_grant",
    }
    for grant, error in grants.items():
        refused = client.post("https://oauth2.googleapis.com/token", data={"grant_type": grant})
        assert (refused.status_code, refused.json()) == (400, {"error": error})


@pytest.mark.parametrize(
    "request_line",
    [
        "CONNECT example.com:443",
        "CONNECT storage.googleapis.com.example.com:443",
        "CONNECT storage.googleapis.com:80",
        "CONNECT 127.0.0.1:443",
        "CONNECT storage.googleapis.com",
        "GET http://storage.googleapis.com/",
        "",
    ],
)
def test_nothing_is_led_anywhere_else(cloud: Cloud, request_line: str) -> None:
    """Neither out of this machine, nor to another server on it."""
    assert connect(cloud, f"{request_line} HTTP/1.1\r\n\r\n".encode()).startswith(b"HTTP/1.1 502 ")


def test_a_request_without_end(cloud: Cloud) -> None:
    """The connection is closed, and others are served on."""
    with dial(cloud) as connection, pytest.raises(ConnectionError):
        connection.sendall(b"x" * 10_000_000)

    assert connect(cloud, b"GET / HTTP/1.1\r\n\r\n").startswith(b"HTTP/1.1 502 ")


def test_a_client_that_trusts_another_authority(cloud: Cloud, environment: dict[str, str]) -> None:
    """A proxy alone cannot pose as Google."""
    with (
        httpx.Client(proxy=environment["HTTPS_PROXY"], trust_env=False) as client,
        pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"),
    ):
        client.get(f"https://{STORAGE}/")


@pytest.mark.parametrize(
    ("host", "offered", "chosen"),
    [
        ("run.googleapis.com", ("h2",), "h2"),
        ("run.googleapis.com", ("h2", "http/1.1"), "http/1.1"),
        ("storage.googleapis.com", (), None),
    ],
)
def test_what_a_client_offers_decides(
    cloud: Cloud, host: str, offered: tuple[str, ...], chosen: str | None
) -> None:
    """Clients of gRPC offer h2 alone; those of REST offer HTTP/1.1 as well, or nothing."""
    with open_tunnel(cloud, host, *offered) as tunnel:
        assert tunnel.selected_alpn_protocol() == chosen


@pytest.mark.parametrize("host", [STORAGE, "secretmanager.googleapis.com", "oauth2.googleapis.com"])
def test_grpc_with_a_host_that_has_none(cloud: Cloud, environment: dict[str, str], host: str) -> None:
    """Its methods are not served, which clients do not retry."""
    trusted = grpc.ssl_channel_credentials(Path(environment["SSL_CERT_FILE"]).read_bytes())
    options = [("grpc.http_proxy", environment["HTTPS_PROXY"])]
    with grpc.secure_channel(f"{host}:443", trusted, options) as channel:
        service = "google.cloud.secretmanager.v1.SecretManagerService"
        call = channel.unary_unary(f"/{service}/ListSecrets", bytes, bytes)

        with pytest.raises(grpc.RpcError) as refused:
            call(b"", timeout=60)

    assert refused.value.code() is grpc.StatusCode.UNIMPLEMENTED


def test_a_cloud_that_stops_cuts_its_tunnels(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Nothing hangs, nothing is reported; a restart on its data has the same authority."""
    told = []
    for _ in range(2):
        cloud = Cloud.start([policy()], seed=1, data=tmp_path, clock=CloudClock(ORIGIN, scale=0), ticks=False)
        told.append(cloud.identity.connection_details()["certificate"])
        with open_tunnel(cloud, STORAGE) as tunnel, open_tunnel(cloud, "run.googleapis.com", "h2"):
            tunnel.sendall(b"GET /storage/v1/b?project=x HTTP/1.1\r\nHost: storage.googleapis.com\r\n\r\n")
            answer = tunnel.makefile("rb")
            assert answer.readline().startswith(b"HTTP/1.1 200 ")
            begun = time.monotonic()
            cloud.stop()
            assert time.monotonic() - begun < 10
            answer.read()  # its end comes

    assert told[0] == told[1]
    assert capfd.readouterr().err == ""
