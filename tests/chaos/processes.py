"""The embedded cloud and the six responders as processes that can be killed apart."""

import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from local.cloud import ADDRESS_NAMES
from local.demo.evidence import Evidence
from local.demo.staging.processes import DemoFailed, DemoStage, clean_environment, terminate_process
from local.installation.responder_processes import Responders, free_port
from shared.core import topics
from shared.domain.deployments.deployment import Deployment
from shared.domain.deployments.inventory.traffic import TrafficTarget, traffic_shares
from shared.domain.policy.scenario_names import Mode
from shared.domain.policy.system_policy import Policy

T = TypeVar("T")

STARTS = 5
"""Of a cloud that is to come back. While it is dead, a connection of anybody's may be given one of
its ports, for a moment."""


class Plant:
    """A protected system, its cloud with a folder that survives it, and its responders."""

    def __init__(self, policy: Policy, policy_file: Path, folder: Path, scale: float, *more: str) -> None:
        """`more` are further options of the cloud's. Raises: Broken; NotListening."""
        self.policy = policy
        self._policy_file = policy_file
        self._folder = folder
        self._scale = scale
        self._more = more
        self._ports = {name: free_port() for name in ADDRESS_NAMES}
        self._cloud = self._start()
        addresses = {name: f"127.0.0.1:{port}" for name, port in self._ports.items()}
        self.stage = DemoStage(policy, self._cloud, addresses)
        self.evidence = Evidence(self.stage.wiring, policy, policy.project, addresses["pubsub"])
        try:
            self.responders = Responders.start(self.stage, [policy_file], folder / "log")
        except BaseException:
            self.evidence.close()
            self.stage.close()
            raise

    def close(self) -> None:
        """Return when nothing of it runs any more."""
        self.evidence.close()
        self.responders.stop()
        self.stage.close()

    def restart_cloud(self) -> None:
        """Kill -9, and the same cloud from its folder, at its addresses. Raises: Broken."""
        self._cloud.kill()
        terminate_process(self._cloud)
        self._cloud = started(self._start)
        self.stage.adopt(self._cloud)

    def prepare(self) -> Deployment:
        """A stable deployment, a drill of the way back to it, and leave to act."""
        stage, said = self.stage, {"version": 1, "system": self.policy.system, "reason": "chaos"}
        evidence = self.evidence
        stable = self.announce("r1", stable=True)
        stage.publish(topics.OVERRIDE, {**said, "command": "drill"})
        stage.wait_for("the drill", evidence.drills)
        stage.publish(topics.OVERRIDE, {**said, "command": "promote", "mode": "act"})
        stage.wait_for("the promotion", lambda: (one := evidence.system()) and one.mode is Mode.ACT)
        return stable

    def announce(self, deployment: str, *, stable: bool = False) -> Deployment:
        """What is live now, recorded as CI asks: it began to serve no later than that."""
        said = {"version": 1, "system": self.policy.system, "deployment": deployment}
        self.stage.publish(topics.DEPLOYMENTS, {**said, "stable": stable})
        return self.stage.wait_for(
            f"the record of {deployment}", lambda: self.evidence.deployment(deployment)
        )

    def release(self) -> None:
        """The newest revisions serve: a rollback leaves traffic held on the old ones.

        Each has an address of its own, too, which no rollback may take away.
        """
        platform = self.stage.wiring.system(self.policy.system).platform
        for live in platform.inventory().values():
            newest = live.service.latest_ready
            wanted = (TrafficTarget(newest, 100), TrafficTarget(newest, 0, "kept"))
            platform.shift(live.service.name, wanted, live.service.etag)

        def is_released() -> bool:
            services = [live.service for live in platform.inventory().values()]
            return all(
                not one.reconciling and traffic_shares(one.serving, "") == {one.latest_ready: 100}
                for one in services
            )

        self.stage.wait_for("the release", is_released)

    def _start(self) -> subprocess.Popen[str]:
        ports = [f"--port={name}={port}" for name, port in self._ports.items()]
        with (self._folder / "log").open("ab") as errors:
            process = subprocess.Popen(  # noqa: S603 - our own
                [
                    *(
                        sys.executable,
                        "-m",
                        "local.installation.process_guard",
                        "local",
                        "--no-alerts",
                        *ports,
                    ),
                    *("--policy", str(self._policy_file), "--data", str(self._folder / "data")),
                    *("--scale", str(self._scale), *self._more),
                ],
                env=clean_environment(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                start_new_session=True,
            )
        if process.stdout is None or not process.stdout.readline():
            terminate_process(process)
            raise DemoFailed("the embedded cloud did not start")
        return process


def started(start: Callable[[], T]) -> T:
    """What starts at last. Raises: Broken, as the last attempt did."""
    for _ in range(STARTS - 1):
        with suppress(DemoFailed):
            return start()
    return start()
