"""The commands that are offered about an incident, beside the rollbacks of other incidents."""

from datetime import timedelta
from typing import Any

import pytest

from shared.domain.incidents.incident import Incident, IncidentStatus, rollback_id
from shared.domain.rollback.rollback import RollbackStatus
from shared.state.available_commands import read_available_verbs
from shared.state.reader import StateReader
from tests.support.fakes.runtime.hooks import no_hook
from tests.support.notices.system_events import refusal_reasons
from tests.support.runtime.world import World

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


def say(world: World, verb: str, **content: Any) -> None:
    world.send_command(verb, "bob", **content)


def offered(world: World, incident: Incident) -> tuple[str, ...]:
    reading = StateReader(world.store)
    known = reading.incident(incident.id)
    assert known is not None
    return read_available_verbs(reading, known, reading.rollback(rollback_id(known.id, known.rollbacks)))


def build_world_with_failed_checkout() -> tuple[World, Incident]:
    """SearchBooks is pinned by an older rollback; one of the checkout has failed in part."""
    world = World()
    world.deploy_bad(["searchBooks"])
    say(world, "rollback", functions=["searchBooks"])
    world.pass_time(2 * HOUR + 30 * MINUTE)
    world.deploy_bad(["payOrder", "createOrder"])

    def fail(verb: str, side: str) -> None:
        if (verb, side) == ("platform.shift", "before"):
            world.platform.fail_late("payOrder", "no capacity")

    world.platform.hook = fail
    say(world, "rollback", functions=["payOrder", "createOrder"])
    world.pass_time(10 * MINUTE)
    world.platform.hook = no_hook
    failed = world.newest_incident
    assert failed.status is IncidentStatus.ESCALATED
    return world, failed


@pytest.mark.parametrize("verb", ["retry", "undo"])
@pytest.mark.parametrize("wait", [MINUTE, 2 * HOUR])
def test_what_a_failed_rollback_offers_is_accepted_beside_an_unpin_of_another_function(
    verb: str, wait: timedelta
) -> None:
    """Neither while the unpin goes on nor after its end does it stand against the checkout."""
    world, failed = build_world_with_failed_checkout()
    say(world, "unpin", functions=["searchBooks"])
    world.pass_time(wait)
    assert len(world.incidents()) == 3

    assert offered(world, failed) == ("retry", "undo", "accept")
    say(world, verb, incident=failed.id)
    world.pass_time(MINUTE)

    assert refusal_reasons(world) == []
    world.pass_time(2 * HOUR)
    assert [one.status for one in world.rollbacks() if one.incident == failed.id][-1] in (
        RollbackStatus.SUCCEEDED,
        RollbackStatus.NOT_TAKEN,
    )


def test_what_the_notice_of_a_failure_offers_is_accepted_behind_a_newer_unpin() -> None:
    """The unpin was ordered while the rollback went on: it is the newest when that one fails."""
    world = World()
    world.deploy_bad(["searchBooks"])
    say(world, "rollback", functions=["searchBooks"])
    world.pass_time(HOUR)
    world.deploy_bad(["payOrder", "createOrder"])
    said: list[str] = []

    def fail(verb: str, side: str) -> None:
        if (verb, side) == ("platform.shift", "before"):
            world.platform.fail_late("payOrder", "no capacity")
            if not said:
                said.append("unpin")
                say(world, "unpin", functions=["searchBooks"])
                world.deliver_commands()

    world.platform.hook = fail
    say(world, "rollback", functions=["payOrder", "createOrder"])
    world.pass_time(30 * MINUTE)
    world.platform.hook = no_hook

    failed = world.incidents()[-2]
    assert failed.timeline[-1].note.endswith("a person may now retry, undo or accept")
    say(world, "undo", incident=failed.id)
    world.pass_time(MINUTE)
    assert refusal_reasons(world) == []


def test_a_newer_rollback_of_the_same_functions_ends_the_offer_of_an_undo() -> None:
    """An undo would overwrite its result: it is refused, and offered nowhere."""
    world, failed = build_world_with_failed_checkout()
    say(world, "rollback", functions=["payOrder"])
    world.deliver_commands()
    world.settle()

    assert "undo" not in offered(world, failed)
    world.pass_time(2 * HOUR)
    assert "undo" not in offered(world, failed)
    say(world, "undo", incident=failed.id)
    world.settle()
    assert "is about the same: undo would overwrite its result" in refusal_reasons(world)[-1]
