"""Our own looks from outside, and what comes of them in a whole world."""

import json
from collections.abc import Mapping
from copy import copy
from datetime import datetime, timedelta

import pytest

from responders.triggers.clock import ClockTrigger
from shared.core import topics
from shared.core.codec import decode
from shared.core.errors import Moved, Unavailable
from shared.core.store import Query
from shared.domain.incidents.incident import IncidentStatus
from shared.domain.signals.alert import Alert
from shared.domain.signals.health import ProbeAnswer
from shared.domain.signals.probe_history import PROBE_INTERVAL
from shared.domain.signals.probe_signals import ProbeRecord
from tests.support.fakes.runtime.clock import FakeClock
from tests.support.fakes.runtime.pool import InlinePool
from tests.support.faults.fault_injection import FaultInjectorHook, InjectedFault, ProcessCrash
from tests.support.notices.status_page import read_public_state
from tests.support.runtime.world import EXAMPLE, World

MINUTE = timedelta(minutes=1)
MILLISECOND = timedelta(milliseconds=1)
DARK = ProbeAnswer(False, None, "no answer in time", 5.0)


def alerts(world: World) -> list[Alert]:
    """Every alert on record, the first received first."""
    found = [decode(Alert, one.fields) for one in world.store.query(Query("alerts"))]
    return sorted(found, key=lambda alert: (alert.received_at, alert.state == "closed"))


def record_of(world: World) -> ProbeRecord:
    return decode(ProbeRecord, world.store.get("probes/bookshop").fields)


def names_of(world: World) -> list[str]:
    """The events of the system outside every rollback, in order."""
    entries = world.store.query(Query("systems/bookshop/audit"))
    told = [one.fields for one in entries if one.fields]
    return [one["name"] for one in sorted(told, key=lambda one: str(one["at"]))]


def test_a_frontend_that_goes_dark_is_an_incident() -> None:
    """Without a word from Cloud Monitoring: alert, incident, public state and notice at once."""
    world = World(policy=EXAMPLE)
    world.pass_time(2 * MINUTE)
    assert world.incidents() == []

    world.ports.prober.answers["shop"] = DARK
    dark_at = world.now
    world.pass_time(2 * MINUTE)

    incident = world.incident
    assert incident.signal == "frontend_unavailable"
    assert timedelta() <= incident.onset_at - dark_at <= PROBE_INTERVAL
    assert incident.detected_at - dark_at <= 2 * MINUTE
    [alert] = alerts(world)
    assert alert.monitoring_id.startswith("probe:bookshop:frontend_unavailable:2026")
    assert json.loads(alert.notification)["reason"].startswith(
        "probe shop: failing or slow for 1m, no answer"
    )
    assert (alert.incident, alert.absorbed_by) == (incident.id, "")  # no second source sees it yet
    assert read_public_state(world).incident == incident.id
    assert any(sent.key.endswith(":detected:record") for sent in world.sent_notices)
    assert names_of(world)[-1] == "signal.open"
    assert [one.recorded for one in record_of(world).findings] == ["open"]
    world.pass_time(3 * MINUTE)
    [alert] = alerts(world)
    assert (alert.incident, alert.absorbed_by) == (incident.id, incident.id)
    assert world.find_violated_invariants() == []


def test_its_end_is_evidence_and_told_once() -> None:
    """Closed after three good looks: on record beside its beginning, and no message of its own."""
    world = World(policy=EXAMPLE)
    world.ports.prober.answers["shop"] = DARK
    world.pass_time(2 * MINUTE)
    del world.ports.prober.answers["shop"]

    world.pass_time(3 * MINUTE)

    assert record_of(world).findings == ()
    assert set(record_of(world).closed) == {"frontend_unavailable"}
    opened, closed = alerts(world)
    assert (opened.verdict, closed.verdict) == ("open", "closed")
    assert closed.incident == opened.incident
    assert record_of(world).findings == ()
    assert [name for name in names_of(world) if name.startswith("signal")] == ["signal.open", "signal.closed"]


@pytest.mark.parametrize(("answers", "count"), [({"shop": DARK}, (6, 6)), ({}, (1, 0))])
def test_a_failed_check_alone_is_repeated_five_times(
    answers: Mapping[str, ProbeAnswer], count: tuple[int, int]
) -> None:
    """In the same sweep; its repeats are counted with it."""
    world = World(policy=EXAMPLE)
    world.ports.prober.answers = dict(answers)

    world.pass_time(MINUTE)

    result = record_of(world).looks["shop"][-1].count
    assert (result.total, result.failed) == count


