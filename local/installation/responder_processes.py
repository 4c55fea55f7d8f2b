"""The responders as Google runs them: each entry point a functions-framework process of its own."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from contextlib import nullcontext, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from local.control.proxy import build_proxy_environment, remove_proxy_variables
from local.installation import push_subscriptions
from local.installation.provisioning import (
    audit_bucket,
    console_account,
    policy_bucket,
    push_account,
    push_audience,
    quarantine_bucket,
    sources_bucket,
    status_bucket,
    values_bucket,
)
from local.installation.push_subscriptions import CloudAddresses
from shared.adapters.gcp.clients import Clients
from shared.adapters.gcp.storage.public_pages import BucketPages
from shared.core import topics
from shared.policy_files import loader
from shared.wiring.settings import LOCAL_CLOUD_VARIABLE

ROOT = Path(__file__).parent.parent.parent
HOST = "127.0.0.1"
SERVED_ENTRY_POINTS = (*topics.ENTRY_POINTS, topics.CONSOLE_ENTRY_POINT)
START_LIMIT_SECONDS = 60.0
"""Of wall time, for all of them together: they start at once and take some 5 s on two cores."""
STOP_LIMIT_SECONDS = 3.0
"""Of wall time: what still answers a request by then is killed."""
_POLL_INTERVAL_SECONDS = 0.05


class NotListening(Exception):
    """A responder has ended, or does not listen in time."""


class Responders:
    """A process for each entry point, wired to one cloud; none of them outlives this process."""

    def __init__(
        self,
        cloud: CloudAddresses,
        environment: Mapping[str, str],
        folder: TemporaryDirectory[str],
        log: Path | None,
    ) -> None:
        self.addresses: dict[str, str] = {}
        """`127.0.0.1:port` by entry point."""
        self._cloud = cloud
        self._environment = environment
        self._folder = folder
        self._log = log
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    @classmethod
    def start(
        cls, cloud: CloudAddresses, policy_files: Iterable[Path], log: Path | None = None
    ) -> Responders:
        """All of them listening, and their topics pushed to them.

        `policy_files` are those that the cloud was started with. What they say is added to `log`;
        without one it goes to standard error. Raises: NotListening.
        """
        folder = TemporaryDirectory(prefix="rollback-responders-")
        policies = _copy_policy_files(policy_files, Path(folder.name) / "policies")
        _publish_policies(cloud, policies)
        environment = _environment(cloud, policies, Path(folder.name))
        responders = cls(cloud, environment, folder, log)
        try:
            for entry_point in SERVED_ENTRY_POINTS:
                responders.addresses[entry_point] = f"{HOST}:{free_port()}"
                responders._launch(entry_point)
            responders._await(SERVED_ENTRY_POINTS)
            push_subscriptions.subscribe(cloud, responders.addresses)
        except BaseException:
            responders.stop()
            raise
        return responders

    def kill(self, entry_point: str) -> None:
        """Let one die as by kill -9; its messages come back until it is restarted."""
        kill(self._processes.pop(entry_point))
        self._await_silence(entry_point)

    def restart(self, entry_point: str) -> None:
        """Start one again at its address, alive or dead before. Raises: NotListening."""
        if entry_point in self._processes:
            self.kill(entry_point)
        self._launch(entry_point)
        self._await([entry_point])

    def restart_dead(self) -> None:
        """Start again whichever has died, as Google does. Raises: NotListening."""
        for entry_point, process in list(self._processes.items()):
            if process.poll() is not None:
                self.restart(entry_point)

    def replace_stopped(self, entry_point: str) -> subprocess.Popen[bytes]:
        """Let one stand still as by SIGSTOP, and have another take its place at a new address.

        Its topic is pushed to the other from now on. Returned is the one that stands still: it is
        the caller's, to be let go on and to be killed. Raises: NotListening.
        """
        stopped = self._processes.pop(entry_point)
        os.killpg(stopped.pid, signal.SIGSTOP)
        try:
            self.addresses[entry_point] = f"{HOST}:{free_port()}"
            self._launch(entry_point)
            self._await([entry_point])
            push_subscriptions.subscribe(self._cloud, self.addresses)
        except BaseException:
            kill(stopped)
            raise
        return stopped

    def stop(self) -> None:
        """Return when none of them runs any more."""
        for process in self._processes.values():
            process.terminate()
        give_up_at = time.monotonic() + STOP_LIMIT_SECONDS
        for process in self._processes.values():
            with suppress(subprocess.TimeoutExpired):
                process.wait(max(0.0, give_up_at - time.monotonic()))
            kill(process)
        for entry_point in self._processes:
            self._await_silence(entry_point)
        self._processes.clear()
        self._folder.cleanup()

    def _launch(self, entry_point: str) -> None:
        host, _, port = self.addresses[entry_point].partition(":")
        framework = ("functions_framework", "--source", "main.py", "--signature-type", "http")
        where = ("--target", entry_point, "--host", host, "--port", port)
        own = Path(self._folder.name) / entry_point
        own.mkdir(exist_ok=True)
        # gunicorn puts a control socket there, and one for all of them would be fought over.
        environment = {**self._environment, "XDG_RUNTIME_DIR": str(own)}
        if entry_point == "on_work":
            environment["THREADS"] = "1"  # one request at a time: the others wait to be accepted
        # Standard output is for the one line of JSON.
        with self._log.open("ab") if self._log else nullcontext(sys.stderr) as said:
            self._processes[entry_point] = subprocess.Popen(  # noqa: S603 - our own
                [sys.executable, "-m", "local.installation.process_guard", *framework, *where],
                cwd=ROOT,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=said,
                stderr=said,
                start_new_session=True,  # a key press ends the parent, which ends them in order
            )

    def _await(self, entry_points: Iterable[str]) -> None:
        give_up_at = time.monotonic() + START_LIMIT_SECONDS
        for entry_point in entry_points:
            while not _is_listening(self.addresses[entry_point]):
                if self._processes[entry_point].poll() is not None:
                    raise NotListening(f"{entry_point} ended before it listened")
                if time.monotonic() > give_up_at:
                    raise NotListening(f"{entry_point}: not after {START_LIMIT_SECONDS:.0f} s")
                time.sleep(_POLL_INTERVAL_SECONDS)

    def _await_silence(self, entry_point: str) -> None:
        """Wait for what the dead process has forked: the system ends it a moment later."""
        give_up_at = time.monotonic() + STOP_LIMIT_SECONDS
        while _is_listening(self.addresses[entry_point]) and time.monotonic() < give_up_at:
            time.sleep(_POLL_INTERVAL_SECONDS)


def _environment(cloud: CloudAddresses, policies: Path, folder: Path) -> dict[str, str]:
    """What wires a responder to the cloud, on top of this process's own environment."""
    inherited = {name: value for name, value in os.environ.items() if name != "K_SERVICE"}
    return {
        **remove_proxy_variables(inherited),
        **build_proxy_environment(cloud.addresses["control"], folder),
        **build_settings(cloud, policies),
        "ROLLBACK_IDENTITY_PROJECT": cloud.home,
        "ROLLBACK_POLICY_BUCKET": policy_bucket(cloud.home),
        "ROLLBACK_API_KEY": "any",
    }


