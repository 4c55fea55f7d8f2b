"""Trouble in a shop with more than functions: what people say to it, and what is back."""

from datetime import timedelta

from shared.core.codec import decode
from shared.domain.deployments import deployment
from tests.support.rollbacks.bookshop_resources import CARTS
from tests.support.runtime.world import World

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


def start_outage(world: World, signal: str, *cured_by: str) -> None:
    """The outside sees it until all of these are as they were; Cloud Monitoring tells of it."""
    well = {"site": "v1", "mfa": "ENABLED", "rules": "r1", "indexes": [CARTS]}

    def is_down(probe: str) -> bool:
        there = live_resources(world)
        return probe == "shop" and any(there[one] != well[one] for one in cured_by)

    world.ports.prober.down = is_down if cured_by else lambda probe: probe == "shop"
    world.alert(signal=signal)
    world.settle()


def approve_rollback(world: World, *people: str) -> None:
    [open_one] = world.incidents()
    for person in people:
        world.command(person, command="approve", system="bookshop", incident=open_one.id)
        world.settle()


def live_resources(world: World) -> dict[str, object]:
    """What is live beside the functions."""
    estate = world.ports.beside
    return {
        "site": estate.sites["shop"].version,
        "colour": estate.published.content,
        "rules": estate.released["cloud.firestore"].ruleset,
        "mfa": estate.configured["mfa.state"],
        "indexes": list(estate.declared),
    }


def read_deployments(world: World) -> dict[str, deployment.Deployment]:
    documents = world.ports.store.documents
    return {
        path.partition(":")[2]: decode(deployment.Deployment, fields)
        for path, fields in documents.items()
        if path.startswith("deployments/") and path.count("/") == 1
    }
