"""The product in one thread: production responders over the fakes, and a bus that delivers."""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

from msgspec.structs import replace

from local.installation.provisioning import derived_topics
from responders.support.dead_letters import dead_letter_message
from responders.support.published_policies import resolve_policies
from responders.triggers.registry import TRIGGERS, Trigger
from shared.core import topics
from shared.core.codec import decode
from shared.core.errors import LostRollback, Refused, RollbackError
from shared.core.pubsub_message import PubSubMessage
from shared.core.runtime import Pool
from shared.core.store import Query
from shared.domain.audit.chain import AuditEntry
from shared.domain.audit.chain import find_chain_faults as chain_faults
from shared.domain.commands.credential import ROLE_CLAIM
from shared.domain.deployments.inventory.traffic import traffic_shares
from shared.domain.incidents.incident import Incident
from shared.domain.policy.signals import BreadthLimits
from shared.domain.policy.system_policy import Policy
from shared.domain.presentation.notice_templates import NoticeTemplates
from shared.domain.rollback.plan import Step, StepStatus
from shared.domain.rollback.rollback import Rollback
from shared.engine.steps.functions import serve_revision, shift_traffic
from shared.policy_files import loader
from shared.ports.identity import TokenVerifier
from shared.ports.platform import Services
from tests.support.fakes.firestore.databases import FakeDatabases
from tests.support.fakes.firestore.documents import FakeDocuments
from tests.support.fakes.firestore.restores import FakeRestores
from tests.support.fakes.firestore.rewrites import FakeRewrites
from tests.support.fakes.firestore.store import MemoryStore
from tests.support.fakes.groups import BucketFakes, NoticeFakes, OperatorFakes, ProjectFakes, SystemFakes
from tests.support.fakes.identity import FakeIdentity, FakeServiceIdentity, FakeSignIn
from tests.support.fakes.monitoring.alert_states import FakeAlertStates
from tests.support.fakes.project.provisions import FakeProvisions
from tests.support.fakes.pubsub.bus import MemoryBus, Published
from tests.support.fakes.resources import FakeEstate
from tests.support.fakes.run.builder import FakeBuilder
from tests.support.fakes.run.platform import FakePlatform
from tests.support.fakes.run.router import FakeMetrics, FakeProber
from tests.support.fakes.runtime.clock import START, FakeClock
from tests.support.fakes.runtime.hooks import Hook, no_hook
from tests.support.fakes.runtime.pool import InlinePool
from tests.support.fakes.sender import FakeSender, SentNotice
from tests.support.fakes.storage.media import MemoryMedia
from tests.support.fakes.storage.mirrors import MemoryMirrors
from tests.support.fakes.storage.objects import MemoryObjects
from tests.support.fakes.storage.public_pages import MemoryPages
from tests.support.fakes.storage.vault import MemoryVault

POLICIES = Path(__file__).parent.parent.parent.parent / "policies"
TURNS = frozenset(
    {
        "incident.detected",
        "rollback.decided",
        "rollback.shifted",
        "rollback.verified",
        "rollback.succeeded",
        "step.begun",
        "step.done",
    }
)
"""What happens at most once to a rollback, or to one of its steps."""
EXAMPLE = loader.load_policy(POLICIES / "example.yaml")
CHECKED = replace(EXAMPLE, probes=tuple(replace(probe, signal=None) for probe in EXAMPLE.probes))
"""The example, which looks after its data, and is told of other trouble by Cloud Monitoring."""
BOOKSHOP = replace(CHECKED, collections={}, breadth=BreadthLimits(critical_above=0.0))
"""The example, told of trouble by Cloud Monitoring alone; each signal means its worst."""
UNPROBED = replace(BOOKSHOP, probes=tuple(probe for probe in BOOKSHOP.probes if probe.name == "shop"))
"""That shop without a probe of a function: only requests tell how its functions do."""


