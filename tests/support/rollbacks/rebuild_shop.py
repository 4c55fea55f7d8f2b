"""A shop whose sources are kept, and what a rollback makes of its functions."""

from datetime import timedelta

from msgspec.structs import replace

from shared.core.codec import encode
from shared.core.store import Put, Update
from shared.domain.audit.chain import Event
from shared.domain.deployments.deployment import Deployment, DeploymentStatus, deployment_path
from shared.domain.policy.gate_limits import Rebuilds
from shared.domain.rollback.plan import StepStatus
from shared.domain.rollback.rollback import Rollback
from tests.support.runtime.world import BOOKSHOP, World

ORDER, SHOP = "orderStatus", "renderShop"


def build_shop_with_source_copies(rebuilds: Rebuilds = Rebuilds.ACT) -> World:
    """A shop whose stable deployment is recorded with copies of all its sources."""
    gates = replace(BOOKSHOP.gates, rebuilds=rebuilds)
    shop = World(policy=replace(BOOKSHOP, gates=gates))
    shop.pass_time(timedelta(minutes=2))
    return shop


def roll_back(shop: World, minutes: int = 20) -> Rollback:
    shop.alert()
    shop.pass_time(timedelta(minutes=minutes))
    return shop.rollbacks()[-1]


def step_statuses(shop: World, function: str) -> dict[str, StepStatus]:
    """How each step of a function ended, by kind."""
    steps = shop.steps(shop.rollbacks()[-1].id).values()
    return {
        step.name.partition(" ")[0]: step.status
        for step in steps
        if step.target == function and step.kind != "judge"
    }


def functions_on_copies(shop: World) -> set[str]:
    """The functions that run what was built from our copies."""
    functions = shop.ports.world.functions()
    sources = {name: one.source for name, one in functions.items()}
    return {name for name, one in sources.items() if one and name in one.object.split("/")}


def healthy_functions(shop: World) -> set[str]:
    """The functions that requests reach without failing."""
    services = shop.ports.world.services()
    return {
        name
        for name, served in shop.live.items()
        if all(services[name].failure_rates[revision] == 0.0 for revision in served)
    }


def failure_lines(shop: World) -> list[str]:
    """The lines that people read of how it failed."""
    [told] = [
        str(sent.notice["text"])
        for sent in shop.ports.sender.sent
        if sent.key.split(":")[1] == "rollback.failed" and sent.key.endswith(":record")
    ]
    return told.splitlines()


def end_event(shop: World) -> Event:
    """The event of its end."""
    entries = shop.trail(shop.rollbacks()[-1])
    [event] = [one for entry in entries for one in entry.events if one.name == "rollback.failed"]
    return event


PLACE = "europe-west1-docker.pkg.dev/shop/gcf-artifacts"
"""A repository of which nothing is kept, unless a test says so."""


def extend_rollout_during_rollback(shop: World, barrier: str = "") -> Rollback:
    """A release reaches checkout once the rollback of catalogue has begun.

    With that `barrier` it is known by then to have one.
    """
    shop.ports.world.move_image(ORDER, f"{PLACE}/order@sha256:1")
    shop.ports.world.deploy(shop.policy.groups["catalogue"].functions, failure_rate=0.8)
    shop.ports.clock.advance(timedelta(minutes=3))
    fields = encode(Deployment("v2", "bookshop", shop.ports.clock.now(), DeploymentStatus.ROLLING_OUT, {}))
    shop.ports.store.commit([Put(deployment_path("bookshop", "v2"), fields)])
    reached = [shop.policy.groups["checkout"].functions]

    def goes_on(verb: str, side: str) -> None:
        if (verb, side) == ("platform.shift", "after") and reached:
            shop.ports.clock.advance(timedelta(seconds=1))  # after the first step
            shop.ports.world.deploy(reached.pop(), failure_rate=0.8)
            if barrier:
                told = Update(deployment_path("bookshop", "v2"), {"barrier": barrier})
                shop.ports.store.commit([told])

    shop.ports.world.hook = goes_on
    return roll_back(shop, minutes=40)
