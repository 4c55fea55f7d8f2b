"""The life of a deployment over the embedded cloud: found, settled, proven, shown."""

from datetime import timedelta

from shared.core import topics
from shared.domain.deployments.deployment import DeploymentStatus
from shared.domain.deployments.source_copies import decode_values
from tests.e2e.support.cli import run, value
from tests.e2e.support.deployments import kept_functions, newest, publish_change
from tests.e2e.support.world import World, pass_time, until


def test_a_release_that_only_the_audit_log_tells_of(world: World) -> None:
    """It is read from the real inventory, recorded whole, and named by who announces it later."""
    pass_time(world, timedelta(seconds=30))
    world.application.deploy(release="v2")
    publish_change(world)

    rolling = until("the deployment", lambda: newest(world, DeploymentStatus.ROLLING_OUT))
    assert set(rolling.changed_functions) == set(world.policy.functions)
    pass_time(world, world.policy.deployments.quiet)
    settled = until("its quiet window", lambda: newest(world, DeploymentStatus.LIVE))
    assert settled.id == rolling.id
    assert settled.restorable is not None
    assert settled.restorable.faults == ()
    kept = until("its copies", lambda: kept_functions(world, settled.id))
    one = kept["getBook"]
    assert one.copy is not None
    assert one.source is not None
    find = world.cloud.buckets.find
    copied = find(one.copy.bucket, one.copy.object, one.copy.generation)
    source = find(one.source.bucket, one.source.object, one.source.generation)
    assert copied.content == source.content
    assert one.configuration.values is not None
    values = find(one.configuration.values.bucket, one.configuration.values.object)
    assert decode_values(values.content, one).variables["RELEASE"] == "v2"
    assert settled.functions["getBook"].revisions == world.live["getBook"]

    world.publish(topics.DEPLOYMENTS, {"version": 1, "system": "bookshop", "deployment": "v2"})
    until("its name", lambda: world.evidence.deployment("v2"))

    shown = run("deployments", "show", "v2")
    assert shown.exit_code == 0, shown.output
    assert "functions: getBook changed" in shown.output
    assert "by point-in-time recovery" in shown.output
    assert "no revision was started" in shown.output
    record = value("deployments", "show", "v2")["record"]
    assert record["functions"]["getBook"]["revisions"]
    assert [one["id"] for one in value("deployments")] == ["v2", "v1"]

    unknown = run("deployments", "show", "v22")
    assert unknown.exit_code == 2
    assert "did you mean v2" in unknown.stderr
