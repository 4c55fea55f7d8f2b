"""One product's part of a plan."""

from datetime import timedelta

from msgspec import Struct

from shared.core.codec import encode
from shared.domain.rollback.plan import Step


class Portion(Struct, frozen=True):
    """One product's part of a plan."""

    steps: tuple[Step, ...] = ()
    reported: tuple[str, ...] = ()
    """What is left alone, and what is to be known of what is done, one line each."""


def resource_step(
    name: str,
    kind: str,
    target: str,
    goal: Struct,
    within: timedelta,
    *,
    seen: str,
    origin: Struct | None = None,
) -> Step:
    """One write, which goes through only where the resource is as it was `seen`."""
    return Step(
        name=name,
        kind=kind,
        target=target,
        goal=encode(goal),
        origin=encode(origin) if origin is not None else {},
        writes=1,
        within_seconds=within.total_seconds(),
        seen=seen,
    )
