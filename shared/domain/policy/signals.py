"""Policy: signals, their conditions, and the names of signals that code refers to."""

from datetime import timedelta
from enum import StrEnum

from shared.core.codec import FrozenStruct
from shared.domain.policy.scenario_names import Mode, ScenarioName
from shared.domain.policy.severity import Severity

AUTHENTICATION_SIGNALS = ("authentication", "auth")
"""What a policy may call the functions by which people sign in, as a group or an alias."""
FRONTEND_SIGNAL = "frontend_unavailable"
FUNCTION_SIGNAL = "function_failure_rate"
SHARE_SIGNAL = "functions_failing_share"
BREACH_SIGNAL = "security_breach"
"""The signal that somebody declares: no router counts it, and no change need explain it."""


class Unit(StrEnum):
    """What a threshold counts in."""

    RATIO = "ratio"
    SECONDS = "seconds"
    COUNT = "count"


class SignalCondition(FrozenStruct):
    """A further way in which a signal shows, beside its threshold; any one of them is enough."""

    unit: Unit
    threshold: float
    duration: timedelta | None = None


class Signal(FrozenStruct):
    """What one kind of alert means here."""

    severity: Severity
    scenario: ScenarioName
    mode: Mode
    threshold: float | None = None
    """In the unit of its kind (`shared.domain.signals.registry`): a ratio, seconds, or a count."""
    duration: timedelta | None = None
    also: tuple[SignalCondition, ...] = ()
    alert_policies: tuple[str, ...] = ()
    """Ids of alert policies that carry this signal but not our labels."""


class BreadthLimits(FrozenStruct):
    """How much must fail for each level, as a share from 0 to 1; defaults are the runbook's."""

    critical_above: float = 0.5
    """Of all functions: the system is down."""
    high_above: float = 0.25
    """Of all functions: a mass failure."""
    high_traffic_above: float = 0.5
    """Of all requests, those to functions that fail: users are affected widely."""
    medium_group_above: float = 0.5
    """Of the functions of one group: a feature fails."""
    low_functions: int = 1
    """At most so many failing functions are single components; more are a partial outage."""
    critical_path: tuple[str, ...] = ()
    """Functions, groups and aliases whose failure alone is as bad as a mass failure."""
