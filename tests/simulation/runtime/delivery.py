"""Push: messages come to instances once or several times, soon or late, until acknowledged."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from responders.support.dead_letters import dead_letter_message
from responders.triggers.registry import TRIGGERS, Trigger
from shared.core import topics
from shared.core.errors import LostRollback, Refused, RollbackError
from shared.core.pubsub_message import PubSubMessage
from tests.simulation.faults.points import Fault
from tests.simulation.runtime.ports import InstancePorts
from tests.simulation.runtime.scheduler import Instance
from tests.simulation.runtime.services import Sent
from tests.simulation.scenes.bookshop import POLICY, SYSTEM

if TYPE_CHECKING:
    from tests.simulation.world import World

ACKNOWLEDGE_WITHIN_SECONDS = 180.0
"""Then Pub/Sub delivers again, whether or not the first delivery still runs."""
DELIVERY_ATTEMPTS = 100
CROWD = 50
"""Instances that a function is scaled out to, each with a delivery of the same message."""
STALE_SECONDS = POLICY.gates.stale_after.total_seconds()

ENTRY_POINT = {
    topic: entry_point for entry_point, several in topics.ENTRY_POINTS.items() for topic in several
}


class Delivery:
    """The subscriptions of one world, and the instances that they push to."""

    acknowledges_first = False
    """A mutant's: the entry point answers before its trigger has returned."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._instances: dict[str, list[tuple[Instance, InstancePorts, Trigger]]] = {}

    def start_anew(self) -> None:
        """No instance that runs now gets a further message."""
        for started in self._instances.values():
            started.clear()

    def route(self, message: Sent) -> None:
        """Deliver a message once or several times, soon or late."""
        world, random = self._world, self._world.random
        fault = world.mishaps.fault_at("before delivery")
        times, late = 5 if world.bus.repeats and message.topic == topics.WORK else 1, 0.0
        if fault is Fault.DUPLICATE:
            times += random.randint(1, 4)
        elif fault is Fault.CROWD:
            times = CROWD
        elif fault is Fault.LATE:
            late = random.choice((20.0, 70.0, 400.0, 1200.0))
            if message.topic == topics.ALERTS and late > STALE_SECONDS:
                world.excuses.add("the alert was old news")
            if message.topic == topics.OVERRIDE:
                world.excuses.add("a command was late")
        apart: tuple[float, ...] = (0.0,)
        if fault is Fault.DUPLICATE:
            apart = random.choice(((0.0,), (0.0, 3.0, 60.0)))
        for _ in range(times):
            delay = late + 0.01 + 0.1 * random.random() + random.choice(apart)
            world.plan(delay, partial(self._push, message, 1))

    def _push(self, message: Sent, attempt: int) -> None:
        """Deliver once; again after a while, unless it is acknowledged."""
        world = self._world
        if attempt > DELIVERY_ATTEMPTS:
            world.laws.broken.append(f"{message.topic} {message.id} was never acknowledged")
            return
        world.unsettled += 1
        instance, ports, trigger = self._instance(message.topic)
        instance.idle = False
        settled = False

        def settle(*, acknowledged: bool) -> None:
            nonlocal settled
            if settled:
                return
            settled = True
            world.unsettled -= 1
            if not acknowledged:
                again = partial(self._push, message, attempt + 1)
                world.plan(1.0 + 2.0 * world.random.random(), again)

        def deliver() -> None:
            acknowledged = False
            if self.acknowledges_first:
                settle(acknowledged=True)
            try:
                acknowledged = self._delivered(message, attempt, ports, trigger)
                fault = world.mishaps.fault_at("before acknowledgement")
                if fault is not None:
                    acknowledged = False
                if fault is Fault.CRASH:
                    world.mishaps.inject(fault, "acknowledgement")
            finally:
                instance.idle = True
                settle(acknowledged=acknowledged)

        world.scheduler.spawn(instance, deliver)
        late = partial(settle, acknowledged=False)
        world.scheduler.at(ACKNOWLEDGE_WITHIN_SECONDS, late)

    def _delivered(self, message: Sent, attempt: int, ports: InstancePorts, trigger: Trigger) -> bool:
        """Whether it is acknowledged, as main.py decides."""
        received = PubSubMessage(
            id=message.id,
            topic=f"projects/{POLICY.project}/topics/{message.topic}",
            data=message.data,
            attributes=message.attributes,
            published_at=message.published_at,
        )
        try:
            try:
                trigger.receive(received)
            except Refused as refused:
                dead_letter_message(received, refused.reason, ports, self._world.policy)
        except LostRollback as lost:
            self._world.note(f"lost: {lost}")
        except RollbackError as failure:
            self._world.note(f"not acknowledged {message.topic} {message.id}: {failure!r}")
            return False
        except Exception as bug:
            self._world.laws.broken.append(f"{message.topic}: {bug!r}")
            raise
        return True

    def _instance(self, topic: str) -> tuple[Instance, InstancePorts, Trigger]:
        """An idle instance of a function, or a new one."""
        world, random = self._world, self._world.random
        started = self._instances.setdefault(topic, [])
        started[:] = [one for one in started if one[0].alive]
        idle = [one for one in started if one[0].idle]
        if idle and (len(started) > 2 or random.random() < 0.8):
            return idle[int(random.random() * len(idle))]
        skew = random.uniform(-300.0, 300.0) if world.skews else 0.0
        instance = Instance(f"{topic.removeprefix('rollback-')}-{world.new_id()}", skew)
        ports = InstancePorts(world, instance)
        policies = {SYSTEM: world.policy}
        started.append((instance, ports, TRIGGERS[ENTRY_POINT[topic]](ports, policies)))
        return started[-1]