class FakePorts:
    """Every port of one world, as the wiring would hand them out."""

    def __init__(
        self,
        policy: Policy,
        hook: Hook = no_hook,
        seed: int = 0,
        *,
        start: datetime = START,
        clock: FakeClock | None = None,
    ) -> None:
        self.policies: Mapping[str, Policy] = {policy.system: policy}
        self.clock = clock or FakeClock(start)
        self.random = Random(seed)
        self.store = MemoryStore(self.clock, hook)
        self.bus = MemoryBus(hook, topics.ALL_TOPICS)
        self.world = FakePlatform(self.clock, policy.functions, hook)
        self.services: Services = self.world
        self.builds = FakeBuilder(self.world, self.clock, hook)
        self.beside = FakeEstate(hook)
        self.prober = FakeProber(self.world, self.random, hook)
        self.sender = FakeSender(hook)
        self.sign_in = FakeIdentity(self.clock, policy.project)
        self.identity: TokenVerifier = self.sign_in
        self.console = "rollback-console@bookshop-ops.iam.gserviceaccount.com"
        self.entrance = FakeSignIn(self.sign_in)
        self.voice = FakeServiceIdentity(self.sign_in, self.console)
        self.counts = FakeMetrics(self.world, self.clock, hook)
        self.anchors = MemoryObjects(hook)
        self.sources = MemoryVault(self.clock, "sources", hook)
        self.values = MemoryVault(self.clock, "values", hook)
        self.quarantine = MemoryVault(self.clock, "quarantine", hook)
        self.forms = NoticeTemplates()
        self.pages: MemoryPages | None = None
        """None: most worlds have no status page, which saves the time to write it."""
        self.policies_bucket: MemoryPages | None = None
        """None: most worlds have the policies of their code alone."""
        self.alerts = FakeAlertStates(hook)
        self.mirrors = MemoryMirrors(hook)
        self.databases = FakeDatabases(self.clock, self.mirrors, hook)
        self.kept = FakeDocuments(self.clock, hook)
        self.rewritten = FakeRewrites(self.kept, hook)
        self.filled = FakeRestores(self.clock, self.databases, self.kept, hook)
        self.media = MemoryMedia(hook)
        self.provisions = FakeProvisions(hook)
        self.theirs = MemoryBus(hook, derived_topics(policy))
        self._ids = 0

    def ids(self) -> str:
        """Ids that are the same in each run."""
        self._ids += 1
        return f"id-{self._ids:06d}"

    @property
    def operators(self) -> OperatorFakes:
        """Ada, the console, and its account."""
        return OperatorFakes(self.identity, self.console, self.entrance, self.voice)

    @property
    def notices(self) -> NoticeFakes:
        """What takes notices."""
        return NoticeFakes(self.sender, self.forms, self.pages)

    @property
    def buckets(self) -> BucketFakes:
        """The buckets of the operations project."""
        return BucketFakes(self.anchors, self.sources, self.values, self.quarantine, self.policies_bucket)

    @property
    def projects(self) -> ProjectFakes:
        """What is in any project."""
        return ProjectFakes(self.services, self.mirrors, self.media, self.provisions)

    def system(self, name: str) -> SystemFakes:
        """The one system there is."""
        return SystemFakes(
            bus=self.theirs,
            platform=self.world,
            builder=self.builds,
            resources=self.beside,
            metrics=self.counts,
            alert_states=self.alerts,
            exports=self.databases,
            backups=self.databases,
            restores=self.filled,
            documents=self.kept,
            rewrites=self.rewritten,
        )

    def pool(self) -> Pool:
        """A pool of one invocation."""
        return InlinePool(self.clock)


class PortShortcuts:
    """What most tests read of the ports, and how they let time pass."""

    ports: FakePorts

    @property
    def now(self) -> datetime:
        """What the clock shows."""
        return self.ports.clock.now()

    def advance_clock(self, by: timedelta) -> None:
        """Time passes, and nothing is delivered."""
        self.ports.clock.advance(by)

    @property
    def platform(self) -> FakePlatform:
        """What runs the functions."""
        return self.ports.world

    @property
    def store(self) -> MemoryStore:
        """Our own state."""
        return self.ports.store

    @property
    def documents(self) -> dict[str, dict[str, Any]]:
        """The documents of our own state, by path."""
        return self.ports.store.documents

    @property
    def sent_notices(self) -> list[SentNotice]:
        """The notices that have left, in order."""
        return self.ports.sender.sent


