"""Everybody's sessions end: by a person's word, or with the approved plan of a breach."""

from datetime import timedelta

import pytest

from shared.core import topics
from shared.core.errors import Rejected, Unavailable
from shared.domain.incidents.incident import IncidentStatus
from shared.domain.rollback.rollback import RollbackStatus
from tests.support.decision.outages import notice_texts
from tests.support.fakes.runtime.hooks import no_hook, raise_error, run_once
from tests.support.faults.fault_injection import FaultInjectorHook, InjectedFault, tick_clock
from tests.support.rollbacks.bookshop_resources import build_healthy_shop, deploy_bad_release
from tests.support.rollbacks.complete_scenario import approve_rollback
from tests.support.runtime.switches import notice_lines, publish_command
from tests.support.runtime.world import BOOKSHOP, World

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
PEOPLE = [f"person-{number:03d}" for number in range(120)]
COUNTED = ("store.commit", "sessions.people", "sessions.end")


def signed_in(hook: FaultInjectorHook | None = None) -> World:
    """Three pages of people have sessions."""
    world = build_healthy_shop(hook or no_hook)
    world.ports.beside.sessions_since = dict.fromkeys(PEOPLE, 0)
    return world


def left(world: World, moment: float) -> list[str]:
    """Whose sessions of before that moment still count."""
    since = world.ports.beside.sessions_since
    return [one for one in PEOPLE if since[one] < int(moment)]


def test_a_person_ends_all_sessions() -> None:
    """Of everybody, and that is told with how many they were; what is begun later counts."""
    world = signed_in()
    before = world.now.timestamp()

    assert publish_command(world, "revoke-sessions", system="bookshop") == ""

    assert left(world, before) == []
    assert left(world, before + 3600) == PEOPLE
    assert "the sessions of 120 people are ended" in notice_lines(world, "revoke-sessions")[0]


def test_sessions_of_a_system_that_names_no_identity() -> None:
    """There is nothing that could be ended, and that is said."""
    assert "no identity" in publish_command(World(policy=BOOKSHOP), "revoke-sessions", system="bookshop")


def test_a_pause_before_the_sessions_end() -> None:
    """It is looked at before each page; lifted, the rest goes on."""
    world = signed_in()
    world.carry_out("pause")
    before = world.now.timestamp()
    world.send_command("revoke-sessions")
    world.pass_time(2 * MINUTE)
    assert left(world, before) == PEOPLE

    world.send_command("resume")
    world.pass_time(2 * MINUTE)

    assert left(world, before) == []


@pytest.mark.parametrize("minutes", [5, 25 * 60])
def test_somebody_whose_sessions_do_not_end(minutes: int) -> None:
    """It is tried again, for a day; then people are told that it is not everybody."""
    world = signed_in()
    world.ports.beside.hook = raise_error("sessions.end", Unavailable("no answer"))
    world.carry_out("revoke-sessions")
    world.advance_clock(minutes * MINUTE)
    world.pass_time(MINUTE)

    given_up = minutes > 24 * 60
    assert [("given up" in one) for one in notice_lines(world, "revoke-sessions")[:1]] == [True] * given_up


@pytest.mark.parametrize(
    ("verb", "minutes", "results"),
    [
        ("sessions.people", 1, ["sessions ended: 0, not everybody's: no right"]),
        (
            "sessions.end",
            2,
            [
                "the sessions of 0 people are ended",
                f"of {len(PEOPLE)} others, who are gone or may not be changed, they are not",
            ],
        ),
    ],
    ids=["people may not be listed", "people may not be changed"],
)
def test_sessions_that_may_not_be_ended(verb: str, minutes: int, results: list[str]) -> None:
    """That is told, and of how many: whoever got in is in still."""
    world = signed_in()
    world.ports.beside.hook = raise_error(verb, Rejected("no right"))
    world.send_command("revoke-sessions")
    world.pass_time(minutes * MINUTE)

    [notice] = notice_lines(world, "revoke-sessions")
    assert all(result in notice for result in results)


def test_nobody_says_who_is_signed_in() -> None:
    """It is asked again in a while, by nobody but whom the clock tells."""
    world = signed_in()
    before = world.now.timestamp()
    world.ports.beside.hook = raise_error("sessions.people", Unavailable("no answer"))
    world.send_command("revoke-sessions")
    world.settle(limit=10)
    assert world.waiting() == []

    world.ports.beside.hook = no_hook
    world.pass_time(MINUTE)
    assert left(world, before) == []


