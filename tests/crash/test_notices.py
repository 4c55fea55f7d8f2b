"""Faults at every point of the outbox alone: nothing is lost, and no repeat is without its key."""

from collections import Counter
from datetime import timedelta

import pytest
from msgspec.structs import replace

from shared.domain.notices.notice import notice_writes
from shared.domain.notices.push_progress import MAX_DEVICES_PER_BATCH
from shared.domain.notices.recipients import create_notices
from shared.domain.policy.channels import Channel, ChannelKind
from shared.domain.policy.severity import Severity
from shared.state import work_queue
from shared.state.work_queue import NOTICE
from tests.support.fakes.sender import SentNotice
from tests.support.faults.fault_injection import FaultInjectorHook, InjectedFault, deliver_all
from tests.support.notices.notices import HOOK
from tests.support.notices.notices import read_notices as kept
from tests.support.notices.user_devices import (
    MANY,
    TEAM,
    build_policy_with_devices,
    build_world_with_users,
    device_token,
    push_progress,
)
from tests.support.notices.user_devices import NOTICE as DETECTED
from tests.support.runtime.world import BOOKSHOP, World

PAGE = Channel("page", ChannelKind.STATUSPAGE, secret="rollback-statuspage", target="PAGE")
CHANNELS = replace(BOOKSHOP, channels=(HOOK, PAGE), contacts=(), on_call=(), probes=())
COUNTED = ("store.commit", "sender.send")
STORY = ["detected", "rollback.decided", "accepted"]
INCIDENT = "INC-20260302-001"
SECOND = timedelta(seconds=1)
DEAD_FOR = 5
"""Sweeps."""


def told(saboteur: FaultInjectorHook, *, dead: str = "") -> World:
    """The story of an incident on each channel, with one fault in the telling.

    `dead`: a channel that does not answer for the first minutes.
    """
    world = World(saboteur, CHANNELS)
    saboteur.world = world
    now = world.ports.clock.now()
    said = (
        create_notices(CHANNELS, INCIDENT, Severity.LOW, event, event, now + number * SECOND)
        for number, event in enumerate(STORY)
    )
    world.ports.store.commit([write for each in said for write in notice_writes(each)])
    world.ports.sender.down |= {dead} if dead else set()
    for sweep in range(30):
        if sweep == DEAD_FOR:
            world.ports.sender.down.clear()
        now = world.ports.clock.now()
        work_queue.publish_due_items(world.ports.store, world.ports.bus, NOTICE, now, [CHANNELS.system])
        saboteur.active = True
        deliver_all(world, saboteur)
        saboteur.active = False
        world.ports.clock.advance(30 * SECOND)
    return world


def points() -> list[tuple[InjectedFault, int, str]]:
    found = []
    for dead in ("", HOOK.name):
        counted = FaultInjectorHook(counted=COUNTED)
        told(counted, dead=dead)
        every = range(len(counted.points))
        found += [(fault, point, dead) for point in every for fault in InjectedFault]
    return found


@pytest.mark.parametrize(("fault", "point", "dead"), points())
def test_a_fault_anywhere_in_the_outbox(fault: InjectedFault, point: int, dead: str) -> None:
    """Each channel has the story whole and in its order; a repeat says that it is one."""
    saboteur = FaultInjectorHook(point, fault, COUNTED)

    world = told(saboteur, dead=dead)

    assert saboteur.happened
    assert {one["status"] for one in kept(world).values()} == {"SENT"}
    for channel in CHANNELS.channels:
        arrived = [one for one in world.ports.sender.sent if _is_told(one, channel)]
        unmarked = Counter(one.key for one in arrived if not one.notice["repeated"])
        assert set(unmarked.values()) <= {1}
        known = dict.fromkeys(one.key for one in arrived)
        assert [key.split(":")[1] for key in known] == STORY


DEVICES = ("store.commit", "documents.matching", "sender.send_each")


def spread(saboteur: FaultInjectorHook) -> World:
    """One notice to the devices of more users than may be told, with one fault in the telling."""
    world = build_world_with_users(MANY, build_policy_with_devices(MANY - 1))
    now = world.ports.clock.now()
    saboteur.world = world
    for one in (world.ports.store, world.ports.sender, world.ports.kept):
        one.hook = saboteur
    for _ in range(8):
        now = world.ports.clock.now()
        work_queue.publish_due_items(world.ports.store, world.ports.bus, NOTICE, now, [BOOKSHOP.system])
        saboteur.active = True
        deliver_all(world, saboteur)
        saboteur.active = False
        world.ports.clock.advance(30 * SECOND)
    return world


def points_of_spread() -> list[tuple[InjectedFault, int]]:
    counted = FaultInjectorHook(counted=DEVICES)
    spread(counted)
    return [(fault, point) for point in range(len(counted.points)) for fault in InjectedFault]


@pytest.mark.parametrize(("fault", "point"), points_of_spread())
def test_a_fault_anywhere_while_devices_are_told(fault: InjectedFault, point: int) -> None:
    """Each is told; a batch at most is told twice, and says so; the team reads who was not."""
    saboteur = FaultInjectorHook(point, fault, DEVICES)

    world = spread(saboteur)

    assert saboteur.happened
    told = Counter(one.token for one in world.ports.sender.pushed)
    plain = Counter(o.token for o in world.ports.sender.pushed if not o.sent.notice["repeated"])
    assert set(told) == {device_token(number) for number in range(MANY - 1)}
    assert set(plain.values()) <= {1}
    assert sum(told.values()) - len(told) <= MAX_DEVICES_PER_BATCH
    known = kept(world)
    assert known[DETECTED]["status"] == "SENT"
    assert push_progress(world)["taken"] == MANY - 1
    assert "not told: 1" in str(known[TEAM]["text"])
    assert known[TEAM]["status"] == "SENT"


def _is_told(one: SentNotice, channel: Channel) -> bool:
    """Whether it is of the story, on that channel."""
    return one.channel == channel.name and one.key.startswith(INCIDENT)
