"""The kinds of change that a plan can hold, one module each: how to look, and how to set."""

from __future__ import annotations

from enum import StrEnum
from typing import Protocol

from msgspec import Struct

from shared.domain.rollback.plan import Step
from shared.ports.resources import Estate


class StepVerdict(StrEnum):
    """Where the world stands for one step."""

    AT_GOAL = "at goal"
    AT_ORIGIN = "at origin"
    UNDER_WAY = "under way"
    ELSEWHERE = "elsewhere"
    """Neither where the plan started nor where it goes: a person is there."""
    IMPOSSIBLE = "impossible"


class StepLook(Struct, frozen=True):
    """What one look found."""

    verdict: StepVerdict
    token: str = ""
    """The precondition under which the effect may be sent now."""
    note: str = ""
    is_further: bool = False
    """Whether an effect that comes in portions has come further: the next one is a new attempt."""


class StepKind(Protocol):
    """One kind of change."""

    expected_seconds: float
    """How long its effect usually takes."""
    unconditional_timeout_seconds: float | None
    """The client time-out of an effect that the platform takes without a precondition, sent once
    and not repeated by any transport; None: a precondition protects it."""

    def look(self, step: Step) -> StepLook:
        """Ask the world, not our memory, where it stands."""
        ...

    def rehearse(self, step: Step) -> None:
        """Ask whether the platform would take the effect, and whatever else is to be known of it.

        Before any switch, and the lease, is looked at: `set` only sends. Raises: as `set`.
        """
        ...

    def set(self, step: Step) -> str:
        """Send the effect unless the world has changed since `step.seen`; an operation's name.

        Raises: Moved, Throttled, Ambiguous, Rejected.
        """
        ...


class KindOfEffect:
    """What most kinds have in common: a precondition protects the effect, and nobody is asked."""

    unconditional_timeout_seconds: float | None = None

    def rehearse(self, step: Step) -> None:
        """The platform cannot be asked beforehand."""


class KindBeside(KindOfEffect):
    """A change to what a system has beside its functions."""

    def __init__(self, estate: Estate) -> None:
        self._estate = estate
