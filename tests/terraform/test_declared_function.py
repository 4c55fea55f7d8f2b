"""A function runs within what is declared for it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from local.demo.staging.processes import clean_environment
from local.installation.responder_processes import kill
from tests.terraform.declared_function import RunningFunction, parse_memory, start_function

SOURCE = """
import os
import time

def on_work(request):
    return os.environ["PLAIN"] + os.environ["SECRET"]

def sleep(request):
    until = time.monotonic() + 30
    while time.monotonic() < until:
        time.sleep(0.1)
    return "late"

def fill(request):
    return str(len(b"x" * 300_000_000))
"""
SERVICE: dict[str, Any] = {
    "availableMemory": "256Mi",
    "environmentVariables": {"PLAIN": "plain "},
    "maxInstanceRequestConcurrency": 1,
    "secretEnvironmentVariables": [
        {"key": "SECRET", "projectId": "shop", "secret": "key", "version": "latest"}
    ],
    "serviceAccountEmail": "rollback-on-work@shop.iam.gserviceaccount.com",
    "timeoutSeconds": 60,
    "uri": "https://rollback-on-work-1.us-east1.run.app",
}


@contextmanager
def running(folder: Path, entry_point: str = "on_work", **changes: Any) -> Iterator[RunningFunction]:
    """The function, once it listens."""
    (folder / "main.py").write_text(SOURCE)
    function = {"buildConfig": {"entryPoint": entry_point}, "serviceConfig": {**SERVICE, **changes}}
    found = start_function(function, folder, clean_environment(), folder, lambda version: f"of {version}")
    try:
        yield found
    finally:
        kill(found.process)


def ask(function: RunningFunction) -> httpx.Response:
    """The answer to a request, once the function listens."""
    transport = httpx.HTTPTransport(retries=10)
    with httpx.Client(transport=transport, timeout=20, trust_env=False) as client:
        return client.get(f"http://{function.address}/")


def test_its_variables(tmp_path: Path) -> None:
    """Plain ones, and those that are versions of secrets."""
    with running(tmp_path) as function:
        assert ask(function).text == "plain of projects/shop/secrets/key/versions/latest"
        assert function.host == "rollback-on-work-1.us-east1.run.app"
        assert 0 < function.measure_peak_bytes() < 256 * 2**20


@pytest.mark.parametrize("threads", [1, 4])
def test_a_request_that_takes_too_long(threads: int, tmp_path: Path) -> None:
    """It ends at the declared timeout, without an answer of the function."""
    with running(tmp_path, "sleep", timeoutSeconds=2, maxInstanceRequestConcurrency=threads) as function:
        try:
            answer = ask(function)
        except httpx.RemoteProtocolError:  # the worker is gone
            return
        assert answer.is_server_error, answer.text


def test_a_request_that_takes_too_much_memory(tmp_path: Path) -> None:
    """It fails; where more is declared, it does not."""
    with running(tmp_path, "fill") as function:
        assert ask(function).is_server_error
    with running(tmp_path, "fill", availableMemory="1Gi") as function:
        assert ask(function).text == "300000000"
        assert function.measure_peak_bytes() > 300_000_000


def test_a_field_that_nothing_plays(tmp_path: Path) -> None:
    """It is refused by its name."""
    with pytest.raises(AssertionError, match="vpcConnector"), running(tmp_path, vpcConnector="x"):
        pass


@pytest.mark.parametrize(
    ("quantity", "found"),
    [("512Mi", 512 * 2**20), ("1Gi", 2**30), ("256M", 256_000_000), ("0.5G", 500_000_000), ("1024", 1024)],
)
def test_memory_as_it_is_declared(quantity: str, found: int) -> None:
    """In the units of Kubernetes."""
    assert parse_memory(quantity) == found
