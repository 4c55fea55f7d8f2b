"""Our own looks from outside: what opens and closes, and what comes of it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from responders.clock import Clock
from shared import topics
from shared.alert_record import Alert
from shared.documents import decode
from shared.errors import Moved, Unavailable
from shared.health import ProbeAnswer
from shared.incident import Status
from shared.looks import HALF_MINUTE, KEPT, Look
from shared.policy import Condition, Policy, Probe, Unit
from shared.ports import Query
from shared.probing import Finding, Record, after, judge, patience, recorded, seen
from tests.crash import Crashed, Fault, Saboteur
from tests.fakes.pool import InlinePool
from tests.world import PROBED, World

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
DARK = ProbeAnswer(False, None, "no answer in time", 5.0)


def of(probe: str, seen_by_it: str, start: datetime = NOON) -> dict[str, list[Look]]:
    """Looks half a minute apart: `.` good, `x` bad, a blank not made."""
    return {
        probe: [
            Look(at, at + timedelta(seconds=1), sign == ".", 0.1, 200 if sign == "." else 500)
            for number, sign in enumerate(seen_by_it)
            if sign != " "
            for at in [start + number * HALF_MINUTE]
        ]
    }


def followed(
    seen_by_it: str, record: Record | None = None, policy: Policy = PROBED
) -> tuple[Record, list[str]]:
    """Judged after each half minute: the record, and in which of them what changed."""
    record = record or Record("bookshop", since=NOON)
    told = []
    for number in range(len(seen_by_it)):
        now = NOON + number * HALF_MINUTE
        shop = of("shop", seen_by_it[number], now)
        record = seen(record, shop, policy)
        changes = judge(record, policy, now)
        record = after(record, changes)
        told += [f"{number} {one.state}" for one in changes]
    return record, told


@pytest.mark.parametrize(
    ("looks", "changes"),
    [
        ("....x....", []),
        (".xx.", []),  # a minute it must last
        (".xxx", ["3 open"]),
        (".xxxx..", ["3 open"]),
        (".xxxx...", ["3 open", "7 closed"]),  # three good looks in a row
        (".xxxx..x..", ["3 open"]),
        (".xxxx..x...", ["3 open", "10 closed"]),
        (".xxxx          ", ["3 open"]),  # nobody knows
        (".xxxx . . .", ["3 open", "10 closed"]),
        (".xxx...xxx", ["3 open", "6 closed", "9 open"]),
        (".xxx...xx", ["3 open", "6 closed"]),
        ("x   x   x   x", []),  # too thin to say
    ],
)
def test_opening_and_closing(looks: str, changes: list[str]) -> None:
    """Bad for a minute opens it, three good looks in a row close it, and nothing else does."""
    assert followed(looks)[1] == changes


def test_what_was_before_its_end_opens_nothing_again() -> None:
    """One more bad look is one, although the span that counts them reaches back to the others."""
    front = replace(PROBED.signals["frontend_unavailable"], duration=10 * MINUTE)
    front = replace(front, also=(Condition(Unit.COUNT, 5, 10 * MINUTE),))
    policy = replace(PROBED, signals={**PROBED.signals, "frontend_unavailable": front})

    assert followed("xxxxx...x", policy=policy)[1] == ["4 open", "7 closed"]
    assert followed("xxxxx...xxxxx", policy=policy)[1] == ["4 open", "7 closed", "12 open"]


def test_what_a_finding_says() -> None:
    """It began with the first bad look, whose answer was there a second later."""
    record, _ = followed(".xxx")

    [finding] = record.findings
    assert finding == Finding(
        signal="frontend_unavailable",
        probe="shop",
        function=None,
        since=NOON + HALF_MINUTE,
        onset_at=NOON + HALF_MINUTE + timedelta(seconds=1),
        reason="probe shop: bad for 1m, 500 after 0.1 s",
    )
    assert finding.id("bookshop") == "probe:bookshop:frontend_unavailable:20260302T120030Z"


def two(probes: Iterable[str]) -> Policy:
    """The bookshop with several probes of its front."""
    [shop] = [one for one in PROBED.probes if one.name == "shop"]
    return replace(PROBED, probes=tuple(replace(shop, name=name) for name in probes))


def test_a_signal_with_two_probes() -> None:
    """Any of them opens it, and only both together close it."""
    policy = two(["shop", "mirror"])
    begun, _ = followed("xxx", policy=policy)
    now = NOON + 5 * HALF_MINUTE
    well = of("shop", "......") | of("mirror", "......")
    half = of("shop", "......") | of("mirror", ".....x")
    alone = of("shop", "......")

    closing = [
        judge(seen(replace(begun, looks={}), looks, policy), policy, now)
        for looks in (well, half, alone, of("mirror", "......"))
    ]

    assert [len(changes) for changes in closing] == [1, 0, 1, 0]


def test_a_signal_that_nothing_feeds_any_more() -> None:
    """The policy changed: it ends as cancelled, which is nobody's recovery."""
    begun, _ = followed("xxx")
    without = replace(PROBED, probes=PROBED.probes[1:])

    [change] = judge(seen(begun, {}, without), without, NOON + 2 * MINUTE)

    assert (change.state, change.cancelled) == ("closed", True)


