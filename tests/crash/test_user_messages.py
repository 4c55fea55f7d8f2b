"""Faults at every point from the approval of a message on, until each user is told."""

from datetime import timedelta

import pytest

from shared.domain.notices.notice import NoticeStatus
from shared.domain.policy.channels import ChannelKind
from shared.state import work_queue
from shared.state.work_queue import NOTICE
from tests.support.faults.fault_injection import FaultInjectorHook, InjectedFault, deliver_all
from tests.support.notices.user_messages import (
    MINUTES,
    approve_message,
    build_user,
    build_world_with_addresses,
    count_mails,
    read_notice,
    user_address,
)
from tests.support.runtime.world import BOOKSHOP, World

USERS = {"ada": build_user("ada"), "bob": build_user("bob", locale="de"), "cleo": build_user("cleo")}
COUNTED = ("store.commit", "documents.matching", "sender.send_each", "rewrites.rewrite")


def told(saboteur: FaultInjectorHook, kind: ChannelKind) -> World:
    """An approved message, with one fault while it is sent."""
    world = build_world_with_addresses(None, USERS, kind)
    world.pass_time(2 * MINUTES)
    assert approve_message(world) == ""
    saboteur.world = world
    for one in (world.ports.store, world.ports.sender, world.ports.kept, world.ports.rewritten):
        one.hook = saboteur
    for _ in range(8):
        now = world.ports.clock.now()
        work_queue.publish_due_items(world.ports.store, world.ports.bus, NOTICE, now, [BOOKSHOP.system])
        saboteur.active = True
        deliver_all(world, saboteur)
        saboteur.active = False
        world.ports.clock.advance(timedelta(seconds=30))
    return world


def points() -> list[tuple[ChannelKind, InjectedFault, int]]:
    found = []
    for kind in (ChannelKind.APPRISE, ChannelKind.TRIGGER_EMAIL):
        counted = FaultInjectorHook(counted=COUNTED)
        told(counted, kind)
        found += [(kind, fault, point) for point in range(len(counted.points)) for fault in InjectedFault]
    return found


@pytest.mark.parametrize(("kind", "fault", "point"), points())
def test_a_fault_anywhere_while_users_are_told(kind: ChannelKind, fault: InjectedFault, point: int) -> None:
    """Each user is told; by Trigger Email once, by apprise one at most twice, and that says so."""
    saboteur = FaultInjectorHook(point, fault, COUNTED)

    world = told(saboteur, kind)

    assert saboteur.happened
    mails = count_mails(world)
    assert set(mails) == {user_address(name) for name in USERS}
    assert mails.total() - len(mails) <= (kind is ChannelKind.APPRISE)
    plain = [one.token for one in world.ports.sender.pushed if not one.sent.notice["repeated"]]
    assert len(plain) == len(set(plain))
    assert read_notice(world).status is NoticeStatus.SENT
