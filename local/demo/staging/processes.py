"""The embedded cloud and the responders as processes of their own, and what one may do to them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import httpx

from local.cloud import ADDRESS_NAMES
from local.installation.provisioning import audit_bucket, status_bucket
from local.installation.responder_processes import STOP_LIMIT_SECONDS, Responders
from shared.core.errors import Unavailable
from shared.core.topics import CONSOLE_ENTRY_POINT
from shared.domain.policy.system_policy import Policy
from shared.wiring.adapters import Wiring
from shared.wiring.settings import EMULATOR_VARIABLES, Settings

WAIT_TIMEOUT_SECONDS = 300.0
"""Of wall time, for each thing that is waited for: a busy machine is slow, not broken."""
POLL_INTERVAL_SECONDS = 0.1
_CONSOLE_TIMEOUT_SECONDS = 30.0

T = TypeVar("T")


class DemoFailed(Exception):
    """The play cannot go on; says what was waited for, or what has ended."""


class DemoStage:
    """Everything that runs, and this side's own connection to it: the production wiring."""

    def __init__(self, policy: Policy, process: subprocess.Popen[str], addresses: Mapping[str, str]) -> None:
        self.policy = policy
        self.home = policy.project
        """The operations project."""
        self.projects = (policy.project,)
        """Every project that has the topics."""
        self.addresses = addresses
        """`127.0.0.1:port` by service."""
        self._responders: Responders | None = None
        self._process = process
        url = f"http://{addresses['control']}"
        self._control = httpx.Client(base_url=url, timeout=WAIT_TIMEOUT_SECONDS, trust_env=False)
        bucket = audit_bucket(policy.project)
        settings = Settings(
            project=policy.project,
            audit_bucket=bucket,
            status_bucket=status_bucket(policy.project),
            local_cloud=url,
        )
        self.wiring = Wiring(settings, {policy.system: policy}, deployed=False)

    @classmethod
    def start(cls, policy: Policy, policy_file: Path, scale: float, log: Path, *more: str) -> DemoStage:
        """Cloud and responders listening, their standard error in `log`.

        Raises: Broken, NotListening.

        `more` are further options of the cloud's.
        """
        with log.open("wb") as errors:
            process = subprocess.Popen(  # noqa: S603 - our own
                [
                    *(sys.executable, "-m", "local.installation.process_guard", "local"),
                    *("--policy", str(policy_file), "--scale", str(scale), *more),
                ],
                env=clean_environment(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                start_new_session=True,  # a key press ends this side, which ends that one in order
            )
        stage = None
        try:
            line = process.stdout.readline() if process.stdout else ""
            if not line:
                raise DemoFailed("the embedded cloud did not start")
            said: dict[str, str] = json.loads(line)
            stage = cls(policy, process, {name: said[name] for name in ADDRESS_NAMES})
            stage._responders = Responders.start(stage, [policy_file], log)
        except BaseException:
            if stage is not None:
                stage.close()
            else:
                terminate_process(process)
            raise
        return stage

    def close(self) -> None:
        """Return when nothing of it runs any more."""
        self.wiring.close()
        self._control.close()
        if self._responders is not None:
            self._responders.stop()
        terminate_process(self._process)

    @property
    def console(self) -> str:
        """Where operators look and speak. Raises: Broken."""
        if self._responders is None:
            raise DemoFailed("there is no console on this stage")
        return f"http://{self._responders.addresses[CONSOLE_ENTRY_POINT]}"

    def kill_worker(self) -> None:
        """Kill -9 the one that carries rollbacks out, and start it anew. Raises: NotListening."""
        if self._responders is None:
            raise DemoFailed("there is no worker on this stage")
        self._responders.restart("on_work")

    def adopt(self, process: subprocess.Popen[str]) -> None:
        """The cloud has died, and this process plays it now, at the same addresses."""
        self._process = process

    def now(self) -> datetime:
        """The cloud's time."""
        return datetime.fromisoformat(self._asked("GET", "clock")["now"])

    def scale(self) -> float:
        """Cloud seconds per wall second."""
        return float(self._asked("GET", "clock")["scale"])

    def skip_time(self, span: timedelta) -> None:
        """Skip that much of the cloud's time; what it brings about has begun on return."""
        self._asked("POST", "clock", {"advance": span.total_seconds()})

    def deploy(self, release: str, failure_rate: float) -> None:
        """Give every function a new revision, which serves at once."""
        self._asked("POST", "deploy", {"release": release, "failure_rate": failure_rate})

    def degrade(self, function: str, revision: str) -> None:
        """Let a revision of a function start no more: its image is gone."""
        asked = {"function": function, "revision": revision, "starts": False}
        self._asked("POST", "degrade", asked)

    def rescale(self, scale: float) -> None:
        """Let the cloud's time run at another pace."""
        self._asked("POST", "clock", {"scale": scale})

    def install_fault_plan(self, plan: Mapping[str, Any]) -> None:
        """Put a fault plan in force."""
        self._asked("PUT", "faults", plan)

    def count_injected_faults(self) -> int:
        """How many calls the fault plan in force has met."""
        return sum((self._asked("GET", "faults")["injected"] or {"calls": ()})["calls"])

    def remove_fault_plan(self) -> None:
        """Let nothing go wrong any more; calls that are being delayed go on at once."""
        self._asked("DELETE", "faults")

    def application_state(self) -> dict[str, dict[str, Any]]:
        """What the application itself says: by function its revisions' traffic and failure rate."""
        standing: dict[str, dict[str, Any]] = self._asked("GET", "application")[self.policy.system]
        return standing

    def measured(self) -> dict[str, Any]:
        """Return what the application counted itself in the last minute, by function and part."""
        found: dict[str, Any] = self._asked("GET", "measures")[self.policy.system]
        return found

    def enrol(self, account: Mapping[str, Any]) -> None:
        """Make a person who may sign in."""
        self._asked("POST", "identity", account)

    def publish(self, topic: str, content: Mapping[str, Any]) -> None:
        """Publish one message of JSON on a topic of the responders."""
        self.wiring.bus.publish(topic, json.dumps(content).encode())

    def wait_for(
        self, what: str, condition: Callable[[], T | None], seconds: float = WAIT_TIMEOUT_SECONDS
    ) -> T:
        """The first truthy answer of the condition, within so many seconds of wall time.

        Raises: Broken, when there is none in time.
        """
        give_up_at = time.monotonic() + seconds
        while time.monotonic() < give_up_at:
            if self._process.poll() is not None:
                raise DemoFailed(f"the embedded cloud has ended while waiting for {what}")
            try:
                found = condition()
            except Unavailable:  # no answer in time says nothing: ask again
                found = None
            if found:
                return found
            time.sleep(POLL_INTERVAL_SECONDS)
        raise DemoFailed(f"timed out after {seconds:.0f} s, waiting for {what}")

    def _asked(self, method: str, what: str, content: Any = None) -> Any:
        try:
            answer = self._control.request(method, f"/_cloud/{what}", json=content)
            answer.raise_for_status()
        except httpx.HTTPError as error:
            raise DemoFailed(f"the embedded cloud does not answer ({what}): {error}") from error
        return answer.json()


def clean_environment() -> dict[str, str]:
    """This process's own, without what would wire a part of it to something else."""
    elsewhere = ("K_SERVICE", "ROLLBACK_DATABASE", *EMULATOR_VARIABLES)
    return {name: value for name, value in os.environ.items() if name not in elsewhere}


def terminate_process(process: subprocess.Popen[str]) -> None:
    """Return when the process is gone, and its pipes are closed."""
    process.terminate()
    try:
        process.wait(3 * STOP_LIMIT_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()  # its responders are tethered to it
        process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()
