"""What a repair has written put back as it stood there before, out of the journal and quarantine.

As `repair`: in portions, with the position kept as the precondition and the operation's name.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from shared.documents import decode
from shared.plan import Step
from shared.repair import Position, as_text, from_text
from shared.steps import Look
from shared.steps.repair import PORTION_LANDS_WITHIN, look_at

KIND = "put_back"


class Goal(Struct, frozen=True):
    """Every document that a rollback has written, and nobody since, as it was before."""

    rollback: str
    database: str


Portion = Callable[[Step, Goal, Position], Position]
"""As that of `repair`."""


class PutBack:
    """It ends behind the last batch of the journal."""

    expected_seconds = 0.0
    unconditional_timeout_seconds: float | None = PORTION_LANDS_WITHIN

    def __init__(self, portion: Portion) -> None:
        self._portion = portion

    def look(self, step: Step) -> Look:
        """At the goal behind the last batch."""
        return look_at(step)

    def rehearse(self, step: Step) -> None:
        """There is nothing to be asked beforehand."""

    def set(self, step: Step) -> str:
        """One portion behind the position that was saved with the intent; where that leads."""
        goal, position = decode(Goal, step.goal), from_text(step.seen)
        return as_text(self._portion(step, goal, position))