def test_what_is_slow_stays_so_however_long_it_lasts() -> None:
    """What was usual is kept as it was when it began: an hour of slowness is not usual."""
    signals = {"performance_degraded": replace(PROBED.signals["slow_response"], threshold=0.5)}
    probe = Probe("api", "https://shop.bookshop.example/api", signal="performance_degraded")
    policy = replace(PROBED, signals=signals, probes=(probe,))
    record, told = Record("bookshop", since=NOON), []
    for number in range(200):
        now = NOON + number * HALF_MINUTE
        takes = 4.0 if 60 <= number < 180 else 2.0
        look = Look(now, now, True, takes, 200)
        record = seen(record, {"api": [look]}, policy)
        changes = judge(record, policy, now)
        record = after(record, changes)
        told += [f"{number} {one.state}" for one in changes]

    assert told == ["65 open", "182 closed"]


def test_looks_are_bounded_sorted_and_one_for_each_half_minute() -> None:
    """Late ones find their place, repeated ones change nothing, old ones go."""
    record = seen(Record("bookshop", since=NOON), of("shop", "." * 40), PROBED)
    late = of("shop", "x", NOON + 50 * HALF_MINUTE)
    again = of("shop", "x" * 10, NOON + 45 * HALF_MINUTE)

    record = seen(seen(record, late, PROBED), of("shop", "." * 30, NOON + 40 * HALF_MINUTE), PROBED)
    record = seen(record, again, PROBED)

    looks = record.looks["shop"]
    assert [look.at for look in looks] == [NOON + n * HALF_MINUTE for n in range(10, 70)]
    assert [look.at for look in looks if not look.passed] == [NOON + 50 * HALF_MINUTE]
    assert len(looks) == KEPT
    assert set(record.looks) == {"shop", "book", "order-status"}


def test_what_is_on_record_is_not_told_again() -> None:
    """An open one is kept until its end is on record as well."""
    begun, _ = followed("xxx")
    ended, _ = followed("xxx...")

    assert [one.recorded for one in begun.findings] == [""]
    assert [one.recorded for one in recorded(begun).findings] == ["open"]
    assert recorded(ended).findings == ()
    assert set(recorded(ended).closed) == {"frontend_unavailable"}


@pytest.mark.parametrize(
    ("probe", "seconds"),
    [("shop", 5.0), ("order-status", 21.0), ("book", 9.0)],
)
def test_how_long_a_look_may_take(probe: str, seconds: float) -> None:
    """Its time-out; where the signal counts seconds, a second more than its threshold."""
    [one] = [known for known in PROBED.probes if known.name == probe]

    assert patience(one, PROBED).timeout == timedelta(seconds=seconds)


# The whole path


def alerts(world: World) -> list[Alert]:
    """Every alert on record, the first received first."""
    found = [decode(Alert, one.fields) for one in world.ports.store.query(Query("alerts"))]
    return sorted(found, key=lambda alert: (alert.received_at, alert.state == "closed"))


def record_of(world: World) -> Record:
    return decode(Record, world.ports.store.get("probes/bookshop").fields)


def names_of(world: World) -> list[str]:
    """The events of the system outside every rollback, in order."""
    found = world.ports.store.query(Query("systems/bookshop/audit"))
    told = [one.fields for one in found if one.fields]
    return [one["name"] for one in sorted(told, key=lambda one: str(one["at"]))]


