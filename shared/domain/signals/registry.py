"""The registry of signals: each kind of alert by its name, its unit, and where it comes from."""

from enum import Enum, auto

from msgspec import Struct

from shared.domain.policy.signals import FRONTEND_SIGNAL, FUNCTION_SIGNAL, SHARE_SIGNAL, Unit


class SignalSource(Enum):
    """Where the condition of a signal shows."""

    MONITORING = auto()
    """In a metric of Cloud Monitoring."""
    REQUESTS = auto()
    """In a metric of Cloud Monitoring that counts requests, as the decision reads them itself."""
    DATA = auto()
    """In the documents, which neither code nor configuration restores."""
    DECLARED = auto()
    """Nowhere: a person or a security finding declares it."""


class SignalKind(Struct, frozen=True):
    """What the responders know of a signal."""

    unit: Unit
    source: SignalSource = SignalSource.MONITORING


SIGNALS: dict[str, SignalKind] = {
    FRONTEND_SIGNAL: SignalKind(Unit.COUNT),
    FUNCTION_SIGNAL: SignalKind(Unit.RATIO, SignalSource.REQUESTS),
    SHARE_SIGNAL: SignalKind(Unit.RATIO, SignalSource.REQUESTS),
    "critical_path_blocked": SignalKind(Unit.SECONDS),
    "performance_degraded": SignalKind(Unit.RATIO),
    "authentication_failure": SignalKind(Unit.RATIO),
    "database_connectivity": SignalKind(Unit.COUNT),
    "database_failure_rate": SignalKind(Unit.RATIO),
    "database_corruption": SignalKind(Unit.COUNT, SignalSource.DATA),
    "data_loss": SignalKind(Unit.COUNT, SignalSource.DATA),
    "security_breach": SignalKind(Unit.COUNT, SignalSource.DECLARED),
    "slow_response": SignalKind(Unit.SECONDS),
    "error_rate": SignalKind(Unit.RATIO, SignalSource.REQUESTS),
    "quota_usage": SignalKind(Unit.RATIO),
}
"""By the name in the user label `rollback_signal`."""


def has_source(signal: str, source: SignalSource) -> bool:
    """Return whether the condition of a signal shows in a source."""
    return signal in SIGNALS and SIGNALS[signal].source is source
