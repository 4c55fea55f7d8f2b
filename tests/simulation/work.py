"""on_work with one kind of step more: a release that no precondition protects."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from responders.scenarios import functions
from responders.work import Work
from shared import controls
from shared.plan import Plan, Step, frozen
from shared.policy import Policy
from shared.steps import Kind
from tests.simulation.estate import Release
from tests.simulation.scheduler import Scheduler


class SimulatedWork(Work):
    """The production responder; with a site, its plans release the site's former version too."""

    def __init__(self, ports: Any, policies: Any, site: bool) -> None:
        super().__init__(ports, policies)
        self._site = ports.site if site else None

    def _kinds(self, policy: Policy) -> dict[str, Kind]:
        kinds = super()._kinds(policy)
        if self._site is not None:
            kinds[Release.KIND] = Release(self._site)
        return kinds


class TaskLock:
    """A lock between tasks: a thread's own would stop them all."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self._taken = False

    def __enter__(self) -> None:
        while self._taken:
            self._scheduler.sleep(0.01)
        self._taken = True

    def __exit__(self, *raised: object) -> None:
        self._taken = False


@contextmanager
def simulated(scheduler: Scheduler, *, site: bool) -> Iterator[None]:
    """The product's locks are the tasks'; with a site, its plans release the former version too."""
    locks = SimpleNamespace(Lock=lambda: TaskLock(scheduler))
    with (
        patch.object(controls, "threading", locks),
        patch.object(functions, "plan", _releasing(functions.plan) if site else functions.plan),
    ):
        yield


def _releasing(honest: Callable[..., Plan]) -> Callable[..., Plan]:
    def plan(policy: Policy, *facts: Any) -> Plan:
        made = honest(policy, *facts)
        release = Step(
            name="release site",
            kind=Release.KIND,
            target="site",
            goal={"version": "site-1"},
            origin={"version": "site-2"},
            writes=1,
            within_seconds=policy.execution.step_within.total_seconds(),
            seen="site-2",
        )
        header = made.header
        return frozen(
            header.scenario, header.target, (release, *made.steps), header.policy, header.reported
        )

    return plan
