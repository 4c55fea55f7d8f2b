"""`python -m benchmarks.storm`: what a duplicate costs, as a multiple of decoding it alone."""

import json
import time
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from random import Random
from statistics import median

from responders.triggers.alerts import AlertsTrigger
from shared.core.pubsub_message import decode_message
from shared.domain.signals import monitoring_notification
from shared.policy_files import loader
from tests.chaos import storm_messages
from tests.support.runtime.world import World

MESSAGES = 10_000
ROUNDS = 5
BOUND = 1.5
POLICY = Path(__file__).parent.parent / "policies" / "cvplus.yaml"


def main() -> int:
    """Exit codes: 0 a duplicate costs less than `BOUND` times decoding it, 1 it costs more."""
    decoded, received = duplicates(MESSAGES, ROUNDS)
    ratio = received / decoded
    print(  # noqa: T201 - what was measured
        f"{MESSAGES} duplicates: decoding {decoded * 1e6:.1f} us each, decoding and receiving"
        f" {received * 1e6:.1f} us each: {ratio:.2f} times, at most {BOUND} are allowed"
    )
    return 0 if ratio < BOUND else 1


def duplicates(messages: int, rounds: int) -> tuple[float, float]:
    """Seconds per message: to decode a duplicate, and to decode it and have on_alert receive it.

    The median of the rounds; both are measured in turns, so that their ratio holds on a busy
    machine.
    """
    world = World(policy=loader.load_policy(POLICY))
    responder = AlertsTrigger(world.ports, {world.policy.system: world.policy})
    function = Random(1).choice(list(world.policy.functions))
    body = _pushed(storm_messages.incident(world.policy, world.ports.clock.now(), function).data)
    responder.receive(decode_message({}, body))

    def decoding() -> None:
        monitoring_notification.parse_notification(decode_message({}, body).data)

    def receiving() -> None:
        responder.receive(decode_message({}, body))

    turns = [(_timed(decoding, messages), _timed(receiving, messages)) for _ in range(rounds)]
    return median(one for one, _ in turns), median(other for _, other in turns)


def _timed(call: Callable[[], None], times: int) -> float:
    started = time.perf_counter()
    for _ in range(times):
        call()
    return (time.perf_counter() - started) / times


def _pushed(data: bytes) -> bytes:
    """As a push subscription sends it."""
    message = {"data": b64encode(data).decode(), "messageId": "1", "attributes": {}}
    return json.dumps({"message": message, "subscription": "projects/p/subscriptions/s"}).encode()


if __name__ == "__main__":
    raise SystemExit(main())
