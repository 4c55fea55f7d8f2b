"""Policy: who may send commands, and how that is proven."""

from __future__ import annotations

from datetime import timedelta
from enum import IntEnum

from shared.core.codec import FrozenStruct
from shared.domain.policy.severity import Severity


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


class Principal(FrozenStruct):
    """A Google service account that may command, and how far."""

    email: str
    commands: tuple[str, ...]
    groups: tuple[str, ...] = ()
    severities: tuple[Severity, ...] = tuple(Severity)


class IdentityRules(FrozenStruct):
    """Who may command this system."""

    api_key: str = ""
    auth_within: timedelta = timedelta(minutes=10)
    roles: dict[str, Role] = {}
    """The role that a command needs instead of that of `shared.domain.commands.registry`."""
    principals: tuple[Principal, ...] = ()

    def principal(self, email: str) -> Principal | None:
        """The allow-listed service account of that address."""
        return next((one for one in self.principals if one.email == email), None)
