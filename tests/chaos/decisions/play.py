"""Play one situation: production responders in virtual time, and what became of it."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import redirect_stderr
from datetime import datetime, timedelta
from functools import partial
from io import StringIO
from math import inf
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from msgspec import Struct

from shared.core import topics
from shared.core.codec import decode
from shared.core.runtime import Pool
from shared.core.store import Query
from shared.domain.deployments.inventory.inventory_parts import HostingSite
from shared.domain.deployments.restorability import FINALIZED
from shared.domain.incidents.incident import Incident
from shared.domain.incidents.recovery_times import recovery_target
from shared.domain.notices.recipients import incident_stage
from shared.domain.policy.channels import IncidentStage
from shared.domain.policy.scenario_names import ScenarioName
from shared.domain.policy.severity import Severity
from shared.domain.rollback.rollback import Rollback
from shared.domain.signals.alert import Alert, EvidenceSource
from shared.engine import stop_conditions
from tests.chaos.decisions.answers import Answer, Truth, find_truth
from tests.chaos.decisions.outside import DrawnMonitoring, DrawnProber
from tests.chaos.decisions.situations import DEPLOYMENTS_PER_MINUTE, Cause, Situation
from tests.chaos.decisions.traffic import MINUTE, DrawnTraffic
from tests.simulation.runtime.pool import TaskPool
from tests.simulation.runtime.scheduler import Instance, Scheduler
from tests.simulation.runtime.work import TaskLock
from tests.support.fakes.pubsub.bus import MemoryBus, Published
from tests.support.fakes.resources import FakeEstate
from tests.support.fakes.runtime.clock import FakeClock
from tests.support.fakes.runtime.pool import InlinePool
from tests.support.rollbacks.deployments import publish_audit_hint
from tests.support.runtime.world import FakePorts, World

TICK_SECONDS = 60.0
DELIVERY_SECONDS = 0.2
REDELIVERY_SECONDS = 10.0
REMAINING_SHARE = 0.05
"""Restored is a release of whose failing requests fewer than this still fail."""
RELEASED_SITE, STABLE_SITE = "site-2", "site-1"
PAGERS = frozenset({"pager"})
"""Channels that wake people; the notice of the end clears the page."""
ACKNOWLEDGED_AFTER = timedelta(minutes=2)
"""So long after its detection a person acknowledges an incident."""
ANNOUNCEMENT = re.compile(
    r"last shift in about ([^,;]+)"
    r"(?:, verified (?:in )?about (.+?), (.+) the target of (.+)|.*; (few requests) .+)"
)
"""What `DurationForecast` says of a rollback with a target."""
DURATION = re.compile(r"(\d+) (h|min|s)")
UNIT_SECONDS = {"h": 3600.0, "min": 60.0, "s": 1.0}


class Announcement(Struct, frozen=True):
    """What was announced of one rollback when it began, compared with what it took."""

    shift_delay: float | None
    """Seconds by which the last shift came later; None: nothing was shifted."""
    verified_delay: float | None
    """The same of the newest verification, of what extended the plan, too; None: not verified."""
    claim: str
    """Whether it was to be verified within its target, or "few requests"."""
    is_in_time: bool | None
    """Whether it was, from the detection on; None: the world ends before the target has passed."""


class Outcome(Struct, frozen=True):
    """What became of one world; times are seconds from the onset of its failure."""

    situation: Situation
    truth: Truth
    answer: Answer
    moved: frozenset[str]
    """Functions that automation shifted."""
    has_moved_site: bool
    detected: float | None
    decided: float | None
    """When automation began its first rollback; None: it began none."""
    restored: float | None
    """When hardly any request failed for the release any more; None: they fail still."""
    crossed: float
    """When the level was crossed for as long as its owner declares."""
    visible: float
    """When request counts show that."""
    is_critical: bool
    """Whether an incident is."""
    is_probed: bool
    """Whether an own probe has opened the first incident."""
    questions: int
    incidents: int
    messages: Mapping[str, tuple[int, ...]]
    """By channel: the notices of each incident; of a pager, those that page."""
    target: float
    """Within so many seconds from the detection it is to be restored, by the policy's targets."""
    announcements: tuple[Announcement, ...]
    """Of each rollback that began."""
    reasons: tuple[str, ...]
    """Lines that say what the newest decision of each rollback is, and what its gates answer."""

    @property
    def is_false(self) -> bool:
        """Return whether automation rolled back what it should not, or nothing that fails."""
        if self.answer is not Answer.ROLLBACK:
            return False
        has_moved_cause = bool(self.moved & self.truth.failing) or self.has_moved_site
        return Answer.ROLLBACK not in self.truth.answers or not has_moved_cause

    @property
    def is_restored_in_time(self) -> bool:
        """Return whether what failed was restored within the target, from the detection on."""
        return self.restored_after <= self.target

    @property
    def restored_after(self) -> float:
        """Return the seconds from the detection until what failed was restored; inf: it was not."""
        return inf if self.restored is None or self.detected is None else self.restored - self.detected

    @property
    def is_covered(self) -> bool:
        """Return whether automation moved all that fails."""
        return self.truth.observable <= self.moved and (
            self.has_moved_site or not self.situation.is_site_down
        )

    @property
    def is_right(self) -> bool:
        """Return whether the answer is one of the right ones, and a rollback moved what fails."""
        is_right = self.answer in self.truth.answers
        return is_right and (self.answer is not Answer.ROLLBACK or self.is_covered)

    @property
    def is_wanted(self) -> bool:
        """Return whether a rollback is the only right answer."""
        return self.truth.answers == (Answer.ROLLBACK,)

    @property
    def healthy_moved(self) -> int:
        """Return how many functions were moved that did not fail."""
        return len(self.moved - self.truth.failing)


