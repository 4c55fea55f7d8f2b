"""`python -m local` as others use it: one line of JSON, then signals."""

import json
import signal
import socket
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from google.api_core.exceptions import Aborted
from google.cloud import firestore

from local.__main__ import main
from tests.local.support.cloud_process import POLICY, running


@pytest.fixture
def policy_file(tmp_path: Path) -> Path:
    file = tmp_path / "bookshop.yaml"
    file.write_text(POLICY)
    return file


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_ends_it_cleanly(policy_file: Path, number: signal.Signals) -> None:
    """Exit code 0 after a signal, and nothing more was printed."""
    with running("--policy", policy_file) as (process, addresses):
        authority = Path(addresses.pop("authority"))
        assert httpx.get(f"http://{addresses['control']}/_cloud/addresses").json() == addresses
        assert authority.read_text().startswith("-----BEGIN CERTIFICATE-----")
        process.send_signal(number)
        output, _ = process.communicate(timeout=60)

    assert (process.returncode, output) == (0, "")
    assert not authority.exists()


def test_the_variables_for_unchanged_clients(policy_file: Path, tmp_path: Path) -> None:
    """Printed behind the addresses, as a shell reads them; their files are with the data."""
    arguments = ("--policy", policy_file, "--data", tmp_path, "--environment")
    with running(*arguments) as (process, addresses):
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(13)]

    told = dict(line.removeprefix("export ").strip().split("=", 1) for line in lines)
    assert told["HTTPS_PROXY"] == told["grpc_proxy"] == f"http://{addresses['proxy']}"
    assert told["NO_PROXY"] == "127.0.0.1,localhost"
    for name in ("SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS", "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH"):
        assert told[name] == addresses["authority"] == str(tmp_path / "authority.pem")
    assert json.loads(Path(told["GOOGLE_APPLICATION_CREDENTIALS"]).read_text())["type"] == "authorized_user"
    assert told["GOOGLE_CLOUD_PROJECT"] == "bookshop"


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


FAULTS = {"calls": [{"call": "*Firestore/Commit", "answer": "ABORTED", "times": 1}]}


def test_firestore_and_faults_are_chosen_on_the_command_line(
    policy_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Optimistic transactions hold nothing, the past is readable, and the plan is in force."""
    plan = tmp_path / "faults.json"
    plan.write_text(json.dumps(FAULTS))
    firestore_options = ("--concurrency", "optimistic", "--point-in-time-recovery")
    clock = ("--scale", "0", "--origin", "2026-03-01T12:00:00")
    with running("--policy", policy_file, *clock, *firestore_options, "--faults", plan) as (_, addresses):
        monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", addresses["firestore"])
        client = firestore.Client(project="bookshop")
        document = client.document("things/one")
        with pytest.raises(Aborted):
            document.set({"version": 1}, retry=None)
        document.set({"version": 1}, retry=None)

        transaction = client.transaction()
        transaction._begin()
        assert document.get(transaction=transaction).exists
        document.set({"version": 2}, retry=None, timeout=60)
        transaction.set(document, {"version": 3})
        with pytest.raises(Aborted):
            transaction._commit()

        url = f"http://{addresses['control']}/_cloud"
        httpx.post(f"{url}/clock", json={"advance": 2 * 3600}).raise_for_status()
        noon = datetime(2026, 3, 1, 12, 1, tzinfo=UTC)
        assert document.get(read_time=noon).get("version") == 2
        assert httpx.get(f"{url}/faults").json()["injected"]["calls"] == [1]
        client.close()


def test_refused_fault_plan_ends_it_with_every_fault(policy_file: Path, tmp_path: Path) -> None:
    """All faults of the plan are on standard error, and nothing is served."""
    plan = tmp_path / "faults.json"
    plan.write_text('{"calls": [{"call": "*", "answer": "MAYBE"}], "seed": "x"}')

    ended = run_to_its_end("--policy", policy_file, "--faults", plan)

    assert "MAYBE" in ended.stderr
    assert "seed" in ended.stderr


@pytest.mark.parametrize(
    "wrong",
    [
        *("--scale=nan", "--scale=inf", "--scale=fast", "--scale=-1", "--origin=never"),
        *("--port=nothing=1", "--port=pubsub=x", "--port=pubsub=65536", "--project=No Project"),
    ],
)
def test_an_argument_that_means_nothing_is_named(wrong: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Before anything is started; exit code 2."""
    with pytest.raises(SystemExit) as ended:
        main([wrong])

    assert ended.value.code == 2
    assert f"error: argument {wrong.partition('=')[0]}: " in capsys.readouterr().err


@pytest.mark.parametrize("service", ["pubsub", "control"])
def test_a_port_that_is_taken_ends_it_with_a_sentence(service: str, policy_file: Path) -> None:
    """Whichever kind of server is to listen there."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        ended = run_to_its_end("--policy", policy_file, "--port", f"{service}={port}")

    assert str(port) in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_folder_that_cannot_be_ends_it_with_a_sentence(policy_file: Path) -> None:
    """Nothing is served that would not be kept."""
    ended = run_to_its_end("--policy", policy_file, "--data", f"{policy_file}/below")

    assert "Traceback" not in ended.stderr


def run_to_its_end(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """A cloud that ends by itself, without success and without a word on standard output."""
    command = [sys.executable, "-m", "local", *map(str, arguments)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60)  # noqa: S603
    assert (ended.returncode, ended.stdout) == (1, "")
    return ended


def test_a_project_below_a_domain_is_no_home_for_the_responders(tmp_path: Path) -> None:
    """Its name is part of no bucket's: another one is to be said."""
    policy = tmp_path / "shop.yaml"
    policy.write_text(POLICY.replace("project: bookshop", "project: example.com:shop-4u"))

    ended = run_to_its_end("--policy", policy)

    assert "--project" in ended.stderr


def test_refused_policy_ends_it_with_every_fault(tmp_path: Path) -> None:
    """All faults are on standard error, and nothing is served."""
    broken = tmp_path / "broken.yaml"
    broken.write_text(POLICY.replace("observe", "sometimes").replace("MEDIUM", "PINK"))

    ended = run_to_its_end("--policy", broken)

    assert "PINK" in ended.stderr
    assert "sometimes" in ended.stderr
