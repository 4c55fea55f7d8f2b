"""The life of a deployment over the embedded cloud: found, settled, proven, shown."""

from __future__ import annotations

from datetime import timedelta

from shared import topics
from shared.deployment import Deployment, Status
from tests.e2e.test_cli import run, value
from tests.e2e.world import World, until


def newest(world: World, status: Status) -> Deployment | None:
    """The newest deployment, once it has that status."""
    found = value("deployments")
    if not found or found[0]["id"] == "v1" or found[0]["status"] != status:
        return None
    return world.evidence.deployment(found[0]["id"])


def test_a_release_that_only_the_audit_log_tells_of(world: World) -> None:
    """It is read from the real inventory, recorded whole, and named by who announces it later."""
    world.advance_to(world.cloud.clock.now() + timedelta(seconds=30))
    world.application.deploy(release="v2")
    entry = {
        "timestamp": world.cloud.clock.now().isoformat(),
        "protoPayload": {
            "serviceName": "run.googleapis.com",
            "methodName": "google.cloud.run.v2.Services.UpdateService",
            "resourceName": f"projects/{world.policy.project}/locations/l/services/getbook",
        },
    }
    world.publish(topics.DEPLOYMENTS, entry)

    rolling = until("the deployment", lambda: newest(world, Status.ROLLING_OUT))
    assert set(rolling.deployed) == set(world.policy.functions)
    settled = until("its quiet window", lambda: newest(world, Status.LIVE))
    assert settled.id == rolling.id
    assert settled.restorable is not None
    assert settled.restorable.faults == ()
    assert settled.functions["getBook"].revisions == world.live["getBook"]

    world.publish(topics.DEPLOYMENTS, {"version": 1, "system": "bookshop", "deployment": "v2"})
    until("its name", lambda: world.evidence.deployment("v2"))

    shown = run("deployments", "show", "v2")
    assert shown.exit_code == 0, shown.output
    assert "functions: getBook changed" in shown.output
    assert "by point-in-time recovery" in shown.output
    record = value("deployments", "show", "v2")["record"]
    assert record["functions"]["getBook"]["revisions"]
    assert [one["id"] for one in value("deployments")] == ["v2", "v1"]

    unknown = run("deployments", "show", "v22")
    assert unknown.exit_code == 2
    assert "did you mean v2" in unknown.stderr
