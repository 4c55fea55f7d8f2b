"""Production responders on many instances, and the world around them, under one scheduler."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import partial
from random import Random
from typing import Any

import msgspec
from msgspec.structs import replace

from main import Responder
from responders.alerts import Alerts
from responders.clock import Clock
from responders.commands import Commands
from responders.deployments import Deployments
from responders.notices import Notices
from responders.refusal import refuse
from responders.sealing import Sealing
from responders.work import Work
from shared import copies, topics
from shared.envelope import Message
from shared.errors import (
    Ambiguous,
    Exists,
    LostRollback,
    Moved,
    Refused,
    RollbackError,
    Throttled,
    Unavailable,
)
from shared.inventory import WholeInventory
from shared.policy import Policy
from shared.traffic import TrafficTarget
from shared.wording_rendering import Templates
from tests.fakes.alert_states import FakeAlertStates
from tests.fakes.bus import MemoryBus
from tests.fakes.copies import record
from tests.fakes.databases import FakeDatabases
from tests.fakes.documents import FakeDocuments
from tests.fakes.identity import FakeEntrance, FakeIdentity, FakeVoice
from tests.fakes.media import MemoryMedia
from tests.fakes.mirrors import MemoryMirrors
from tests.fakes.objects import MemoryObjects
from tests.fakes.provisions import FakeProvisions
from tests.fakes.restores import FakeRestores
from tests.fakes.rewrites import FakeRewrites
from tests.fakes.router import FakeMetrics, FakeProber
from tests.fakes.vault import MemoryVault
from tests.simulation.estate import BAD, POLICY, SYSTEM, at_the_start, changed
from tests.simulation.faults import Fault, Faults, LandsLate
from tests.simulation.laws import TEMPLATE, Laws
from tests.simulation.pool import TaskPool
from tests.simulation.scheduler import (
    Endless,
    Instance,
    InstanceClock,
    Scheduler,
    TrueClock,
)
from tests.simulation.services import (
    BuilderService,
    BusService,
    EstateService,
    PlatformService,
    SenderService,
    Sent,
    StoreService,
)

EFFECTS = ("platform.shift", "builder.build", "hosting.release", "remote_config.publish")
ACKNOWLEDGE_WITHIN_SECONDS = 180.0
"""Then Pub/Sub delivers again, whether or not the first delivery still runs."""
DELIVERY_ATTEMPTS = 100
CLIENT_TIMEOUT_SECONDS = 10.0
STANDSTILLS_SECONDS = (5.0, 15.0, 45.0, 100.0, 200.0)
TICK_SECONDS = 60.0
HORIZON_SECONDS = 3600.0

RESPONDERS: dict[str, Callable[[Any, Mapping[str, Policy]], Responder]] = {
    topics.ALERTS: Alerts,
    topics.OVERRIDE: Commands,
    topics.CLOCK: Clock,
    topics.DEPLOYMENTS: Deployments,
    topics.NOTICES: Notices,
}


class InstancePorts:
    """Every port, as one instance sees it: the clock is its own."""

    def __init__(self, world: World, instance: Instance) -> None:
        self._world = world
        self._instance = instance
        self.clock = InstanceClock(world.scheduler, instance)
        self.store = world.store
        self.bus = world.bus
        self.prober = world.prober
        self.sender = world.sender
        self.identity = FakeIdentity(self.clock, POLICY.project)
        self.console = ""
        self.entrance = FakeEntrance(self.identity)
        self.voice = FakeVoice(self.identity, self.console)
        self.ids = world.new_id
        self.anchors = world.anchors
        self.sources = world.sources
        self.values = world.values
        self.quarantine = None
        self.forms = Templates()
        self.pages = None
        self.mirrors = MemoryMirrors(world.hook)
        self.media = MemoryMedia(world.hook)
        self.provisions = FakeProvisions(world.hook)

    def application_bus(self, system: str) -> MemoryBus:
        """Nothing is asked for here."""
        return MemoryBus(self._world.hook, ())

    def platform(self, system: str) -> PlatformService:
        """The one platform there is."""
        return self._world.platform

    def builder(self, system: str) -> BuilderService:
        """The one platform's deployments."""
        return self._world.builder

    def estate(self, system: str) -> EstateService:
        """The one there is."""
        return self._world.estate

    def metrics(self, system: str) -> FakeMetrics:
        """The one platform's routers."""
        return self._world.metrics

    def alert_states(self, system: str) -> FakeAlertStates:
        """Nobody has looked at them here."""
        return FakeAlertStates(self._world.hook)

    def exports(self, system: str) -> FakeDatabases:
        """Nothing is exported here."""
        return FakeDatabases(self.clock, self.mirrors, self._world.hook)

    def backups(self, system: str) -> FakeDatabases:
        """Nor backed up."""
        return self.exports(system)

    def restores(self, system: str) -> FakeRestores:
        """Nor restored."""
        return FakeRestores(self.clock, self.exports(system), self.documents(system))

    def documents(self, system: str) -> FakeDocuments:
        """Nothing is looked through here."""
        return FakeDocuments(self.clock, self._world.hook)

    def rewrites(self, system: str) -> FakeRewrites:
        """Nor written back."""
        return FakeRewrites(self.documents(system), self._world.hook)

    def pool(self) -> TaskPool:
        """A pool of one invocation."""
        return TaskPool(self._world.scheduler, self._instance)


