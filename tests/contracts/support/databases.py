"""What the worlds of Firestore's contracts share: time, and answers that are not its own."""

from datetime import datetime, timedelta

from local.core.grpc_services import StatusError
from shared.adapters.gcp.clients import Clients
from tests.contracts.support.lost_answers import answer_once
from tests.local.support.firestore_admin import World
from tests.support.fakes.runtime.clock import FakeClock


class TimeInMemory:
    """Of a world in memory: its time."""

    def __init__(self) -> None:
        self._clock = FakeClock()

    def now(self) -> datetime:
        """The service's time."""
        return self._clock.now()

    def pass_time(self, by: timedelta) -> None:
        """Let time pass."""
        self._clock.advance(by)


class EmbeddedFirestore:
    """Of a world over the wire: the service behind it, and Google's clients."""

    def __init__(self, world: World, clients: Clients) -> None:
        self.world = world
        self.clients = clients

    def now(self) -> datetime:
        return self.world.clock.now()

    def pass_time(self, by: timedelta) -> None:
        self.world.pass_time(by)

    def answer_once(self, call: str, answer: StatusError) -> None:
        """Let the next call of that name have this answer."""
        answer_once(self.world.faults, call, answer)
