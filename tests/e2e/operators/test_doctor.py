"""`rollback doctor` beside the product, over its own connections."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import grpc
from google.iam.v1.iam_policy_pb2 import SetIamPolicyRequest
from google.iam.v1.policy_pb2 import Policy as IamPolicy
from google.pubsub_v1 import types
from typer.testing import CliRunner

from cli.app import app
from cli.doctor.finding import ESSENTIAL_CHECKS, CheckVerdict
from cli.doctor.installation.facts import DEAD_MAN
from local.core.grpc_services import StatusError
from local.faults.hooks import CallMoment
from local.installation.provisioning import NO_CALL_CONTEXT, values_bucket
from local.services.artifact_registry import repositories
from shared.core import topics
from shared.core.store import Update
from shared.domain.deployments import deployment
from shared.domain.deployments.deployment import DeploymentStatus
from tests.e2e.support.world import OPERATIONS, World, pass_time, until
from tests.local.support.image_retention import repository_path, run_firebase, set_retention
from tests.local.support.rest import Product

SUBSCRIPTIONS = f"projects/{OPERATIONS}/subscriptions/"
TOPICS = f"projects/{OPERATIONS}/topics/"


def examined() -> tuple[int, list[dict[str, Any]]]:
    """The exit code, and every finding."""
    done = CliRunner().invoke(app, ["doctor", "--json"])
    return done.exit_code, json.loads(done.stdout)["findings"]


def of(findings: list[dict[str, Any]], *verdicts: CheckVerdict) -> set[tuple[str, str]]:
    """Check and thing of the findings of these verdicts."""
    return {(one["check"], one["what"]) for one in findings if one["verdict"] in verdicts}


def test_a_healthy_installation(world: World) -> None:
    """Nothing is wrong, and only what an embedded cloud cannot show is unknown."""
    place = repository_path(world.policy.project, world.policy.region)
    set_retention(Product(world.cloud, repositories.HOST), place, 60 * 86400)

    def is_settled() -> list[dict[str, Any]] | None:
        _, findings = examined()
        unproven = "proof" in {check for check, _ in of(findings, CheckVerdict.UNKNOWN)}
        amiss = of(findings, CheckVerdict.WRONG, CheckVerdict.DOUBTFUL)
        return None if unproven or amiss else findings

    pass_time(world, timedelta(minutes=1))  # both jobs of the scheduler come due
    findings = until("a first minute of sweeps, looks, counts and a proof", is_settled)

    unknown = {check for check, _ in of(findings, CheckVerdict.UNKNOWN)}
    assert unknown == {
        *("alert-ids", "alert-policies", "channels", "code", "console"),
        *("dead-man", "deployed", "metric-names", "own-roles", "queries"),
    }
    assert not unknown & ESSENTIAL_CHECKS
    told = CliRunner().invoke(app, ["doctor"])
    *lines, summed = told.stdout.splitlines()
    verdicts = [line.split()[0] for line in lines if not line.startswith(" ")]
    assert verdicts == sorted(verdicts, key=["well", "unknown"].index)  # the worst stands last
    assert (told.exit_code, summed.split()[1::2]) == (0, ["well,", "unknown"])


def test_the_command_that_keeps_images(world: World) -> None:
    """Doctor prints it after `firebase deploy --force`, and nothing is amiss once it was run."""
    registry = Product(world.cloud, repositories.HOST)
    place = repository_path(world.policy.project, world.policy.region)

    def image_cleanup() -> dict[str, Any]:
        [found] = [one for one in examined()[1] if one["check"] == "image-cleanup"]
        return found

    assert image_cleanup()["why"].startswith("no clean-up policy")
    set_retention(registry, place, 86400)
    found = image_cleanup()
    assert found["verdict"] == CheckVerdict.DOUBTFUL
    assert found["why"] == "it deletes images after 1 d; older deployments are rebuilt"

    run_firebase(registry, found["what_to_do"])

    assert image_cleanup()["verdict"] == CheckVerdict.WELL


def no_dead_letters(world: World) -> tuple[str, str]:
    wanted = types.Subscription.pb()(name=f"{SUBSCRIPTIONS}{topics.WORK}-push")
    asked = types.UpdateSubscriptionRequest.pb()(subscription=wanted)
    asked.update_mask.paths.append("dead_letter_policy")
    world.cloud.pubsub.subscriber.UpdateSubscription(asked, NO_CALL_CONTEXT)
    return "subscriptions", f"{topics.WORK}-push"


def no_topic(world: World) -> tuple[str, str]:
    asked = types.DeleteTopicRequest.pb()(topic=f"{TOPICS}{topics.DEPLOYMENTS}")
    world.cloud.pubsub.publisher.DeleteTopic(asked, NO_CALL_CONTEXT)
    return "topics", topics.DEPLOYMENTS


def silent_clock(world: World) -> tuple[str, str]:
    asked = types.DeleteSubscriptionRequest.pb()(subscription=f"{SUBSCRIPTIONS}{topics.CLOCK}-push")
    world.cloud.pubsub.subscriber.DeleteSubscription(asked, NO_CALL_CONTEXT)
    pass_time(world, timedelta(minutes=5))
    return "clock", topics.CLOCK


def public_publisher(world: World) -> tuple[str, str]:
    policy = IamPolicy()
    policy.bindings.add(role="roles/pubsub.publisher", members=["allUsers"])
    asked = SetIamPolicyRequest(resource=f"{TOPICS}{topics.ALERTS}", policy=policy)
    world.cloud.pubsub.policy.SetIamPolicy(asked, NO_CALL_CONTEXT)
    return "publishers", topics.ALERTS


def failing_switch(world: World) -> tuple[str, str]:
    scheduler, at = world.cloud.surroundings.scheduler, world.cloud.clock.now()
    scheduler.provision(OPERATIONS, "us-east1", DEAD_MAN, "https://switch.example/", at)
    scheduler.record_run(f"projects/{OPERATIONS}/locations/us-east1/jobs/{DEAD_MAN}", at, 13)
    return "dead-man", DEAD_MAN


def values_for_viewers(world: World) -> tuple[str, str]:
    bucket = world.wiring.clients.storage.bucket(values_bucket(OPERATIONS))
    policy = bucket.get_iam_policy()
    member = f"projectViewer:{OPERATIONS}"
    policy.bindings.append({"role": "roles/storage.legacyObjectReader", "members": {member}})
    bucket.set_iam_policy(policy)
    return "readers", values_bucket(OPERATIONS)


def nothing_stable(world: World) -> tuple[str, str]:
    at = deployment.deployment_path(world.policy.system, "v1")
    world.wiring.store.commit([Update(at, {"status": DeploymentStatus.LIVE})])
    return "stable", world.policy.system


BREAKS: tuple[Callable[[World], tuple[str, str]], ...] = (
    no_dead_letters,
    no_topic,
    silent_clock,
    public_publisher,
    failing_switch,
    values_for_viewers,
    nothing_stable,
)
"""Each breaks one thing, and says which finding tells."""


def test_whatever_is_broken_is_found(world: World) -> None:
    """Each of it by its own row, and the exit code says that something is wrong."""
    broken = {one(world) for one in BREAKS}

    code, findings = examined()

    assert broken <= of(findings, CheckVerdict.WRONG)
    assert code == 1
    assert all(one["what_to_do"] for one in findings if one["verdict"] == CheckVerdict.WRONG)


def test_lists_that_cannot_be_had(world: World) -> None:
    """What could not be looked at is neither missing nor well, and that alone is bad news."""

    def refuse(call: str, _: CallMoment) -> None:
        if call.rpartition("/")[2] in ("ListTopics", "ListSubscriptions"):
            raise StatusError(grpc.StatusCode.PERMISSION_DENIED, "not permitted")

    pass_time(world, timedelta(minutes=1))  # both jobs of the scheduler come due
    until("a first minute", lambda: not of(examined()[1], CheckVerdict.WRONG))
    world.cloud.faults.add(refuse)

    code, findings = examined()

    unseen = {check for check, _ in of(findings, CheckVerdict.UNKNOWN)}
    assert {"topics", "subscriptions", "letters-kept"} <= unseen
    assert not of(findings, CheckVerdict.WRONG)
    assert code == 3