@pytest.mark.parametrize("barrier", [False, True])
def test_a_breach_that_a_person_declares(barrier: bool) -> None:
    """Two people are asked about all that changed; with their word everybody's sessions end."""
    world = signed_in()
    deploy_bad_release(world, "sites", "rules", "identity")
    if barrier:
        world.carry_out("mark-barrier", deployment="bad")
    before = world.now.timestamp()

    assert publish_command(world, "breach", system="bookshop") == ""
    world.pass_time(MINUTE)

    assert world.newest_rollback.status is RollbackStatus.PARKED
    assert world.incident.signal == "security_breach"
    assert "every session of before it begins ends with it" in notice_texts(world, "rollback.parked")[0]
    stops = [one["gate"] for one in world.newest_rollback.gates if one["leads_to"] == "ask"]
    assert ("barrier" in stops) is barrier
    assert left(world, before) == PEOPLE
    approve_rollback(world, "alice", "bob")
    world.pass_time(HOUR)
    assert left(world, before) == []
    assert world.ports.beside.sites["shop"].version == "v1"
    assert world.rollbacks()[-1].status is RollbackStatus.SUCCEEDED
    assert world.incident.status is IncidentStatus.ESCALATED  # a person says it is over
    assert world.find_violated_invariants() == []


def test_a_breach_that_nobody_approves() -> None:
    """Nothing goes back, and nobody has to sign in again."""
    world = signed_in()
    deploy_bad_release(world, "sites")
    before = world.now.timestamp()

    publish_command(world, "breach", system="bookshop")
    world.pass_time(HOUR)

    assert world.newest_rollback.status is RollbackStatus.NOT_TAKEN
    assert left(world, before) == PEOPLE


def test_sign_in_that_goes_back_leaves_sessions() -> None:
    """Whoever is asked reads that they stay, and how they would end."""
    world = signed_in()
    deploy_bad_release(world, "identity")

    world.carry_out("rollback", scenario="auth")

    assert "sessions stay; `rollback revoke-sessions`" in notice_texts(world, "rollback.parked")[0]


def run(saboteur: FaultInjectorHook) -> World:
    world = signed_in(saboteur)
    saboteur.world, saboteur.active = world, True
    world.send_command("revoke-sessions", id="mine")
    tick_clock(world, saboteur, 6)
    saboteur.active = False
    return world


def points() -> list[tuple[int, InjectedFault]]:
    """Some of each page, and every commit."""
    counted = FaultInjectorHook(counted=COUNTED)
    run(counted)
    chosen = [
        place for place, point in enumerate(counted.points) if "sessions.end" not in point or place % 40 == 0
    ]
    return [(place, fault) for place in chosen for fault in (InjectedFault.CRASH, InjectedFault.LOST_ANSWER)]


@pytest.mark.parametrize(("point", "fault"), points())
def test_a_fault_while_sessions_end(point: int, fault: InjectedFault) -> None:
    """Wherever it dies, or hears nothing, they are all over in the end, and it is told once."""
    world = run(FaultInjectorHook(point, fault, COUNTED))

    assert left(world, world.now.timestamp() - 3600) == []
    assert all(world.ports.beside.sessions_since.values())
    told = {one.key for one in world.sent_notices if "mine:revoke-sessions" in one.key}
    assert len(told) == 1
    assert world.find_violated_invariants() == []


def test_a_worker_in_whose_way_another_one_is() -> None:
    """What is at work already is no reason to come again: the clock hands on what is left."""
    world = signed_in()
    world.send_command("revoke-sessions")
    [asked] = world.ports.bus.take(topics.COMMANDS)
    world.deliver(asked)
    [published] = world.ports.bus.take(topics.WORK)
    others: list[bool] = []
    world.ports.beside.hook = run_once(
        "sessions.end", "before", lambda: others.append(world.deliver(published))
    )

    assert world.deliver(published)

    assert others == [True]
    world.settle()
    assert left(world, world.now.timestamp()) == []
    assert len(notice_lines(world, "revoke-sessions")) == 1
