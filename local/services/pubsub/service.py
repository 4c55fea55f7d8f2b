"""The embedded Pub/Sub, whole."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from local.core.clock import CloudClock
from local.core.journal import Journal
from local.faults.hooks import FaultHooks
from local.services.pubsub.broker import Broker
from local.services.pubsub.delivery.push import PushSender
from local.services.pubsub.delivery.push_dispatcher import PushDispatcher
from local.services.pubsub.delivery.push_tokens import TokenIssuer, TokenSigner
from local.services.pubsub.iam_policies import Policies
from local.services.pubsub.messages import PublishRequest
from local.services.pubsub.publisher import Publisher
from local.services.pubsub.schema_service import SchemaService
from local.services.pubsub.subscriber import Subscriber

PUSH_CONCURRENCY = 32


class PubSub:
    """Pub/Sub for `wire.serve`: `publisher`, `subscriber`, `schemas`, and their access policies.

    It begins where the journal ends: topics, subscriptions, snapshots, policies, and every message
    that is not acknowledged. All times are the clock's. Each push asks the faults as
    `push projects/P/subscriptions/S`, each message on its way into a subscription as `message …`.
    """

    def __init__(
        self,
        clock: CloudClock,
        journal: Journal,
        faults: FaultHooks,
        push_concurrency: int = PUSH_CONCURRENCY,
        played: Mapping[str, str] = MappingProxyType({}),
        sign: TokenSigner | None = None,
    ) -> None:
        """`played` has the addresses of hosts that somebody on this machine plays.

        `sign` signs the tokens of pushes; without it a key of this process does.
        """
        self._broker = Broker(clock, journal, faults)
        self._tokens = TokenIssuer(sign)
        self._courier = PushDispatcher(
            self._broker, clock, PushSender(clock, faults, self._tokens, played), push_concurrency
        )
        self.publisher = Publisher(self._broker)
        self.subscriber = Subscriber(self._broker)
        self.schemas = SchemaService(self._broker)
        self.policy = Policies(self._broker)
        self._courier.start()

    def jwks(self) -> dict[str, list[dict[str, str]]]:
        """The public key of the tokens that pushes carry, as a JSON Web Key Set."""
        return self._tokens.jwks()

    def publish(self, requests: Iterable[PublishRequest]) -> None:
        """Publish from inside, all at one instant; what is for a topic that is gone is lost.

        Raises: Ended.
        """
        with self._broker.change() as now:
            for request in requests:
                if request.topic in self._broker.topics:
                    self._broker.publish(request.topic, request.messages, now)

    def undelivered(self, subscription: str) -> int | None:
        """How many messages of a subscription are not acknowledged; None: it is gone.

        Raises: Ended.
        """
        with self._broker.change():
            feed = self._broker.feeds.get(subscription)
            return None if feed is None else len(feed.backlog.unacknowledged())

    def settle(self, limit_seconds: float) -> bool:
        """Wait until every push that is due by the cloud's time has been answered.

        What a push makes its endpoint publish is waited for too. The limit is of wall time; False:
        it passed.
        """
        return self._courier.settle(limit_seconds)

    def close(self) -> None:
        """End pulls, streams and pushes; within about a second of wall time."""
        self._broker.close()
        self._courier.close()
