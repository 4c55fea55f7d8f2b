"""`python -m local` as others use it: one line of JSON, then signals."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import httpx
import pytest

POLICY = """
system: bookshop
project: bookshop
region: europe-west1
groups:
  orders:
    functions: [placeOrder, payOrder]
signals:
  error_rate: {severity: MEDIUM, scenario: none, mode: observe, threshold: 0.1, duration: 5m}
scenarios: {functions: act}
"""


@pytest.fixture
def policy_file(tmp_path: Path) -> Path:
    file = tmp_path / "bookshop.yaml"
    file.write_text(POLICY)
    return file


@contextmanager
def running(*arguments: str | Path) -> Iterator[tuple[subprocess.Popen[str], dict[str, str]]]:
    """The cloud as a process, with the addresses that it printed."""
    command = [sys.executable, "-m", "local", *map(str, arguments)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)  # noqa: S603 - our own
    try:
        assert process.stdout is not None
        yield process, json.loads(process.stdout.readline())
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_ends_it_cleanly(policy_file: Path, number: signal.Signals) -> None:
    """Exit code 0 after a signal, and nothing more was printed."""
    with running("--policy", policy_file) as (process, addresses):
        assert httpx.get(f"http://{addresses['control']}/_cloud/addresses").json() == addresses
        process.send_signal(number)
        output, _ = process.communicate(timeout=10)

    assert (process.returncode, output) == (0, "")


def test_killed_cloud_goes_on_where_it_was(policy_file: Path, tmp_path: Path) -> None:
    """After kill -9 every release is still there, and time has not gone back."""
    arguments = ("--policy", policy_file, "--data", tmp_path / "data", "--scale", "0")
    with running(*arguments, "--origin", "2026-03-01T12:00:00") as (_, addresses):
        url = f"http://{addresses['control']}/_cloud"
        httpx.post(f"{url}/deploy", json={"release": "r2"}).raise_for_status()
        before = httpx.post(f"{url}/clock", json={"advance": 600}).json()
        live = httpx.get(f"{url}/application").json()

    with running(*arguments, "--origin", "2026-03-01T12:00:00") as (_, addresses):
        url = f"http://{addresses['control']}/_cloud"
        assert httpx.get(f"{url}/clock").json()["now"] == before["now"]
        assert httpx.get(f"{url}/application").json() == live


def test_scaled_clock_runs_at_its_pace(policy_file: Path) -> None:
    """Other processes can follow: the served time moves by the scale times their own."""
    with running("--policy", policy_file, "--scale", "1000") as (_, addresses):
        url = f"http://{addresses['control']}/_cloud/clock"
        started = time.monotonic()
        first = httpx.get(url).json()
        second = httpx.get(url).json()
        elapsed = time.monotonic() - started

    passed = datetime.fromisoformat(second["now"]) - datetime.fromisoformat(first["now"])
    assert first["scale"] == 1000
    assert timedelta() < passed < timedelta(seconds=elapsed * 1000)


def test_refused_policy_ends_it_with_every_fault(tmp_path: Path) -> None:
    """All faults are on standard error, and nothing is served."""
    broken = tmp_path / "broken.yaml"
    broken.write_text(POLICY.replace("observe", "sometimes").replace("MEDIUM", "PINK"))
    command = [sys.executable, "-m", "local", "--policy", str(broken)]

    ended = subprocess.run(command, capture_output=True, text=True, timeout=20)  # noqa: S603

    assert (ended.returncode, ended.stdout) == (1, "")
    assert "PINK" in ended.stderr
    assert "sometimes" in ended.stderr