def test_a_frontend_that_goes_dark_is_an_incident() -> None:
    """Without a word from Cloud Monitoring: alert, incident, public state and notice at once."""
    world = World(policy=PROBED)
    world.pass_time(2 * MINUTE)
    assert world.incidents() == []

    world.ports.prober.answers["shop"] = DARK
    dark_at = world.ports.clock.now()
    world.pass_time(2 * MINUTE)

    [incident] = world.incidents()
    assert incident.signal == "frontend_unavailable"
    assert timedelta() <= incident.onset_at - dark_at <= HALF_MINUTE
    assert incident.detected_at - dark_at <= 2 * MINUTE
    [alert] = alerts(world)
    assert alert.monitoring_id.startswith("probe:bookshop:frontend_unavailable:2026")
    assert json.loads(alert.notification)["reason"].startswith("probe shop: bad for 1m, no answer")
    assert (alert.incident, alert.absorbed_by) == (incident.id, incident.id)
    assert world.ports.store.documents["public/bookshop"]["incident"] == incident.id
    assert any(sent.key.endswith(":detected:record") for sent in world.ports.sender.sent)
    assert names_of(world)[-1] == "signal.open"
    assert world.broken_laws() == []


def test_its_end_is_evidence_and_told_once() -> None:
    """Closed after three good looks: on record beside its beginning, and no message of its own."""
    world = World(policy=PROBED)
    world.ports.prober.answers["shop"] = DARK
    world.pass_time(2 * MINUTE)
    del world.ports.prober.answers["shop"]

    world.pass_time(3 * MINUTE)

    opened, closed = alerts(world)
    assert (opened.verdict, closed.verdict) == ("open", "closed")
    assert closed.incident == opened.incident
    assert record_of(world).findings == ()
    assert [name for name in names_of(world) if name.startswith("signal")] == [
        "signal.open",
        "signal.closed",
    ]


def test_a_transient_failure_heals_without_an_incident() -> None:
    """One look in three fails, all the time: nobody is woken."""
    world = World(policy=PROBED)
    for number in range(12):
        failing = number % 2 == 0
        world.ports.prober.answers = {"shop": DARK} if failing else {}
        world.ports.clock.advance(HALF_MINUTE)
        world.responders[topics.CLOCK] = Clock(world.ports, {"bookshop": PROBED})
        world.pass_time(HALF_MINUTE)

    assert world.incidents() == []


def test_a_look_that_could_not_be_made_is_no_failure() -> None:
    """Our own fault says nothing of the system; people are told that we are blind."""
    world = World(policy=PROBED)
    world.ports.prober.answers["shop"] = Unavailable("no name service")

    world.pass_time(12 * MINUTE)

    assert world.incidents() == []
    assert record_of(world).looks["shop"] == ()
    assert len(record_of(world).looks["book"]) > 20
    said = [sent for sent in world.ports.sender.sent if ":warned:" in sent.key]
    assert len(said) == 1
    assert "probe shop could not be asked" in said[0].notice["text"]
    assert "signal.warned" in names_of(world)


def test_answers_that_take_longer_and_longer_are_told_of_before_they_are_too_slow() -> None:
    """A warning with the time; nothing is done about it."""
    world = World(policy=PROBED)
    shifts = len(world.ports.world.applied_shifts)
    for number in range(16):
        world.ports.prober.seconds["book"] = 1 + 0.3 * number
        world.pass_time(HALF_MINUTE)

    said = [sent for sent in world.ports.sender.sent if ":warned:" in sent.key]
    assert [one.notice["facts"] for one in said] == [{"signal": "slow_response"}]
    assert "at this rate slow_response crosses 8 s at 12:" in said[0].notice["text"]
    assert world.incidents() == []
    assert len(world.ports.world.applied_shifts) == shifts


def test_a_bad_release_is_rolled_back_on_the_word_of_a_probe() -> None:
    """Both sources meet in one path: a probe's alert is decided like Monitoring's."""
    world = World(policy=PROBED)
    stable = world.live
    world.deploy_bad(rate=1.0)

    world.pass_time(5 * MINUTE)

    assert world.live == stable
    [incident] = world.incidents()
    assert incident.signal == "critical_path_blocked"
    assert world.broken_laws() == []


def test_monitoring_joins_what_a_probe_has_found() -> None:
    """One incident, whoever sees it first."""
    world = World(policy=PROBED)
    world.ports.prober.answers["shop"] = DARK
    world.pass_time(2 * MINUTE)

    world.alert(signal="frontend_unavailable")
    world.pass_time(MINUTE)

    assert len(world.incidents()) == 1
    assert {alert.incident for alert in alerts(world)} == {world.incidents()[0].id}