def build_settings(cloud: CloudAddresses, policies: Path) -> dict[str, str]:
    """Return the environment variables that wire a responder to the cloud."""
    return {
        "GOOGLE_CLOUD_PROJECT": cloud.home,
        LOCAL_CLOUD_VARIABLE: f"http://{cloud.addresses['control']}",
        "ROLLBACK_POLICIES": str(policies),
        "ROLLBACK_AUDIT_BUCKET": audit_bucket(cloud.home),
        "ROLLBACK_SOURCES_BUCKET": sources_bucket(cloud.home),
        "ROLLBACK_VALUES_BUCKET": values_bucket(cloud.home),
        "ROLLBACK_QUARANTINE_BUCKET": quarantine_bucket(cloud.home),
        "ROLLBACK_STATUS_BUCKET": status_bucket(cloud.home),
        "ROLLBACK_CONSOLE_ACCOUNT": console_account(cloud.home),
        "ROLLBACK_PUSH_ACCOUNT": push_account(cloud.home),
        "ROLLBACK_PUSH_AUDIENCE": push_audience(cloud.home),
    }


def _copy_policy_files(files: Iterable[Path], folder: Path) -> Path:
    """The folder, new, with these policy files and no other."""
    folder.mkdir()
    for number, file in enumerate(files):
        (folder / f"{number:02d}-{file.stem}.yaml").symlink_to(file.resolve())
    return folder


def _publish_policies(cloud: CloudAddresses, folder: Path) -> None:
    """Publish the policy files, as an apply does that finds other ones published."""
    policies = loader.load_policies(folder)
    content = msgspec.json.encode({f"{name}.yaml": one.text for name, one in policies.items()})
    clients = Clients(dict(cloud.addresses), deployed=False)
    try:
        objects = BucketPages(clients.storage, policy_bucket(cloud.home))
        generation, live = next(objects.history(loader.PUBLISHED_OBJECT), (0, b""))
        if content != live:
            objects.put(loader.PUBLISHED_OBJECT, content, "application/json", generation)
    finally:
        clients.close()


def free_port() -> int:
    """A port that nobody else is given for the next minute.

    It waits out the end of a connection: the system hands it to nobody by itself, and a server
    that asks for it by number gets it.
    """
    with socket.create_server((HOST, 0)) as server:
        port: int = server.getsockname()[1]
        with socket.create_connection((HOST, port)):
            server.accept()[0].close()
        return port


def _is_listening(address: str) -> bool:
    host, _, port = address.partition(":")
    try:
        socket.create_connection((host, int(port)), timeout=1.0).close()
    except OSError:
        return False
    return True


def kill(process: subprocess.Popen[bytes]) -> None:
    """Return when the process is gone; what it has forked is killed, and its pipe closed."""
    with suppress(ProcessLookupError):  # all of them have ended
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    if process.stdin is not None:
        process.stdin.close()
