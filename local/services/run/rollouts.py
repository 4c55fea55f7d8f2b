"""How a change of a service goes once it has been accepted: how long it takes, whether it works."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta


def never_fail(_service: str) -> str:
    """No failure, for any service."""
    return ""


@dataclass
class Rollouts:
    """Asked when a change is accepted; set its fields to make later changes slow or fail."""

    latency: timedelta | Callable[[str], timedelta] = timedelta(seconds=8)
    """From acceptance until routers have followed; per service (short name) when it is a function.
    No primary figure exists for the real one: practitioners say seconds."""
    failure: Callable[[str], str] = never_fail
    """Why the change of a service will fail when it is due; empty when it succeeds."""

    def duration(self, service: str) -> timedelta:
        """How long the next change of a service takes."""
        return self.latency(service) if callable(self.latency) else self.latency