def test_the_topic_of_alerts_is_for_monitoring_alone() -> None:
    """What a probe finds is written down directly: nobody could forge it by a message."""
    world = World(policy=PROBED)
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
    world = World(policy=PROBED)
    swept: list[datetime] = []
    honest = Clock.sweep

    class Watched(Clock):
        def sweep(self, now: datetime) -> None:
            swept.append(now)
            honest(self, now)

    ports = world.ports
    pool = InlinePool(ports.clock, latency_seconds=20.0)
    ports.pool = lambda: pool  # type: ignore[method-assign]
    world.responders[topics.CLOCK] = Watched(ports, {"bookshop": PROBED})
    start = ports.clock.now()

    world.publish(topics.CLOCK, b"{}")
    world.settle()

    assert swept == [start, start + HALF_MINUTE]
    looks = record_of(world).looks["shop"]
    assert [look.at for look in looks] == [start, start + HALF_MINUTE]


def test_probes_that_feed_no_signal_are_not_asked() -> None:
    """The clock asks for what is watched; others when somebody decides, or a deployment settles."""
    world = World()
    world.ports.prober.asked.clear()

    world.pass_time(2 * MINUTE)

    assert world.ports.prober.asked == []
    assert world.ports.store.get("probes/bookshop").fields is None


def test_a_second_schedulers_tick_asks_nobody_again() -> None:
    """One look in each half minute."""
    world = World(policy=PROBED)
    world.ports.prober.asked.clear()  # of them, the first deployment is recorded
    world.publish(topics.CLOCK, b"{}")
    world.settle()
    world.ports.clock.jump(-HALF_MINUTE)

    world.publish(topics.CLOCK, b"{}")
    world.settle()

    assert sorted(world.ports.prober.asked) == sorted(2 * ["shop", "book", "order-status"])


# Faults


def dark_for_a_while(saboteur: Saboteur) -> World:
    """The front is dark for two minutes, and well for three; ticks are delivered until taken.

    Attacked is the clock alone: the others are elsewhere.
    """
    world = World(saboteur, PROBED, promoted=False)
    for minute in range(5):
        world.ports.prober.answers = {"shop": DARK} if minute < 2 else {}
        world.publish(topics.CLOCK, b"{}")
        while waiting := world.waiting():
            published = waiting[0]
            world.ports.bus.messages.remove(published)
            saboteur.active = published.topic == topics.CLOCK
            try:
                acknowledged = world.deliver(published)
            except Crashed:
                saboteur.revive()
                world.start_instances()
                acknowledged = False
            if not acknowledged:
                world.ports.clock.advance(timedelta(seconds=1))
                world.ports.bus.messages.append(published)
        until = (-world.ports.clock.now().timestamp()) % 60
        world.ports.clock.advance(timedelta(seconds=until))
    saboteur.active = False
    return world


UNDISTURBED = Saboteur()
dark_for_a_while(UNDISTURBED)
POINTS = range(len(UNDISTURBED.points))


@pytest.mark.parametrize("fault", [Fault.CRASH, Fault.LOST_ANSWER])
@pytest.mark.parametrize("point", POINTS)
def test_a_fault_anywhere_loses_nothing_that_was_found(point: int, fault: Fault) -> None:
    """Whatever dies when: one incident, its alert's beginning and end on record, each once."""
    saboteur = Saboteur(point, fault)

    world = dark_for_a_while(saboteur)

    assert saboteur.happened
    assert [one.signal for one in world.incidents()] == ["frontend_unavailable"]
    opened, closed = alerts(world)
    assert (opened.state, closed.state) == ("open", "closed")
    assert opened.monitoring_id == closed.monitoring_id
    assert world.incidents()[0].status is Status.RESOLVED
    assert record_of(world).findings == ()
    told = [name for name in names_of(world) if name.startswith("signal")]
    assert told == ["signal.open", "signal.closed"]
    assert world.broken_laws() == []


def test_a_record_that_never_holds_still_means_redelivery() -> None:
    """Contention is retried a bounded number of times; then these looks are lost, and no more."""
    world = World(policy=PROBED)

    def contended(verb: str, side: str) -> None:
        if verb == "store.commit" and side == "before" and world.ports.prober.asked:
            raise Moved("somebody was faster")

    world.ports.store.hook = contended
    world.publish(topics.CLOCK, b"{}")
    [published] = world.waiting()

    assert not world.deliver(published)
    assert world.ports.store.get("probes/bookshop").fields is None