class World:
    """One protected system and everything that acts on it, until nothing is left to do."""

    acknowledges_first = False
    """A mutant's: the entry point answers before its responder has returned."""

    def __init__(
        self, faults: Faults, random: Random, *, site: bool = False, policy: Policy = POLICY
    ) -> None:
        self.random = random
        self.faults = faults
        self.injected: Counter[Fault] = Counter()
        self.excuses: set[str] = set()
        """What has happened after which a rollback need not succeed."""
        self.incurable = ""
        """The function that fails where it is led back to as well; empty: none."""
        self.spared: frozenset[str] = frozenset()
        """Functions that no canary has spoken for."""
        self.asks = False
        """Whether nothing may run that nobody has approved."""
        self.forbidden = ""
        """Why nothing may be shifted at all, where that is so."""
        self.history: list[str] = []
        self.policy = policy
        """What instances that start now know."""
        self._other_policy = changed(policy)
        self.scheduler = Scheduler()
        self.clock = TrueClock(self.scheduler)
        self.with_site = site
        self.skews = False
        self.unsettled = 0
        """Deliveries and planned events that are still to come."""
        self._ids = 0
        self.started = False
        """Faults and laws wait until the world is set up."""
        self._instances: dict[str, list[tuple[Instance, InstancePorts, Responder]]] = {}
        self._meanwhile = {
            Fault.BY_HAND: self.change_by_hand,
            Fault.ROLL_OUT: self.roll_out,
            Fault.HINT: self.hint,
            Fault.POLICY: self.change_policy,
        }
        """What others do at that moment, and the caller does not notice."""
        self.laws = Laws(self)
        self.estate = EstateService(self)
        self.store = StoreService(self)
        self.bus = BusService(self)
        self.platform = PlatformService(self, policy.functions)
        self.builder = BuilderService(self)
        self.metrics = FakeMetrics(
            self.platform,
            self.clock,
            self.hook,
            lag=timedelta(seconds=5),
            point=timedelta(seconds=10),
        )
        self.prober = FakeProber(self.platform, random, self.hook)
        self.sender = SenderService(self)
        self.stable = {function: self.platform.live(function) for function in policy.functions}
        self.anchors = MemoryObjects(self.hook)
        self.sources = MemoryVault(self.clock, "sources", self.hook)
        self.values = MemoryVault(self.clock, "values", self.hook)
        self.recorded = self._recorded()
        self.store.commit(at_the_start(self.recorded))

    def _recorded(self) -> WholeInventory:
        """What is live, with all that is kept so that it can be built again."""
        functions = record(self.platform.functions()).functions or {}
        for name, one in functions.items():
            if one.source is None:
                raise AssertionError("nothing here is built from nowhere")
            values = copies.written(self.platform.values(name))
            kept = self.values.keep(copies.values_name(SYSTEM, one), values)
            functions[name] = replace(
                one,
                copy=self.sources.copy(one.source, copies.source_name(SYSTEM, one)),
                configuration=replace(one.configuration, values=kept),
            )
        return WholeInventory(functions=functions)

    # Running

    def run(self, horizon: float = HORIZON_SECONDS) -> list[str]:
        """Let everything happen; the laws that were broken, in words."""
        self.started = True
        self.scheduler.at(TICK_SECONDS, self._tick)
        try:
            self.scheduler.run(self.scheduler.now + horizon)
        except Endless as endless:
            self.laws.broken.append(str(endless))
        finally:
            self.started = False
            self.scheduler.abandon()
        self._seal()
        self.laws.at_the_end()
        return self.laws.broken

    def _seal(self) -> None:
        """A quarter of an hour later, nobody having said anything more."""
        ports = InstancePorts(self, Instance("the last sweep"))
        for quarters in (1, 2):
            at = self.clock.now() + quarters * timedelta(minutes=15)
            Sealing(ports, {SYSTEM: self.policy}).seal(at)

    def plan(self, seconds: float, act: Callable[[], object]) -> None:
        """Let something happen later; the world is not over before it has."""
        self.unsettled += 1

        def happen() -> None:
            self.unsettled -= 1
            act()

        self.scheduler.at(seconds, happen)

    def note(self, said: str) -> None:
        """Keep a line of the history."""
        task = self.scheduler.current
        who = task.instance.name if task else "world"
        self.history.append(f"{self.scheduler.now:9.3f} {who:12} {said}")

    def new_id(self) -> str:
        """An id, the same in each run of a seed."""
        self._ids += 1
        return f"id-{self._ids:06d}"

    def _tick(self) -> None:
        if not self.unsettled and self.laws.nothing_is_due():
            self.scheduler.end()
            return
        self.bus.deliver(topics.CLOCK, b"{}")
        self.scheduler.at(TICK_SECONDS, self._tick)

    # What people and the rest of the world do

    def deploy_bad(self, functions: list[str] | None = None) -> None:
        """A bad release was made four minutes ago, after the last look; a hint of it may come."""
        ago = timedelta(minutes=4)
        self.platform.deploy_at(self.clock.now() - ago, functions, failure_rate=0.9)
        if self.with_site:
            self.estate.show(BAD)
        if self.random.random() < 0.5:
            self.plan(self.random.choice((0.0, 30.0)) * self.random.random(), self.hint)

    def roll_out(self) -> None:
        """A release that began before reaches one function more, and a hint of it may come."""
        function = self.random.choice([*self.policy.functions])
        self.excuses.add("a release goes on")
        self._unspared(function)
        self.note(f"rolled out: {function}")
        self.platform.deploy_at(self.clock.now(), [function], failure_rate=0.9)
        if self.random.random() < 0.7:
            self.hint()

    def hint(self) -> None:
        """The audit log tells of a change of what is live."""
        entry = {
            "logName": "any",
            "timestamp": self.clock.now().isoformat(),
            "protoPayload": {
                "serviceName": "run.googleapis.com",
                "methodName": "google.cloud.run.v2.Services.UpdateService",
                "resourceName": f"projects/{POLICY.project}/locations/any/services/any",
            },
        }
        self.bus.deliver(topics.DEPLOYMENTS, msgspec.json.encode(entry))

    def alert(
        self, incident: str = "0.a", state: str = "open", signal: str = "function_failure_rate"
    ) -> None:
        """Cloud Monitoring notifies of trouble that began a minute ago."""
        began = int((self.clock.now() - timedelta(minutes=1)).timestamp())
        content = {
            "version": "1.2",
            "incident": {
                "incident_id": incident,
                "state": state,
                "started_at": began,
                "ended_at": began + 30 if state == "closed" else None,
                "policy_name": "any",
                "condition_name": "any",
                "summary": "any",
                "resource": {
                    "type": "cloud_run_revision",
                    "labels": {"project_id": POLICY.project},
                },
                "policy_user_labels": {"rollback_system": SYSTEM, "rollback_signal": signal},
            },
        }
        self.note(f"alert {incident} {state}")
        self.laws.alerted(incident, state)
        self.bus.deliver(topics.ALERTS, msgspec.json.encode(content))

    def command(self, verb: str, **content: Any) -> None:
        """A person publishes a command."""
        key = f"command-{self.new_id()}"
        said = {"version": 1, "id": key, "command": verb, "reason": "a test", "actor": "eve"}
        self.note(f"command {verb} {content}")
        self.laws.commanded(key)
        self.excuses.add(f"a person ordered: {verb}")
        self.bus.deliver(topics.OVERRIDE, msgspec.json.encode({**said, **content}))

    def pause_for(self, seconds: float) -> None:
        """A person pauses automation, here or everywhere, and lets it go on later."""
        where = {"system": SYSTEM} if self.random.random() < 0.5 else {}
        self.command("pause", **where)
        self.plan(seconds, partial(self.command, "resume", **where))

    def freeze_for(self, seconds: float) -> None:
        """A person freezes everything, here or everywhere, from now on."""
        where = {"system": SYSTEM} if self.random.random() < 0.5 else {}
        until = self.clock.now() + timedelta(seconds=seconds)
        self.command("freeze", until=until.isoformat(), **where)

    def answer(self, verb: str) -> None:
        """A person says something about the newest incident, once they know of it."""
        system = self.store.peek(f"systems/{SYSTEM}") or {}
        if not system.get("incident"):
            self.plan(10.0, partial(self.answer, verb))
            return
        about = {"system": SYSTEM, "incident": system["incident"]}
        rollback = self.store.peek(f"rollbacks/{system['rollback']}") or {}
        question = rollback.get("question")
        if verb in ("approve", "reject") and question and self.random.random() < 0.7:
            about["plan"] = question["plan"]["fingerprint"]
        self.command(verb, **about)

    def publish_by_hand(self) -> None:
        """A person publishes another template."""
        self.excuses.add("a person published a template")
        self.note("by hand: a template")
        self.estate.publish_by_hand()
        self.laws.changed_by_hand(TEMPLATE)

    def change_by_hand(self) -> None:
        """A person sets the traffic of one function, or makes a new revision of it."""
        function = self.random.choice([*self.policy.functions])
        self.excuses.add("a person changed traffic")
        self.note(f"by hand: {function}")
        self._unspared(function)
        if self.random.random() < 0.3:
            self.platform.deploy_at(self.clock.now(), [function], failure_rate=0.0)
            self.laws.deployed_by_hand(function)
        else:
            [newest, *_] = self.platform.services()[function].revisions
            self.platform.change_by_hand(function, (TrafficTarget(newest.name, 100, "mine"),))
            self.laws.changed_by_hand(function)

    def _unspared(self, function: str) -> None:
        """A canary that others have led elsewhere keeps nobody waiting."""
        self.spared -= frozenset(self.policy.groups[self.policy.functions[function]].functions)

    def release_by_hand(self, function: str, revision: str) -> None:
        """A person or their pipeline sends all requests of a function to a revision."""
        self.platform.change_by_hand(function, (TrafficTarget(revision, 100),))
        self.laws.changed_by_hand(function)

    # Faults

    def hook(self, verb: str, side: str) -> None:
        if self.scheduler.current is None or not self.started:
            return
        if side == "before":
            self.scheduler.sleep(0.005 + 0.02 * self.random.random())
        fault = self.fault_at(f"{side} {verb}")
        if fault is not None:
            self.inject(fault, verb)

    def fault_at(self, point: str) -> Fault | None:
        """What goes wrong at this point, counted and noted."""
        if not self.started:
            return None
        task = self.scheduler.current
        instance = task.instance.name if task else ""
        fault = self.faults.at(point, instance, self.scheduler.now)
        if fault is not None:
            self.injected[fault] += 1
            self.note(f"FAULT {fault} {point}")
        return fault

    def inject(self, fault: Fault, verb: str) -> None:
        """Let it go wrong, here and now. Raises: what the caller is to see."""
        task = self.scheduler.current
        if task is None:
            raise AssertionError("the world itself does not fail")
        instance = task.instance
        match fault:
            case Fault.CRASH:
                self.scheduler.kill(instance)
                self.scheduler.sleep(0.0)
            case Fault.STANDSTILL:
                self.scheduler.stand_still(instance, self.random.choice(STANDSTILLS_SECONDS))
                self.scheduler.sleep(0.0)
            case Fault.CLOCK_JUMP:
                instance.skew_seconds = self.random.uniform(-300.0, 300.0)
                self.skews = True
            case Fault.PAUSE:
                self.pause_for(self.random.uniform(5.0, 90.0))
                self.scheduler.sleep(0.3)
            case Fault.ORDER:
                self.command("rollback", system=SYSTEM)
                self.scheduler.sleep(0.5)
            case Fault.BY_HAND if verb.startswith("remote_config."):
                self.publish_by_hand()
            case _ if fault in self._meanwhile:
                self._meanwhile[fault]()
            case _:
                self._answer_badly(fault, verb)

    def _answer_badly(self, fault: Fault, verb: str) -> None:
        writes = verb in ("store.commit", *EFFECTS)
        match fault:
            case Fault.NO_ANSWER | Fault.APPLIED:
                raise Ambiguous(f"{verb}: {fault}") if writes else Unavailable(f"{verb}: {fault}")
            case Fault.OWN_RETRY:
                raise Exists(verb) if self.random.random() < 0.7 else Moved(verb)
            case Fault.THROTTLED:
                raise Throttled(verb, timedelta(seconds=self.random.choice((1, 5, 20))))
            case Fault.LANDS_LATE:
                raise LandsLate
            case Fault.FAILS_LATE | Fault.VANISHES:
                self.platform.next_fails = fault

    def give_up_waiting(self) -> None:
        """The caller of a request that lands late waits for its time-out, or dies of waiting."""
        task = self.scheduler.current
        if task is not None and self.random.random() < 0.4:
            self.scheduler.kill(task.instance)
        self.scheduler.sleep(CLIENT_TIMEOUT_SECONDS * self.random.random())

    def change_policy(self) -> None:
        """Instances that start from now on know another policy."""
        self.excuses.add("the policy changed")
        self.spared = frozenset()  # another function is the canary now
        self.policy, self._other_policy = self._other_policy, self.policy
        for started in self._instances.values():
            started.clear()

    # Delivery

    def route(self, message: Sent) -> None:
        """Deliver a message once or several times, soon or late."""
        fault = self.fault_at("before delivery")
        times, late = 5 if self.bus.repeats and message.topic == topics.WORK else 1, 0.0
        if fault is Fault.DUPLICATE:
            times += self.random.randint(1, 4)
        elif fault is Fault.LATE:
            late = self.random.choice((20.0, 70.0, 400.0, 1200.0))
            if message.topic == topics.ALERTS:
                self.excuses.add("the alert was old news")
            if message.topic == topics.OVERRIDE:
                self.excuses.add("a command was late")
        apart: tuple[float, ...] = (0.0,)
        if fault is Fault.DUPLICATE:
            apart = self.random.choice(((0.0,), (0.0, 3.0, 60.0)))
        for _ in range(times):
            delay = late + 0.01 + 0.1 * self.random.random() + self.random.choice(apart)
            self.plan(delay, partial(self._push, message, 1))

    def _push(self, message: Sent, attempt: int) -> None:
        """Deliver once; again after a while, unless it is acknowledged."""
        if attempt > DELIVERY_ATTEMPTS:
            self.laws.broken.append(f"{message.topic} {message.id} was never acknowledged")
            return
        self.unsettled += 1
        instance, ports, responder = self._instance(message.topic)
        instance.idle = False
        settled = False

        def settle(*, acknowledged: bool) -> None:
            nonlocal settled
            if settled:
                return
            settled = True
            self.unsettled -= 1
            if not acknowledged:
                again = partial(self._push, message, attempt + 1)
                self.plan(1.0 + 2.0 * self.random.random(), again)

        def deliver() -> None:
            acknowledged = False
            if self.acknowledges_first:
                settle(acknowledged=True)
            try:
                acknowledged = self._delivered(message, attempt, ports, responder)
                fault = self.fault_at("before acknowledgement")
                if fault is not None:
                    acknowledged = False
                if fault is Fault.CRASH:
                    self.inject(fault, "acknowledgement")
            finally:
                instance.idle = True
                settle(acknowledged=acknowledged)

        self.scheduler.spawn(instance, deliver)
        late = partial(settle, acknowledged=False)
        self.scheduler.at(ACKNOWLEDGE_WITHIN_SECONDS, late)

    def _delivered(
        self, message: Sent, attempt: int, ports: InstancePorts, responder: Responder
    ) -> bool:
        """Whether it is acknowledged, as main.py decides."""
        received = Message(
            id=message.id,
            topic=f"projects/{POLICY.project}/topics/{message.topic}",
            data=message.data,
            attributes=message.attributes,
            published_at=message.published_at,
            ordering_key="",
            delivery_attempt=attempt,
            subscription="",
        )
        try:
            try:
                responder.receive(received)
            except Refused as refused:
                refuse(received, refused.reason, ports, self.policy)
        except LostRollback as lost:
            self.note(f"lost: {lost}")
        except RollbackError as failure:
            self.note(f"not acknowledged {message.topic} {message.id}: {failure!r}")
            return False
        except Exception as bug:
            self.laws.broken.append(f"{message.topic}: {bug!r}")
            raise
        return True

    def _instance(self, topic: str) -> tuple[Instance, InstancePorts, Responder]:
        """An idle instance of a function, or a new one."""
        started = self._instances.setdefault(topic, [])
        started[:] = [one for one in started if one[0].alive]
        idle = [one for one in started if one[0].idle]
        if idle and (len(started) > 2 or self.random.random() < 0.8):
            return idle[int(self.random.random() * len(idle))]
        skew = self.random.uniform(-300.0, 300.0) if self.skews else 0.0
        instance = Instance(f"{topic.removeprefix('rollback-')}-{self.new_id()}", skew)
        ports = InstancePorts(self, instance)
        policies = {SYSTEM: self.policy}
        if topic == topics.WORK:
            responder: Responder = Work(ports, policies)
        else:
            responder = RESPONDERS[topic](ports, policies)
        started.append((instance, ports, responder))
        return started[-1]
