"""The results of one attempt of a step; `shared.engine.step_scheduler` decides what follows."""

from msgspec import Struct

from shared.core.errors import Ambiguous, Moved, Rejected
from shared.engine.steps.base import StepObservation


class EffectSent(Struct, frozen=True):
    """The effect was sent; the platform works on it under this name."""

    operation: str


class EffectOverQuota(Struct, frozen=True):
    """The effect was sent, and refused for its number."""

    reason: str
    retry_after_seconds: float


class EffectWithheld(Struct, frozen=True):
    """The effect was due, and something forbids it."""

    reason: str


AttemptResult = StepObservation | EffectSent | EffectWithheld | EffectOverQuota

WRITE_RESULTS = (EffectSent, EffectOverQuota, Ambiguous, Moved, Rejected)
"""Ends of a call that has written, or tried to: it counts against the quota. No look ends so."""
