"""The laws as invariants: judged at each commit, each effect and each message, and at the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.simulation.invariants.accepted_effects import LandedLaws
from tests.simulation.invariants.commits import CommitLaws
from tests.simulation.invariants.completion import EndLaws
from tests.simulation.invariants.messages import MessageLaws
from tests.simulation.invariants.observations import Seen
from tests.simulation.invariants.pins import PinLaws
from tests.simulation.invariants.rollbacks import RollbackLaws
from tests.simulation.invariants.sent_effects import SendingLaws
from tests.simulation.invariants.statements import StatementLaws

if TYPE_CHECKING:
    from tests.simulation.world import World


class Laws:
    """Watches one world."""

    def __init__(self, world: World) -> None:
        self.seen = Seen(world)
        pins = PinLaws(world, self.seen.broke)
        self.commits = CommitLaws(self.seen, RollbackLaws(self.seen, pins))
        self.messages = MessageLaws(self.seen)
        self.sending = SendingLaws(self.seen)
        self.landed = LandedLaws(self.seen, pins)
        self.end = EndLaws(self.seen, pins)
        self.statements = StatementLaws(self.seen) if world.judges_statements else None

    @property
    def broken(self) -> list[str]:
        """What was broken, in words."""
        return self.seen.broken
