"""One product's part of a plan."""

from __future__ import annotations

from msgspec import Struct

from shared.domain.rollback.plan import Step


class Portion(Struct, frozen=True):
    """One product's part of a plan."""

    steps: tuple[Step, ...] = ()
    reported: tuple[str, ...] = ()
    """What is left alone, and what is to be known of what is done, one line each."""
