"""What a worker of the simulation carries out: the product's plans, and more than functions."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from responders.scenarios import functions
from responders.scenarios.products import hosting, remote_config
from responders.scenarios.resource_plan import ResourceState
from shared.domain.policy.system_policy import Policy
from shared.domain.reports import filed_report
from shared.domain.rollback.plan import Plan, freeze_plan
from shared.engine import stop_conditions
from tests.simulation.runtime.scheduler import Scheduler
from tests.simulation.scenes.bookshop import BAD, GOOD


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
def simulated(
    scheduler: Scheduler,
    *,
    site: bool,
    template: bool = True,
    reported_after: timedelta = filed_report.FILING_DELAY,
) -> Iterator[None]:
    """The product's locks are the tasks'; with a site, its plans are of more than functions."""
    plan = functions.plan_functions
    locks = SimpleNamespace(Lock=lambda: TaskLock(scheduler))
    with (
        patch.object(stop_conditions, "threading", locks),
        patch.object(filed_report, "FILING_DELAY", reported_after),
        patch.object(functions, "plan_functions", _wider(plan, template=template) if site else plan),
    ):
        yield


def _wider(honest: Callable[..., Plan], *, template: bool) -> Callable[..., Plan]:
    """Plans with a version of hosting, which nothing makes conditional, and maybe a template."""

    def plan(policy: Policy, *facts: Any, **ways: Any) -> Plan:
        made, within = honest(policy, *facts, **ways), policy.execution.step_within
        sight = hosting.as_if_changed(ResourceState(GOOD, BAD))
        release = hosting.plan_hosting(sight, within)
        published = remote_config.plan_remote_config(sight, within).steps if template else ()
        steps = (*release.steps, *published, *made.steps)
        header = made.header
        return freeze_plan(header.scenario, header.target, steps, header.policy, header.reported)

    return plan
