"""Policy: the limits of the gates: windows, cool-down, rollbacks an hour, approvals."""

from datetime import timedelta
from enum import StrEnum

from msgspec import field

from shared.core.codec import FrozenStruct
from shared.domain.policy.scenario_names import ScenarioName
from shared.domain.policy.severity import Severity


class Rebuilds(StrEnum):
    """Whether a function may be built again from our copy of its source: not the old artefact."""

    ASK = "ask"
    """A person is asked first; a shift that fails stays failed, unless one has approved."""
    ACT = "act"


class Gates(FrozenStruct):
    """When automation may act; a policy may set each of these."""

    suspect_window: timedelta = timedelta(hours=2)
    join_window: timedelta = timedelta(minutes=10)
    stale_after: timedelta = timedelta(minutes=15)
    auto_close: timedelta = timedelta(days=7)
    judge_every: timedelta = timedelta(seconds=30)
    decide_within: dict[Severity, timedelta] = field(
        default_factory=lambda: {
            Severity.CRITICAL: timedelta(minutes=3),
            Severity.HIGH: timedelta(minutes=5),
            Severity.MEDIUM: timedelta(minutes=15),
            Severity.LOW: timedelta(minutes=60),
        }
    )
    cool_down: timedelta = timedelta(minutes=60)
    automatic_per_hour: int = 3
    failing_above: float = 0.1
    """A function whose share of failed requests is above this is failing."""
    minimum_requests: int = 20
    """Fewer requests than this say nothing about a function, whatever the share that failed."""
    worse_by: float = 0.05
    """A share of failed requests so much above that of the hour before the trouble is worse."""
    slower_by: float = 0.5
    """A probe that takes so much longer than then, as a ratio, is worse."""
    configuration_barrier: bool = True
    security_approval: bool = True
    data_question: bool = True
    second_source: bool = True
    approvals: tuple[ScenarioName, ...] = ()
    """Scenarios that always ask a person first."""
    four_eyes: tuple[ScenarioName, ...] = (ScenarioName.DATABASE, ScenarioName.AUTH)
    """Scenarios that two people must want where they are asked; who orders one is the first."""
    rebuilds: Rebuilds = Rebuilds.ACT
    """Where no revision is left to shift to, or the shift has failed."""
    unobserved_after: timedelta = timedelta(hours=24)
    approval_expires: timedelta = timedelta(minutes=30)
    notice_before: timedelta = timedelta(minutes=15)
    drills_before_ask: int = 0
    drills_before_act: int = 0
    drills_within: timedelta = timedelta(days=30)
