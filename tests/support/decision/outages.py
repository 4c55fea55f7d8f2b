"""Trouble in a shop: how functions fall ill, and what became of them."""

from datetime import timedelta

from msgspec.structs import replace

from shared.core.codec import encode
from shared.core.store import Put
from shared.domain.deployments.deployment import Deployment, DeploymentStatus, deployment_path, placements
from shared.domain.rollback import rollback
from tests.support.runtime.world import BOOKSHOP, World

MINUTE = timedelta(minutes=1)
WATCHED = replace(BOOKSHOP, execution=replace(BOOKSHOP.execution, watch=30 * MINUTE))
"""Watched for as long as the runbook asks: the watch ends later than the conditions must."""

ABOUT_GET_BOOK = {"type": "cloud_run_revision", "labels": {"service_name": "getbook"}}
"""The resource of an alert about that function."""


def of_function(world: World, function: str) -> dict[str, object]:
    """The resource by which an alert names a function."""
    labels = {"project_id": world.policy.project, "service_name": function.lower()}
    return {"type": "cloud_run_revision", "labels": labels}


def build_monitored_world() -> World:
    """The rollback of getBook is monitored."""
    world = World()
    world.deploy_bad(["getBook"])
    world.alert("0.first", resource=of_function(world, "getBook"))
    world.pass_time(5 * MINUTE)
    assert world.newest_rollback.status is rollback.RollbackStatus.WATCHING
    return world


def make_function_fail(world: World, function: str) -> None:
    """What the function serves now fails from here on, and always has."""
    [serving] = world.live[function]
    world.ports.world.set_failure_rate(function, serving, 0.9)


def set_failure_rate(world: World, rate: float) -> None:
    """That share of the requests of every function fails, from here on and always has."""
    for function, revisions in world.live.items():
        for revision in revisions:
            world.ports.world.set_failure_rate(function, revision, rate)


def shifted_functions(world: World) -> set[str]:
    """The functions that were shifted."""
    services = {function.lower(): function for function in world.policy.functions}
    return {services[name] for name in world.ports.world.applied_shifts}


def notice_texts(world: World, event: str) -> list[str]:
    """The texts of the notices of an event."""
    return [sent.notice["text"] for sent in world.ports.sender.sent if event in sent.key]


def run_five_minutes_after_alert(is_open: bool | None) -> World:
    """Five minutes after an alert, of which Cloud Monitoring says this, or nothing."""
    world = World(policy=WATCHED)
    if is_open is not None:
        world.ports.alerts.open["0.abc"] = is_open
    world.deploy_bad()
    world.alert()
    world.pass_time(5 * MINUTE)
    [one] = world.rollbacks()
    assert one.status is rollback.RollbackStatus.WATCHING
    return world


def time_to_condition_deadline(world: World) -> timedelta:
    """How long it is until the conditions must be over."""
    [one] = world.rollbacks()
    assert one.shifted_at is not None
    return one.shifted_at + 30 * MINUTE - world.ports.clock.now()


def record_live_deployment(
    world: World, name: str, status: DeploymentStatus, ago: timedelta, **changes: object
) -> None:
    """What is live now is on record as a deployment of then."""
    known = Deployment(
        name,
        world.policy.system,
        world.ports.clock.now() - ago,
        status,
        placements(world.ports.world.functions()),
    )
    document = Put(deployment_path(world.policy.system, name), encode(replace(known, **changes)))
    world.ports.store.commit([document])


def raise_probe_alarm(world: World) -> None:
    """A release reaches one function, and own probes alone see that it fails since."""
    world.deploy_bad(["getBook"], rate=0.0)
    world.ports.prober.down = lambda probe: probe == "book"
    world.alert("probe:bookshop:1", resource=ABOUT_GET_BOOK)
