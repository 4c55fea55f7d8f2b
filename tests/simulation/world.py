"""Production responders on many instances, and the world around them, under one scheduler."""

from collections.abc import Callable
from datetime import timedelta
from random import Random

from msgspec.structs import replace

from responders.jobs.audit_seal import AuditSealer
from shared.core import topics
from shared.core.errors import Rejected
from shared.domain.deployments import source_copies
from shared.domain.deployments.inventory.inventory_parts import WholeInventory
from shared.domain.policy.system_policy import Policy
from tests.simulation.faults.injection import Mishaps
from tests.simulation.faults.points import Faults
from tests.simulation.invariants import Laws
from tests.simulation.runtime.delivery import Delivery
from tests.simulation.runtime.ports import InstancePorts
from tests.simulation.runtime.scheduler import Endless, Instance, Scheduler, TrueClock
from tests.simulation.runtime.services import (
    BuilderService,
    BusService,
    EstateService,
    PlatformService,
    SenderService,
    StoreService,
)
from tests.simulation.scenes.actors import Others
from tests.simulation.scenes.bookshop import POLICY, SYSTEM, at_the_start
from tests.simulation.statements.truth import Truth
from tests.support.fakes.monitoring.alert_states import FakeAlertStates
from tests.support.fakes.run.router import FakeMetrics, FakeProber
from tests.support.fakes.run.source_copies import build_record_with_copies
from tests.support.fakes.storage.objects import MemoryObjects
from tests.support.fakes.storage.vault import MemoryVault

TICK_SECONDS = 60.0
HORIZON_SECONDS = 3600.0


class World:
    """One protected system and everything that acts on it, until nothing is left to do."""

    def __init__(
        self,
        faults: Faults,
        random: Random,
        *,
        site: bool = False,
        policy: Policy = POLICY,
        judges_statements: bool = True,
    ) -> None:
        self.random = random
        self.excuses: set[str] = set()
        """What has happened after which a rollback need not succeed."""
        self.incurable = ""
        """The function that fails where it is led back to as well; empty: none."""
        self.spared: frozenset[str] = frozenset()
        """Functions that no canary has spoken for."""
        self.fix: dict[str, str] = {}
        """The revision of each function that was deployed as a fix."""
        self.asks = False
        """Whether nothing may run that nobody has approved."""
        self.forbidden = ""
        """Why nothing may be shifted at all, where that is so."""
        self.history: list[str] = []
        self.policy = policy
        """What instances that start now know."""
        self.scheduler = Scheduler()
        self.clock = TrueClock(self.scheduler)
        self.with_site = site
        self.judges_statements = judges_statements
        self.skews = False
        self.unsettled = 0
        """Deliveries and planned events that are still to come."""
        self._ids = 0
        self.started = False
        """Faults and laws wait until the world is set up."""
        self.others = Others(self)
        self.mishaps = Mishaps(self, faults)
        self.hook = self.mishaps.hook
        self.delivery = Delivery(self)
        self.laws = Laws(self)
        self.estate = EstateService(self)
        self.store = StoreService(self)
        self.bus = BusService(self)
        self.platform = PlatformService(self, policy.functions)
        self.builder = BuilderService(self)
        self.metrics = FakeMetrics(
            self.platform, self.clock, self.hook, lag=timedelta(seconds=5), point=timedelta(seconds=10)
        )
        self.prober = FakeProber(self.platform, random, self.hook)
        self.sender = SenderService(self)
        self.truth = Truth(self)
        self.alert_states = FakeAlertStates(self.hook)
        """What Cloud Monitoring says of its alerts; of most it knows nothing."""
        self.stable = {function: self.platform.live(function) for function in policy.functions}
        self.anchors = MemoryObjects(self.hook)
        self.sources = MemoryVault(self.clock, "sources", self.hook)
        self.values = MemoryVault(self.clock, "values", self.hook)
        self.recorded = self._recorded()
        self.store.commit(at_the_start(self.recorded))

    def _recorded(self) -> WholeInventory:
        """What is live, with all that is kept so that it can be built again."""
        functions = build_record_with_copies(self.platform.functions()).functions or {}
        for name, one in functions.items():
            if one.source is None:
                raise AssertionError("nothing here is built from nowhere")
            values = source_copies.encode_values(self.platform.values(name))
            kept = self.values.keep(source_copies.values_object_name(SYSTEM, one), values)
            functions[name] = replace(
                one,
                copy=self.sources.copy(one.source, source_copies.source_object_name(SYSTEM, one)),
                configuration=replace(one.configuration, values=kept),
            )
        return WholeInventory(functions=functions)

    def run(self, horizon: float = HORIZON_SECONDS) -> list[str]:
        """Let everything happen; the laws that were broken, in words."""
        self.started = True
        self.scheduler.at(TICK_SECONDS, self._tick)
        ends = self.scheduler.now + horizon
        try:
            self.scheduler.run(ends)
        except Endless as endless:
            self.laws.broken.append(str(endless))
        finally:
            self.started = False
            self.scheduler.abandon()
        self._seal()
        self.laws.end.at_the_end()
        if self.laws.statements is not None:
            self.laws.statements.at_the_end(goes_on=self.scheduler.now < ends - TICK_SECONDS)
        return self.laws.broken

    def _seal(self) -> None:
        """A quarter of an hour later, nobody having said anything more."""
        ports = InstancePorts(self, Instance("the last sweep"))
        for quarters in (1, 2):
            at = self.clock.now() + quarters * timedelta(minutes=15)
            sealer = AuditSealer(ports, {SYSTEM: self.policy})
            for system in sealer.chains:
                try:
                    sealer.seal(system, at)
                except Rejected as rejected:
                    self.laws.broken.append(f"law 11: the chain of {system} is not sealed: {rejected}")

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
        if not self.unsettled and self.laws.end.nothing_is_due():
            self.scheduler.end()
            return
        self.bus.deliver(topics.CLOCK, b"{}")
        self.scheduler.at(TICK_SECONDS, self._tick)
