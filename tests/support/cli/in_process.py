"""The `rollback` command over a world in one thread: while it waits, the world goes on."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from cli.app import app
from shared.domain.policy.system_policy import Policy
from tests.support.runtime.world import POLICIES, World


class WorldClock:
    """The world's clock; whoever sleeps by it lets everything else happen."""

    def __init__(self, world: World) -> None:
        self._world = world

    def now(self) -> datetime:
        return self._world.ports.clock.now()

    def monotonic(self) -> float:
        return self._world.ports.clock.monotonic()

    def sleep(self, seconds: float) -> None:
        self._world.pass_time(timedelta(seconds=seconds))


class WorldOperations:
    """The world's ports, as a wiring of the command line's own."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.clock = WorldClock(world)
        self.policies: Mapping[str, Policy] = {world.policy.system: world.policy}
        self.project = world.policy.project
        self.quarantine = None
        """A person's shell names no bucket of copies, and may not read one."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._world.ports, name)

    def close(self) -> None:
        """There is nothing to close."""


class WorldPrompt:
    """A person's shell beside a world of the example."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, folder: Path, world: World) -> None:
        (folder / "example.yaml").symlink_to((POLICIES / "example.yaml").resolve())
        monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", world.policy.project)
        monkeypatch.setenv("ROLLBACK_POLICIES", str(folder))
        monkeypatch.delenv("K_SERVICE", raising=False)
        monkeypatch.setattr("cli.support.context.Wiring", lambda *_, **__: WorldOperations(world))

    def say(self, *words: str) -> Result:
        """A line where nobody has to sign in."""
        said = ["--without-sign-in", *words]
        return CliRunner().invoke(app, said, catch_exceptions=False)


def prompt_of(monkeypatch: pytest.MonkeyPatch, folder: Path, world: World) -> WorldPrompt:
    """A person's shell with the policy of that world."""
    monkeypatch.setattr("cli.support.context.load_policies", lambda _: {world.policy.system: world.policy})
    return WorldPrompt(monkeypatch, folder, world)