class SchedulerClock(FakeClock):
    """The scheduler's time; outside its tasks a sleep moves the time at once."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler

    def now(self) -> datetime:
        """The time, aware UTC."""
        return self._scheduler.time()

    def monotonic(self) -> float:
        """Seconds since the world began, from 1000 on."""
        return 1000.0 + self._scheduler.now

    def sleep(self, seconds: float) -> None:
        """Let other tasks go on for that many seconds."""
        if self._scheduler.current is None:
            self._scheduler.now += max(0.0, seconds)
        else:
            self._scheduler.sleep(max(0.0, seconds))

    def advance(self, by: timedelta) -> None:
        """Let time pass."""
        self.sleep(by.total_seconds())


class DecisionPorts(FakePorts):
    """Every port of a drawn world; calls that run in parallel are tasks of the scheduler."""

    def __init__(self, situation: Situation) -> None:
        self.scheduler = Scheduler()
        self._instance = Instance("responders")
        super().__init__(situation.policy, seed=situation.seed, clock=SchedulerClock(self.scheduler))

    def pool(self) -> Pool:
        """A pool of one invocation."""
        if self.scheduler.current is None:
            return InlinePool(self.clock)
        return TaskPool(self.scheduler, self._instance)

    def spawn(self, work: Any) -> None:
        """Begin a task."""
        self.scheduler.spawn(self._instance, work)


class DecisionWorld(World):
    """One protected system in `act`, its traffic and its responders, under a scheduler."""

    def __init__(self, situation: Situation) -> None:
        self.situation = situation
        self.truth = find_truth(situation)
        ports = self.decision_ports = DecisionPorts(situation)
        self._scheduler = ports.scheduler
        sites = situation.policy.resources.hosting_sites
        super().__init__(policy=situation.policy, ports=ports, furnish=partial(_furnish, sites))
        self._start = ports.clock.now()
        self._start_seconds = self._scheduler.now
        self.traffic = DrawnTraffic(situation, ports.world, ports.clock, self._start)
        ports.counts = self.traffic  # type: ignore[assignment]
        ports.prober = DrawnProber(situation, self.traffic, ports.clock, self.is_site_up)  # type: ignore[assignment]
        self.monitoring = DrawnMonitoring(situation, self.traffic, ports.prober, ports.clock, self._notify)  # type: ignore[arg-type]
        ports.alerts = self.monitoring  # type: ignore[assignment]
        ports.bus.__class__ = _DeliveringBus
        ports.bus.deliver = self._deliver_soon  # type: ignore[attr-defined]
        self._acknowledged: set[str] = set()
        self.restored_at: datetime | None = None

    @property
    def onset(self) -> datetime:
        """When the failure begins."""
        return self._start + self.situation.onset_minute * MINUTE

    def is_site_up(self) -> bool:
        """Return whether the site answers now."""
        if not self.situation.is_site_down:
            return True
        if self.situation.cause is Cause.OUTSIDE:
            return not self.traffic.is_failing(self.ports.clock.now())
        return all(site.version != RELEASED_SITE for site in self.ports.beside.sites.values())

    def play(self) -> Outcome:
        """Let everything happen; return what became of it."""
        at, situation = self._at, self.situation
        at(situation.release_minute, self._release_site)
        for number, function in enumerate(situation.released):
            at(situation.release_minute + number / DEPLOYMENTS_PER_MINUTE, partial(self._release, function))
        if situation.unknown_function:
            unknown = partial(self.monitoring.open_unknown, situation.unknown_function)
            at(situation.onset_minute + 4.0, unknown)
        ends = self._start_seconds + situation.played_minutes * TICK_SECONDS
        self._scheduler.at(0.0, self._tick)
        self._scheduler.at(0.0, self._look)
        locks = SimpleNamespace(Lock=lambda: TaskLock(self._scheduler))
        with redirect_stderr(StringIO()), patch.object(stop_conditions, "threading", locks):
            try:
                self._scheduler.run(ends)
            finally:
                self._scheduler.abandon()
        return self._conclude()

    def _at(self, minute: float, act: Any) -> None:
        seconds = self._start_seconds + minute * TICK_SECONDS - self._scheduler.now
        self._scheduler.at(max(0.0, seconds), act)

    def _tick(self) -> None:
        self.publish(topics.CLOCK, b"{}")
        self._scheduler.at(TICK_SECONDS, self._tick)

    def _look(self) -> None:
        """Evaluate the alert policies, and record when the release fails no request any more."""
        self.monitoring.evaluate()
        has_moved = bool(self.ports.world.applied_shifts or self.ports.beside.effects)
        is_restored = has_moved and self.is_site_up() and not self._failing_still()
        if self.restored_at is None and is_restored:
            self.restored_at = self.ports.clock.now()
        for incident in self.incidents():
            is_due = self.ports.clock.now() >= incident.detected_at + ACKNOWLEDGED_AFTER
            if is_due and incident.ended_at is None and incident.id not in self._acknowledged:
                self._acknowledged.add(incident.id)
                self.command(command="ack", system=incident.system, incident=incident.id)
        self._scheduler.at(TICK_SECONDS / 2, self._look)

    def _failing_still(self) -> bool:
        """Return whether more than `REMAINING_SHARE` of the failing requests still fail."""
        rates = {name: self.situation.request_rates[name] for name in self.truth.failing}
        bad = self.traffic.bad_revisions
        failing = (name for name in rates if bad.get(name) in self.ports.world.live(name))
        return sum(rates[name] for name in failing) > REMAINING_SHARE * sum(rates.values())

    def _release(self, function: str) -> None:
        self.ports.world.deploy([function])
        if function in (self.situation.released[0], self.situation.released[-1]):
            publish_audit_hint(self)
        self.traffic.bad_revisions[function] = self.ports.world.services()[function].latest_created

    def _release_site(self) -> None:
        if self.situation.is_site_down and self.situation.cause is Cause.RELEASE:
            sites = self.ports.beside.sites
            sites.update(dict.fromkeys(sites, HostingSite(RELEASED_SITE)))
            publish_audit_hint(self)

    def _notify(self, notification: Mapping[str, Any], seconds: float) -> None:
        self._scheduler.at(seconds, partial(self.publish, topics.ALERTS, notification))

    def _deliver_soon(self, message: Published, attempts: int = 0) -> None:
        if message.topic not in self.responders:
            return
        published_at = self.ports.clock.now()

        def deliver() -> None:
            if not self.deliver(message, published_at) and attempts < 50:
                again = partial(self._deliver_soon, message, attempts + 1)
                self._scheduler.at(REDELIVERY_SECONDS, again)

        self._scheduler.at(DELIVERY_SECONDS, partial(self.decision_ports.spawn, deliver))

    def _count_messages(self, incidents: Sequence[str]) -> dict[str, tuple[int, ...]]:
        counts = Counter(
            (sent.channel, sent.notice["incident"])
            for sent in self.ports.sender.sent
            if sent.channel not in PAGERS or incident_stage(sent.notice["event"]) is not IncidentStage.OVER
        )
        channels = {channel for channel, incident in counts if incident in incidents}
        return {name: tuple(counts[name, incident] for incident in incidents) for name in channels}

    def _conclude(self) -> Outcome:
        rollbacks, incidents = self.rollbacks(), self.incidents()
        automatic = [rollback for rollback in rollbacks if rollback.order is None]
        started = [rollback for rollback in automatic if rollback.plan is not None]
        questions = sum(self._count_questions(rollback) for rollback in automatic)
        services = {service.short_name: name for name, service in self.ports.world.services().items()}
        effects = [effect for effect in self.ports.beside.effects if "serves" in effect]
        detections = [incident.detected_at for incident in incidents]
        alerts = [decode(Alert, document.fields) for document in self.ports.store.query(Query("alerts"))]
        alerts.sort(key=lambda alert: alert.received_at)
        is_probed = bool(alerts) and alerts[0].source is EvidenceSource.PROBES
        return Outcome(
            situation=self.situation,
            truth=self.truth,
            answer=_find_answer(started, questions, incidents),
            moved=frozenset(services[name] for name in self.ports.world.applied_shifts),
            has_moved_site=bool(effects),
            detected=min(map(self._since_onset, detections), default=None),
            decided=min(map(self._decided, started), default=None),
            crossed=self.truth.threshold_minutes * TICK_SECONDS,
            visible=self._find_visible_seconds(),
            is_critical=any(incident.severity is Severity.CRITICAL for incident in incidents),
            is_probed=is_probed,
            restored=self._since_onset(self.restored_at) if self.restored_at and started else None,
            questions=questions,
            incidents=len(incidents),
            messages=self._count_messages([incident.id for incident in incidents]),
            target=min(map(self._find_target, started), default=0.0),
            announcements=tuple(filter(None, map(self._compare_announcement, started))),
            reasons=tuple(line for rollback in rollbacks for line in _describe(rollback)),
        )

    def _find_visible_seconds(self) -> float:
        """Return the seconds from the onset to the point that shows the crossed level."""
        crossed = self.onset + self.truth.threshold_minutes * MINUTE
        minute = int(crossed.timestamp() // 60)
        while (visible := self.traffic.visible_at(minute)) is None:
            minute += 1
        return self._since_onset(visible)

    def _since_onset(self, moment: datetime) -> float:
        return (moment - self.onset).total_seconds()

    def _decided(self, rollback: Rollback) -> float:
        events = (event for entry in self.trail(rollback) for event in entry.events)
        times = [event.at for event in events if event.name == "rollback.decided"]
        return self._since_onset(datetime.fromisoformat(times[0]))

    def _find_target(self, rollback: Rollback) -> float:
        severity = {incident.id: incident.severity for incident in self.incidents()}[rollback.incident]
        scenario = rollback.plan.scenario if rollback.plan else ScenarioName.FUNCTIONS
        return recovery_target(self.situation.policy.targets, scenario, severity).total_seconds()

    def _compare_announcement(self, rollback: Rollback) -> Announcement | None:
        events = [event for entry in self.trail(rollback) for event in entry.events]
        times = {event.name: datetime.fromisoformat(event.at) for event in reversed(events)}
        forecasts = [event.facts["forecast"] for event in events if event.name == "rollback.decided"]
        if not (match := ANNOUNCEMENT.fullmatch(str(forecasts[0]))):
            return None
        shift, verification, claim, target, few = match.groups()
        shift_delay = None
        if shifted_at := times.get("rollback.shifted"):
            shift_delay = (shifted_at - times["rollback.decided"]).total_seconds() - _read_seconds(shift)
        detections = {incident.id: incident.detected_at for incident in self.incidents()}
        end = rollback.verified_at or self.ports.clock.now()
        took = (end - detections[rollback.incident]).total_seconds()
        is_late = took > (_read_seconds(target) if target else self._find_target(rollback))
        is_open = rollback.verified_at is None
        return Announcement(
            shift_delay=shift_delay,
            verified_delay=None if is_open or few else took - _read_seconds(verification),
            claim=few or claim,
            is_in_time=None if is_open and not is_late else not is_late,
        )

    def _count_questions(self, rollback: Rollback) -> int:
        events = (event for entry in self.trail(rollback) for event in entry.events)
        asking = [event for event in events if event.name in ("rollback.parked", "rollback.escalated")]
        return min(1, len(asking))


class _DeliveringBus(MemoryBus):
    """A bus whose messages are delivered by the scheduler."""

    def publish(self, topic: str, data: bytes, attributes: Mapping[str, str] | None = None) -> str:
        """Keep the message until it is delivered; return its id."""
        name = super().publish(topic, data, attributes)
        self.deliver(self.messages.pop())  # type: ignore[attr-defined]
        return name


def _furnish(sites: tuple[str, ...], estate: FakeEstate) -> None:
    estate.sites = dict.fromkeys(sites, HostingSite(STABLE_SITE))
    versions = (STABLE_SITE, RELEASED_SITE)
    estate.statuses = {(site, version): FINALIZED for site in sites for version in versions}


def _read_seconds(text: str) -> float:
    """Return the seconds of a duration such as "2 min 5 s"."""
    return sum(int(number) * UNIT_SECONDS[unit] for number, unit in DURATION.findall(text))


def _describe(rollback: Rollback) -> Iterator[str]:
    """Yield the status, and the answer of every gate."""
    yield f"{rollback.id} {rollback.status}: {rollback.outcome}"
    for gate in rollback.gates:
        yield f"  {gate['gate']} {gate['answer']} ({gate['leads_to']}): {gate['reason']}"


def _find_answer(started: list[Rollback], questions: int, incidents: list[Incident]) -> Answer:
    if started:
        return Answer.ROLLBACK
    if questions:
        return Answer.ASK
    return Answer.WARN if incidents else Answer.NOTHING