class World(PortShortcuts):
    """A protected system, its responders, and messages that are delivered at least once."""

    def __init__(
        self,
        hook: Hook = no_hook,
        policy: Policy = BOOKSHOP,
        *,
        seed: int = 0,
        promoted: bool = True,
        ports: FakePorts | None = None,
        furnish: Callable[[FakeEstate], None] = lambda _: None,
    ) -> None:
        self.policy = policy
        self.ports = ports or FakePorts(policy, hook, seed)
        furnish(self.ports.beside)
        self.delivered = 0
        self._said = 0
        self.start_instances()
        self.announce("v1", stable=True)
        gates = policy.gates
        if promoted and (gates.drills_before_ask or gates.drills_before_act):
            self.settle()
            self.command(command="drill", system=policy.system)
            self.settle()
        if promoted:
            self.command(command="promote", system=policy.system, mode="act")
        self.settle()

    def start_instances(self) -> None:
        """Fresh instances of every function: nothing remembered."""
        self.ports.policies = {self.policy.system: self.policy}
        self._start_responders(self.ports.policies)

    def _start_responders(self, policies: Mapping[str, Policy]) -> None:
        self.policies = policies
        self.responders: dict[str, Trigger] = {
            topic: TRIGGERS[entry_point](self.ports, policies)
            for entry_point, several in topics.ENTRY_POINTS.items()
            for topic in several
        }

    # What happens in the world

    def deploy_bad(self, functions: Iterable[str] | None = None, rate: float = 0.8) -> None:
        """A bad release goes out, and is live for ten minutes."""
        chosen = None if functions is None else list(functions)
        self.ports.world.deploy(chosen, failure_rate=rate)
        self.ports.clock.advance(timedelta(minutes=10))

    def announce(self, deployment: str, **said: Any) -> None:
        """CI tells of a deployment."""
        self.publish(
            topics.DEPLOYMENTS, {"version": 1, "system": self.policy.system, "deployment": deployment, **said}
        )

    def command(self, actor: str = "somebody", **content: Any) -> None:
        """A person who may say anything publishes a command, with a token of their own."""
        self._said += 1
        token = self.ports.sign_in.person(
            sub=f"uid-{actor}", email=actor, jti=self._said, **{ROLE_CLAIM: "admin"}
        )
        said = {"version": 1, "reason": "a test", **content, "token": token}
        self.publish(topics.COMMANDS, said)

    def send_command(self, verb: str, actor: str = "somebody", **content: Any) -> None:
        """A person publishes a command for this system."""
        self.command(actor, **{"command": verb, "system": self.policy.system, **content})

    def carry_out(self, verb: str, actor: str = "somebody", **content: Any) -> None:
        """A person's command for this system arrives, and whatever follows from it at once."""
        self.send_command(verb, actor, **content)
        self.settle()

    def alert(self, incident: str = "0.abc", state: str = "open", **changes: Any) -> None:
        """Cloud Monitoring notifies of a signal that began a minute ago."""
        self.publish(topics.ALERTS, self.notification(incident, state, **changes))

    def notification(
        self,
        incident: str = "0.abc",
        state: str = "open",
        signal: str = "function_failure_rate",
        started_at: datetime | None = None,
        **changes: Any,
    ) -> dict[str, Any]:
        """A notification as Cloud Monitoring sends it."""
        began = started_at or self.ports.clock.now() - timedelta(minutes=1)
        return {
            "version": "1.2",
            "incident": {
                "incident_id": incident,
                "state": state,
                "started_at": int(began.timestamp()),
                "ended_at": None,
                "policy_name": "any",
                "condition_name": "any",
                "summary": "any",
                "resource": {"type": "cloud_run_revision", "labels": {"project_id": self.policy.project}},
                "policy_user_labels": {"rollback_system": self.policy.system, "rollback_signal": signal},
                **changes,
            },
        }

    def publish(self, topic: str, content: Mapping[str, Any] | bytes) -> None:
        """Anybody publishes; it is no verb of the product, so no hook is asked."""
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        bus = self.ports.bus
        hook, bus.hook = bus.hook, no_hook
        try:
            bus.publish(topic, data)
        finally:
            bus.hook = hook

    # Delivery

    def deliver(self, published: Published, published_at: datetime | None = None) -> bool:
        """Whether one delivery was acknowledged. Raises: what kills an instance."""
        message = PubSubMessage(
            id=published.id,
            topic=f"projects/{self.policy.project}/topics/{published.topic}",
            data=published.data,
            attributes=published.attributes,
            published_at=published_at or self.ports.clock.now(),
        )
        self.delivered += 1
        policies = resolve_policies(self.ports.store, self.policies)
        if policies is not self.policies:
            self._start_responders(policies)
        try:
            self.responders[published.topic].receive(message)
        except Refused as refused:
            dead_letter_message(message, refused.reason, self.ports, self.policy)
        except LostRollback:
            return True
        except RollbackError:
            return False
        return True

    def waiting(self) -> list[Published]:
        """Messages for somebody of ours, oldest first."""
        return [one for one in self.ports.bus.messages if one.topic in self.responders]

    def deliver_commands(self) -> None:
        """What people have said arrives, and nothing else: while a worker is busy."""
        for one in [one for one in self.waiting() if one.topic == topics.COMMANDS]:
            self.ports.bus.messages.remove(one)
            self.deliver(one)

    def deliver_newest(self) -> None:
        """The newest message arrives at once, in the middle of whatever runs."""
        self.deliver(self.take_newest())

    def take_newest(self) -> Published:
        """The newest message, which waits no longer: for a delivery of its own."""
        newest = self.waiting()[-1]
        self.ports.bus.messages.remove(newest)
        return newest

    def settle(self, limit: int = 500) -> None:
        """Deliver until no message waits; what is refused an acknowledgement comes again."""
        for _ in range(limit):
            waiting = self.waiting()
            if not waiting:
                return
            published = waiting[0]
            self.ports.bus.messages.remove(published)
            if not self.deliver(published):
                self.ports.clock.advance(timedelta(seconds=1))
                self.ports.bus.messages.append(published)
        raise AssertionError(f"still {len(self.waiting())} messages after {limit} deliveries")

    def pass_time(self, span: timedelta) -> None:
        """Let the clock tick each half minute, and deliver what it hands on."""
        clock = self.ports.clock
        until = clock.now() + span
        while (before := clock.now()) < until:
            self.settle()
            self.publish(topics.CLOCK, b"{}")
            self.settle()
            if clock.now() == before:  # another instance has this half minute in hand: time passes
                clock.advance(timedelta(seconds=30))

    # What became of it

    @property
    def live(self) -> dict[str, dict[str, int]]:
        """Percent per revision that each function really serves."""
        return {
            name: traffic_shares(live.service.serving, live.service.latest_ready)
            for name, live in self.ports.world.inventory().items()
        }

    def incidents(self) -> list[Incident]:
        """Every incident, oldest first."""
        found = self.ports.store.query(Query("incidents"))
        return [decode(Incident, one.fields) for one in found]

    def rollbacks(self) -> list[Rollback]:
        """Every rollback, oldest first."""
        found = self.ports.store.query(Query("rollbacks"))
        return [decode(Rollback, one.fields) for one in found]

    @property
    def incident(self) -> Incident:
        """The only incident. Raises: ValueError where there is none, or another."""
        [incident] = self.incidents()
        return incident

    @property
    def rollback(self) -> Rollback:
        """The only rollback. Raises: ValueError where there is none, or another."""
        [rollback] = self.rollbacks()
        return rollback

    @property
    def newest_incident(self) -> Incident:
        """The incident that was detected last."""
        return self.incidents()[-1]

    @property
    def newest_rollback(self) -> Rollback:
        """The rollback that was begun last."""
        return self.rollbacks()[-1]

    def steps(self, rollback: str) -> dict[str, Step]:
        """The steps of one rollback."""
        found = self.ports.store.query(Query(f"rollbacks/{rollback}/steps"))
        return {step.name: step for step in (decode(Step, one.fields) for one in found)}

    def trail(self, rollback: Rollback) -> list[AuditEntry]:
        """The audit entries of one rollback, in order."""
        found = self.ports.store.query(Query(f"rollbacks/{rollback.id}/audit"))
        return [decode(AuditEntry, one.fields) for one in found]

    def events(self, rollback: Rollback) -> list[str]:
        """The names of what happened to one rollback, in order."""
        return [event.name for entry in self.trail(rollback) for event in entry.events]

    def find_violated_invariants(self) -> list[str]:
        """What no world may ever show, whatever happened in it."""
        found = []
        for one in self.rollbacks():
            found += [
                f"{one.id}: {fault}"
                for fault in chain_faults(
                    f"rollbacks/{one.id}", self.trail(one), one.audit_head, one.sequence
                )
            ]
            found += [f"{one.id}: {twice}" for twice in self._told_twice(one)]
        shifts = Counter(self.ports.world.applied_shifts)
        planned = self._planned()
        found += [
            f"{name} was shifted {times} times"
            for name, times in shifts.items()
            if times > max(1, planned[name])
        ]
        said = Counter(sent.key for sent in self.ports.sender.sent if not sent.notice["repeated"])
        found += [f"{key} was said twice unmarked" for key, times in said.items() if times > 1]
        return found

    def _planned(self) -> Counter[str]:
        """How many plans were to lead each service: more than one where a person takes it back."""
        steps = (step for one in self.rollbacks() for step in self.steps(one.id).values())
        return Counter(
            step.goal["service"].rpartition("/")[2]
            for step in steps
            if step.kind in (shift_traffic.KIND, serve_revision.KIND) and step.status is StepStatus.DONE
        )

    def _told_twice(self, one: Rollback) -> list[str]:
        """Ends and turns that the trail tells more than once: each happens once."""
        told: Counter[tuple[str, str]] = Counter()
        for entry in self.trail(one):
            for event in entry.events:
                turn = event.name if event.name in TURNS else ""
                if event.name == "step.begun" and event.facts["before"] != "PENDING":
                    turn = ""  # the same intent under a newer precondition
                step = event.facts.get("step", "")
                if turn:
                    told[turn, step] += 1
                if event.name == "step.pending":  # an intent that was taken back before its effect
                    told["step.begun", step] -= 1
        extensions = one.plan.extensions if one.plan else 0  # each is shifted and verified again
        again = ("rollback.shifted", "rollback.verified")
        return [
            f"{name} {step} {times} times"
            for (name, step), times in told.items()
            if times > 1 + (extensions if name in again else 0)
        ]
