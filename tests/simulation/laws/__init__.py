"""The laws as invariants: judged at each commit, each effect and each message, and at the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.simulation.laws.commits import CommitLaws
from tests.simulation.laws.ending import EndLaws
from tests.simulation.laws.landed import LandedLaws
from tests.simulation.laws.messages import MessageLaws
from tests.simulation.laws.pins import PinLaws
from tests.simulation.laws.rollbacks import RollbackLaws
from tests.simulation.laws.seen import Seen
from tests.simulation.laws.sending import SendingLaws

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

    @property
    def broken(self) -> list[str]:
        """What was broken, in words."""
        return self.seen.broken