def test_a_transient_failure_heals_without_an_incident() -> None:
    """One look in three fails, all the time: nobody is woken."""
    world = World(policy=EXAMPLE)
    for number in range(12):
        failing = number % 2 == 0
        world.ports.prober.answers = {"shop": DARK} if failing else {}
        world.advance_clock(PROBE_INTERVAL)
        world.responders[topics.CLOCK] = ClockTrigger(world.ports, {"bookshop": EXAMPLE})
        world.pass_time(PROBE_INTERVAL)

    assert world.incidents() == []


def test_a_look_that_could_not_be_made_is_no_failure() -> None:
    """Our own fault says nothing of the system; people are told that we are blind."""
    world = World(policy=EXAMPLE)
    world.ports.prober.answers["shop"] = Unavailable("no name service")

    world.pass_time(12 * MINUTE)

    assert world.incidents() == []
    assert record_of(world).looks["shop"] == ()
    assert len(record_of(world).looks["book"]) > 20
    notices = [sent for sent in world.sent_notices if ":warned:" in sent.key]
    assert len(notices) == 1
    assert "probe shop could not be asked" in notices[0].notice["text"]
    assert "signal.warned" in names_of(world)


def test_answers_that_take_longer_and_longer_are_told_of_before_they_are_too_slow() -> None:
    """A warning with the time; nothing is done about it."""
    world = World(policy=EXAMPLE)
    shifts = len(world.platform.applied_shifts)
    for number in range(16):
        world.ports.prober.seconds["book"] = 1 + 0.3 * number
        world.pass_time(PROBE_INTERVAL)

    notices = [sent for sent in world.sent_notices if ":warned:" in sent.key]
    assert [one.notice["facts"] for one in notices] == [{"signal": "slow_response"}]
    assert "at this rate slow_response crosses 8 s at 12:" in notices[0].notice["text"]
    assert world.incidents() == []
    assert len(world.platform.applied_shifts) == shifts


def test_slow_answers_are_no_outage() -> None:
    """The site takes longer than `slow_after`: people are warned, and nothing has failed."""
    world = World(policy=EXAMPLE)
    world.ports.prober.seconds["shop"] = 6.0

    world.pass_time(10 * MINUTE)

    texts = [sent.notice["text"] for sent in world.sent_notices if ":warned:" in sent.key]
    assert len(texts) == 1
    assert "probe shop answers slowly: 6.0 s, slow above 5 s" in texts[0]
    assert (alerts(world), world.incidents()) == ([], [])


def test_a_bad_release_is_rolled_back_on_the_word_of_a_probe() -> None:
    """Both sources meet in one path: a probe's alert is decided like Monitoring's."""
    world = World(policy=EXAMPLE)
    stable = world.live
    world.deploy_bad(rate=1.0)

    world.pass_time(5 * MINUTE)

    assert world.live == stable
    assert world.incident.signal in {probe.signal for probe in EXAMPLE.probes if probe.function}
    assert world.find_violated_invariants() == []


def test_monitoring_joins_what_a_probe_has_found() -> None:
    """One incident, whoever sees it first."""
    world = World(policy=EXAMPLE)
    world.ports.prober.answers["shop"] = DARK
    world.pass_time(2 * MINUTE)

    world.alert(signal="frontend_unavailable")
    world.pass_time(MINUTE)

    assert len(world.incidents()) == 1
    assert {alert.incident for alert in alerts(world)} == {world.incident.id}


def test_the_topic_of_alerts_is_for_monitoring_alone() -> None:
    """What a probe finds is written down directly: nobody could forge it by a message."""
    world = World(policy=EXAMPLE)
    world.ports.prober.answers["shop"] = DARK
    published: list[str] = []

    for _ in range(4):
        world.publish(topics.CLOCK, b"{}")
        published += [one.topic for one in world.waiting()]
        world.settle()

    assert len(alerts(world)) == 1
    assert topics.ALERTS not in published


def test_a_look_that_takes_longer_than_others_does_not_hold_up_the_sweep() -> None:
    """It is kept half a minute later, in the half minute that it belongs to."""
    world = World(policy=EXAMPLE)
    swept: list[datetime] = []
    honest = ClockTrigger.sweep

    class Watched(ClockTrigger):
        def sweep(self, now: datetime) -> None:
            swept.append(now)
            honest(self, now)

    ports = world.ports
    pool = InlinePool(ports.clock, latency_seconds=20.0)
    ports.pool = lambda: pool  # type: ignore[method-assign]
    world.responders[topics.CLOCK] = Watched(ports, {"bookshop": EXAMPLE})
    start = ports.clock.now()

    world.publish(topics.CLOCK, b"{}")
    world.settle()

    assert swept == [start, start + PROBE_INTERVAL]
    looks = record_of(world).looks["shop"]
    assert [look.at for look in looks] == [start, start + PROBE_INTERVAL]


