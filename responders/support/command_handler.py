"""What each verb is given, and what it gives back."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from shared.core.codec import FrozenStruct
from shared.core.store import Write
from shared.domain.commands.command import Command, ScheduledRollback
from shared.domain.policy.system_policy import Policies, Policy
from shared.domain.rollback.rollback import RollbackRequest, find_responder
from shared.ports.groups import Ports


class CommandRequest(FrozenStruct):
    """A command, when it was said, and the world that it is said to."""

    command: Command
    said_at: datetime
    ports: Ports
    policies: Policies
    person: str = ""
    """Who says it, to tell two people apart; empty: no person is proven to."""
    right: str = ""
    """By what they may say it, in words."""
    at_console: bool = False
    """Whether it comes from a form of the console."""

    @property
    def policy(self) -> Policy:
        """Of the system that the command names; the verb's schema requires one."""
        return self.policies[self.command.system]

    @property
    def responder(self) -> str:
        """Return who responds by it to the incident that it is about; empty: nobody does."""
        return find_responder(self.command.actor, self.person)


class CommandEffect(FrozenStruct):
    """What a command changes, in one commit with its record."""

    result: str
    writes: tuple[Write, ...] = ()
    incident: str = ""
    """The one that it opens; empty: none."""
    changes: Mapping[str, tuple[Any, Any]] = {}
    """What it changes outside every rollback, by name: before and after, neither of them a list."""
    answer: Mapping[str, Any] = {}
    """What the record keeps beside the result."""
    rehearses: RollbackRequest | None = None
    """What a worker is to decide and plan, without doing it."""
    drills: bool = False
    """Whether that is a drill: dry-run as well, and recorded."""
    planned: ScheduledRollback | None = None
    """What a worker is to begin at its time."""
    goes_on: bool = False
    """Whether a worker does the rest of it, in pieces."""
    tells: str = ""
    """The event in the trail of each rollback under way that it concerns; empty: none."""


CommandHandler = Callable[[CommandRequest], CommandEffect]
"""Reads, decides, and writes nothing itself. Raises: Refused, with what would be possible."""
