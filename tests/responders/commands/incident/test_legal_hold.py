from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from shared.core.store import Put
from shared.domain.incidents.incident import IncidentStatus
from shared.domain.policy.execution_limits import WriteQuota
from shared.domain.policy.system_policy import Group
from shared.domain.retention import RECORD_RETENTION
from tests.support.faults.fault_injection import FaultInjectorHook, shorten_watch, tick_clock
from tests.support.notices.system_events import read_dead_letters
from tests.support.runtime.world import BOOKSHOP, World

MINUTE = timedelta(minutes=1)
TROUBLE = "INC-20260302-001"
MANY = replace(
    shorten_watch(),
    groups={"all": Group(functions=tuple(f"function{number:03d}" for number in range(230)))},
    group_aliases={},
    probes=(),
    execution=replace(shorten_watch().execution, write_quota=WriteQuota(burst=500, per_second=50.0)),
)
"""So many that no single commit holds them, and led back at once: that is tested elsewhere."""


def kept(world: World) -> Iterator[tuple[str, datetime | None]]:
    """All that belongs to the incident, and when it expires."""
    for path, fields in world.documents.items():
        below = path.startswith((f"incidents/{TROUBLE}", f"rollbacks/{TROUBLE}"))
        about = fields.get("incident") == TROUBLE and path.startswith(("alerts/", "notices/"))
        if below or about:
            yield path, fields.get("expires_at")


def expiring(world: World) -> set[bool]:
    return {at is not None for _, at in kept(world)}


def say(world: World, verb: str, **content: Any) -> str:
    before = len(read_dead_letters(world))
    world.carry_out(verb, incident=TROUBLE, **content)
    return str(next((one["reason"] for one in read_dead_letters(world)[before:]), ""))


def over(world: World) -> World:
    world.deploy_bad()
    world.alert()
    world.pass_time(30 * MINUTE)
    assert world.incident.status is IncidentStatus.RESOLVED
    return world


def move_data(world: World, entries: int) -> None:
    """As if the rollback had moved data: so many are in its journal."""
    for number in range(entries):
        path = f"rollbacks/{TROUBLE}/journal/{number:03d}"
        entry = {"name": f"{number:03d}", "expires_at": world.now}
        world.store.commit([Put(path, entry)])


def test_what_has_expired_keeps_nothing_else_from_being_held() -> None:
    """An incident may be open for longer than its first rollback is kept."""
    world = over(World())
    assert say(world, "undo") == ""
    world.pass_time(30 * MINUTE)
    world.store.remove(f"rollbacks/{TROUBLE}")

    assert say(world, "hold") == ""
    world.pass_time(MINUTE)

    held = {path for path, at in kept(world) if at is None}
    assert f"rollbacks/{TROUBLE}-r2" in held
    assert f"rollbacks/{TROUBLE}" not in world.documents


def test_where_the_newest_rollback_has_expired_the_rest_is_held() -> None:
    """The incident, its alerts and notices: whoever holds it asks for what there is."""
    world = over(World())
    world.store.remove(f"rollbacks/{TROUBLE}")

    assert say(world, "hold") == ""
    world.pass_time(MINUTE)

    held = {path for path, at in kept(world) if at is None}
    assert f"incidents/{TROUBLE}" in held
    assert f"rollbacks/{TROUBLE}" not in world.documents


def test_what_is_held_expires_never_and_what_is_released_after_the_usual_time() -> None:
    """The incident, its alerts and notices, its rollbacks and everything below them."""
    world = over(World(policy=MANY))
    move_data(world, 230)
    assert expiring(world) == {True}

    assert say(world, "hold", actor="counsel") == ""
    world.pass_time(MINUTE)

    assert expiring(world) == {False}
    assert len(list(kept(world))) > 460
    assert world.find_violated_invariants() == []

    assert say(world, "release") == ""
    released = world.now
    world.pass_time(MINUTE)

    times = {at for _, at in kept(world)}
    assert None not in times
    assert all(at >= released + RECORD_RETENTION - MINUTE for at in times if at)
    assert world.find_violated_invariants() == []


def test_a_hold_of_a_living_incident_waits_for_what_its_worker_writes() -> None:
    """What comes later is held too; the rollback itself goes on as if nothing were."""
    world = World(policy=shorten_watch())
    world.deploy_bad()
    world.alert()
    world.pass_time(MINUTE)
    assert world.incident.ended_at is None

    say(world, "hold")
    world.pass_time(50 * MINUTE)

    assert world.incident.status is IncidentStatus.RESOLVED
    assert expiring(world) == {False}
    assert world.find_violated_invariants() == []
    due = [fields["due_at"] for path, fields in world.documents.items() if path.startswith("commands/")]
    assert set(due) == {None}


def test_a_release_overtakes_a_hold_that_goes_on() -> None:
    """The newest word stands."""
    world = World(policy=shorten_watch())
    world.deploy_bad()
    world.alert()
    world.pass_time(MINUTE)

    say(world, "hold")
    say(world, "release")
    world.pass_time(50 * MINUTE)

    assert expiring(world) == {True}


@pytest.mark.parametrize("point", [0, 2, 5, 8, 11])
def test_a_hold_that_is_interrupted_goes_on_where_it_stopped(point: int) -> None:
    """A death between any two of its commits leaves nothing half held for ever."""
    saboteur = FaultInjectorHook(point)
    world = over(World(saboteur, shorten_watch()))
    move_data(world, 700)
    assert len(list(kept(world))) > 750
    saboteur.world = world
    saboteur.active = True
    world.send_command("hold", incident=TROUBLE)

    tick_clock(world, saboteur, 3)

    assert saboteur.happened
    saboteur.active = False
    assert expiring(world) == {False}
    assert world.find_violated_invariants() == []


def test_a_hold_waits_for_what_is_still_to_be_said() -> None:
    """A notice that is scheduled for long after the end of its incident is held as well."""
    world = World(policy=shorten_watch())
    world.deploy_bad()
    world.send_command("rollback", severity="LOW")
    world.pass_time(30 * MINUTE)
    assert world.incident.status is IncidentStatus.RESOLVED

    say(world, "hold")
    world.pass_time(5 * timedelta(hours=1))

    assert expiring(world) == {False}


def test_a_wrong_hold_is_refused() -> None:
    """Twice, or a release of what is not held."""
    world = over(World(policy=shorten_watch(BOOKSHOP)))

    assert "is not held" in say(world, "release")
    assert say(world, "hold", actor="counsel") == ""
    assert "held by counsel already" in say(world, "hold")
