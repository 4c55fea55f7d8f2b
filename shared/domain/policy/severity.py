"""How bad an incident is: what everything that is told or awaited goes by."""

from enum import StrEnum


class Severity(StrEnum):
    """How bad an incident is; the runbook's alert levels, the worst first."""

    CRITICAL = "CRITICAL"
    HIGH = "HIGH"
    MEDIUM = "MEDIUM"
    LOW = "LOW"


def is_worse(one: Severity, other: Severity) -> bool:
    """Whether it is worse than the other, not as bad."""
    return one is not other and worse_severity(one, other) is one


def worse_severity(one: Severity, other: Severity) -> Severity:
    """The worse of two."""
    return min(one, other, key=list(Severity).index)