@pytest.mark.parametrize("ahead", [0, 5])
@pytest.mark.parametrize("set_back", [0, 5])
def test_clocks_that_do_not_agree_to_the_millisecond(ahead: int, set_back: int) -> None:
    """Each half minute has its look, also where the store's clock is behind, or ours set back."""
    world = World(policy=EXAMPLE)
    start = world.now
    ports = copy(world.ports)
    ports.clock = Uneven(world.ports.clock, ahead * MILLISECOND, set_back * MILLISECOND)
    world.responders[topics.CLOCK] = ClockTrigger(ports, {"bookshop": EXAMPLE})

    world.publish(topics.CLOCK, b"{}")
    world.settle()

    looks = record_of(world).looks["shop"]
    assert [look.at for look in looks] == [start, start + PROBE_INTERVAL]


class Uneven(FakeClock):
    """A clock ahead of the world's, which loses a little in each wait; its stopwatch does not."""

    def __init__(self, world: FakeClock, ahead: timedelta, set_back: timedelta) -> None:
        super().__init__()
        self._world = world
        self._ahead = ahead
        self._set_back = set_back

    def now(self) -> datetime:
        return self._world.now() + self._ahead

    def monotonic(self) -> float:
        return self._world.monotonic()

    def sleep(self, seconds: float) -> None:
        self._world.sleep(seconds)
        self._ahead -= self._set_back


def test_probes_that_feed_no_signal_are_not_asked() -> None:
    """The clock asks for what is watched; others when somebody decides, or a deployment settles."""
    world = World()
    world.ports.prober.asked.clear()

    world.pass_time(2 * MINUTE)

    assert world.ports.prober.asked == []
    assert world.store.get("probes/bookshop").fields is None


def test_a_second_schedulers_tick_asks_nobody_again() -> None:
    """One look in each half minute."""
    world = World(policy=EXAMPLE)
    world.ports.prober.asked.clear()  # of them, the first deployment is recorded

    def tick_again() -> None:
        world.publish(topics.CLOCK, b"{}")
        world.settle()

    world.ports.clock.interrupt = tick_again
    world.publish(topics.CLOCK, b"{}")
    world.settle()

    assert world.ports.clock.interrupt is None
    assert sorted(world.ports.prober.asked) == sorted(2 * [probe.name for probe in EXAMPLE.probes])


# Faults


def dark_for_a_while(saboteur: FaultInjectorHook) -> World:
    """The front is dark for two minutes, and well for three; ticks are delivered until taken.

    Attacked is the clock alone: the others are elsewhere.
    """
    world = World(saboteur, EXAMPLE, promoted=False)
    for minute in range(5):
        world.ports.prober.answers = {"shop": DARK} if minute < 2 else {}
        world.publish(topics.CLOCK, b"{}")
        while waiting := world.waiting():
            published = waiting[0]
            world.ports.bus.messages.remove(published)
            saboteur.active = published.topic == topics.CLOCK
            try:
                acknowledged = world.deliver(published)
            except ProcessCrash:
                saboteur.revive()
                world.start_instances()
                acknowledged = False
            if not acknowledged:
                world.advance_clock(timedelta(seconds=1))
                world.ports.bus.messages.append(published)
        until = (-world.now.timestamp()) % 60
        world.advance_clock(timedelta(seconds=until))
    saboteur.active = False
    return world


UNDISTURBED = FaultInjectorHook()
dark_for_a_while(UNDISTURBED)
POINTS = range(len(UNDISTURBED.points))


@pytest.mark.parametrize("fault", [InjectedFault.CRASH, InjectedFault.LOST_ANSWER])
@pytest.mark.parametrize("point", POINTS)
def test_a_fault_anywhere_loses_nothing_that_was_found(point: int, fault: InjectedFault) -> None:
    """Whatever dies when: one incident, its alert's beginning and end on record, each once."""
    saboteur = FaultInjectorHook(point, fault)

    world = dark_for_a_while(saboteur)

    assert saboteur.happened
    assert [one.signal for one in world.incidents()] == ["frontend_unavailable"]
    opened, closed = alerts(world)
    assert (opened.state, closed.state) == ("open", "closed")
    assert opened.monitoring_id == closed.monitoring_id
    assert world.incident.status is IncidentStatus.RESOLVED
    assert record_of(world).findings == ()
    told = [name for name in names_of(world) if name.startswith("signal")]
    assert told == ["signal.open", "signal.closed"]
    assert world.find_violated_invariants() == []


def test_a_record_that_never_holds_still_means_redelivery() -> None:
    """Contention is retried a bounded number of times; then these looks are lost, and no more."""
    world = World(policy=EXAMPLE)

    def contended(verb: str, side: str) -> None:
        if verb == "store.commit" and side == "before" and world.ports.prober.asked:
            raise Moved("somebody was faster")

    world.store.hook = contended
    world.publish(topics.CLOCK, b"{}")
    [published] = world.waiting()

    assert not world.deliver(published)
    assert world.store.get("probes/bookshop").fields is None
