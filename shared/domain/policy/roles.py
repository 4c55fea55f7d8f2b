"""Policy: the roles of operators."""

from __future__ import annotations

from enum import IntEnum


class Role(IntEnum):
    """What a person may do; each role may do all that the ones before it may."""

    VIEWER = 0
    RESPONDER = 1
    COMMANDER = 2
    ADMIN = 3

    @classmethod
    def from_name(cls, claim: object) -> Role | None:
        """The role of that name; None for anything else."""
        return next((role for role in cls if role.name.lower() == claim), None)
