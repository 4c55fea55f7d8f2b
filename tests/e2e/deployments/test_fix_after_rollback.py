"""A fix that an operator unpins, over the embedded cloud: recorded, and named by the next plan."""

from datetime import timedelta

import pytest

from shared.domain.deployments.deployment import DeploymentStatus
from shared.domain.incidents.incident import IncidentStatus
from shared.domain.rollback.rollback import ENDED_ROLLBACK_STATUSES
from tests.e2e.support.cli import run
from tests.e2e.support.deployments import newest, publish_change
from tests.e2e.support.world import World, pass_time, until

MINUTE = timedelta(minutes=1)


def has_ended(world: World) -> bool:
    """Whether the newest rollback is over."""
    return world.evidence.rollbacks()[-1].status in ENDED_ROLLBACK_STATUSES


@pytest.mark.slice
def test_what_is_unpinned_is_recorded_and_named_when_it_is_passed_over(world: World) -> None:
    """The command line shows the deployment, and a dry run says how long it has baked."""
    world.deploy_bad()
    world.command(command="rollback", system="bookshop")
    until("the rollback", world.is_carried_out)
    until("its verification", lambda: world.evidence.rollbacks()[-1].verified_at)
    world.end_incident(world.evidence.incidents()[-1].id)
    world.application.deploy(release="v3")
    fixed = {name: one.latest for name, one in world.wiring.system("bookshop").platform.functions().items()}

    world.command(command="unpin", system="bookshop")
    until("the unpin", lambda: world.live == {name: {fix: 100} for name, fix in fixed.items()})
    unpinned = world.evidence.incidents()[-1]
    assert IncidentStatus.UNPINNING in [one.status for one in unpinned.timeline]
    publish_change(world)
    until("the deployment", lambda: newest(world, DeploymentStatus.ROLLING_OUT))
    pass_time(world, world.policy.deployments.quiet)
    fix = until("its quiet window", lambda: newest(world, DeploymentStatus.LIVE))
    assert fix.let_through
    assert {name: one.revisions for name, one in fix.functions.items()} == world.live
    until("the end of the unpin", lambda: has_ended(world))

    world.application.deploy(release="v4", failure_rate=0.8)
    planned = run("run", "--system", "bookshop", "--reason", "v4 fails", "--dry-run")

    assert planned.exit_code == 0, planned.output
    shown = " ".join(planned.output.split())
    assert f"{fix.id}, live since {fix.at:%Y-%m-%d %H:%M} UTC, is passed over: 0 of 30 minutes" in shown
    assert world.evidence.dead_letters() == []
