"""Every call takes all of its time: no worker outlives its lease over that."""

from datetime import timedelta

from shared.adapters.gcp.errors import READ_TIMEOUT_SECONDS
from shared.core.errors import Unavailable
from shared.core.runtime import Pool
from shared.domain.incidents.incident import IncidentStatus
from shared.domain.policy.system_policy import Policy
from shared.domain.rollback.rollback import RollbackStatus
from shared.wiring.adapters import MAX_PARALLEL_CALLS
from tests.support.fakes.runtime.virtual_pool import LanePool
from tests.support.rollbacks.approvals import publish_command
from tests.support.rollbacks.bookshop_resources import SHOP, add_healthy_resources, deploy_bad_release
from tests.support.rollbacks.rebuild_shop import extend_rollout_during_rollback
from tests.support.rollbacks.rebuilds import build_world_with_rebuild
from tests.support.runtime.world import BOOKSHOP, FakePorts, World

MINUTE = timedelta(minutes=1)
LONG = READ_TIMEOUT_SECONDS + 0.1


class SlowPorts(FakePorts):
    """Ports whose calls beside each other take so long, from some moment on.

    Then Cloud Monitoring says nothing at all.
    """

    def __init__(self, policy: Policy = BOOKSHOP) -> None:
        super().__init__(policy)
        self.are_slow = False
        self.counts.hook = self.alerts.hook = self._unless_slow

    def pool(self) -> Pool:
        """As many lanes as the real pool has threads."""
        if not self.are_slow:
            return super().pool()
        return LanePool(self.clock, MAX_PARALLEL_CALLS, LONG)

    def _unless_slow(self, verb: str, side: str) -> None:
        if self.are_slow:
            raise Unavailable(f"{verb}: no answer")


def test_a_decision() -> None:
    """It holds as long as it may, and says what is not known."""
    ports = SlowPorts()
    world = World(ports=ports)
    world.deploy_bad(rate=0.0)
    ports.are_slow = True

    world.alert()
    world.pass_time(10 * MINUTE)

    [one] = world.rollbacks()
    assert (one.status, one.takeovers) == (RollbackStatus.NOT_TAKEN, 0)
    unread = "the metrics could not be read"
    missing = f"external cause: {unread}; cause: {unread}; what fails is not known yet"
    assert one.outcome.startswith(missing)


def test_the_end_of_a_watch() -> None:
    """What went well does not fail because nobody tells whether an alert is over."""
    ports = SlowPorts()
    world = World(ports=ports)
    world.deploy_bad()
    world.alert()
    world.pass_time(8 * MINUTE)
    ports.are_slow = True

    world.pass_time(30 * MINUTE)

    [one] = world.rollbacks()
    assert one.status is RollbackStatus.SUCCEEDED
    assert "not known to be over: function failure rate" in one.outcome
    assert world.incidents()[0].status is IncidentStatus.INVESTIGATING

    ports.are_slow = False
    world.pass_time(10 * MINUTE)

    assert world.incidents()[0].status is IncidentStatus.RESOLVED


def test_an_undo_of_what_was_built_again() -> None:
    """Deployments are asked about with a lease that lasts for the answers."""
    ports = SlowPorts()
    world = build_world_with_rebuild(shop=World(ports=ports))
    ports.are_slow = True

    assert publish_command(world, "undo") == ""
    world.pass_time(2 * MINUTE)

    assert (world.rollbacks()[-1].status, world.rollbacks()[-1].takeovers) == (RollbackStatus.PARKED, 0)


def test_a_roll_out_that_goes_on() -> None:
    """What it reaches later is looked for, and for where its images are, before the plan grows."""
    ports = SlowPorts()
    world = World(ports=ports)
    world.pass_time(2 * MINUTE)

    def slowly(verb: str, side: str) -> None:
        kept = ports.store.documents
        running = [path for path, one in kept.items() if one.get("status") == "RUNNING"]
        ports.are_slow = ports.are_slow or bool(running)

    ports.store.hook = slowly

    rollback = extend_rollout_during_rollback(world)

    assert rollback.plan is not None
    assert (rollback.plan.extensions, rollback.takeovers) == (1, 0)
    assert "died" not in rollback.outcome


def test_an_order_for_everything() -> None:
    """It is decided; what cannot be sent soon enough after its intent ends in time, and is told."""
    ports = SlowPorts(SHOP)
    world = World(policy=SHOP, ports=ports, furnish=add_healthy_resources)
    deploy_bad_release(world, "functions", "sites", "rules")
    ports.are_slow = True

    world.command(command="rollback", system="bookshop", scenario="complete")
    world.pass_time(10 * MINUTE)

    one = world.rollbacks()[0]
    assert (one.status, one.takeovers) == (RollbackStatus.FAILED, 0)
    assert "release shop: failed, no result in time: its time limit to be sent has passed" in one.outcome
