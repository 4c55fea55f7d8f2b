"""Traffic changes through Google's own Cloud Run client."""

import json
from collections.abc import Iterable, Iterator
from datetime import timedelta
from itertools import zip_longest
from typing import Any

import pytest
from google.api_core import exceptions
from google.cloud import run_v2
from google.longrunning import operations_pb2
from google.protobuf import duration_pb2
from google.rpc import error_details_pb2

from tests.local.support.run import PARENT, SECOND, World, policy, served, service_path, to, to_latest

SUCCEEDED = run_v2.Condition.State.CONDITION_SUCCEEDED
FAILED = run_v2.Condition.State.CONDITION_FAILED
RECONCILING = run_v2.Condition.State.CONDITION_RECONCILING


@pytest.fixture
def world() -> Iterator[World]:
    """A bad release on placeOrder, after a good one."""
    with served(World()) as world:
        world.deploy(failure_rate=1.0)
        yield world


def change(world: World, service: run_v2.Service, *paths: str) -> None:
    """Ask for these fields of a service as they stand in it; without any, for all."""
    mask = {"paths": paths} if paths else None
    world.services.update_service(request=run_v2.UpdateServiceRequest(service=service, update_mask=mask))


def routed(service: run_v2.Service) -> list[tuple[str, int, str]]:
    return [(one.revision, one.percent, one.tag) for one in service.traffic_statuses]


def test_traffic_statuses_follow_when_the_operation_is_done(world: World) -> None:
    """What is asked for stands at once; what the routers do comes eight seconds later."""
    before = world.get()

    operation = world.update(before, to(world.revision()))
    during = world.get()
    world.advance(7.9)
    almost = world.get()
    world.advance(0.1)
    after = world.get()

    assert routed(before) == routed(during) == routed(almost) == [("", 100, "")]
    assert [one.revision for one in during.traffic] == [world.revision()]
    assert (during.reconciling, during.terminal_condition.state) == (True, RECONCILING)
    assert during.observed_generation == before.generation < during.generation
    assert during.etag != before.etag
    assert routed(after) == [(world.revision(), 100, "")]
    assert (after.reconciling, after.terminal_condition.state) == (False, SUCCEEDED)
    assert after.observed_generation == after.generation == during.generation
    assert (after.etag, after.template) == (during.etag, before.template)
    assert after.latest_created_revision == before.latest_created_revision
    assert operation.result(timeout=60).name == before.name


def test_clients_reach_the_old_revision_only_once_the_routers_followed(world: World) -> None:
    """Real requests go where traffic_statuses say, not where traffic says."""
    address = ("europe-west1-shop.cloudfunctions.net", "/placeOrder")
    world.update(world.get(), to(world.revision()))

    assert world.application.answer(*address).status == 500
    world.advance(8)
    assert world.application.answer(*address).status == 200


@pytest.mark.parametrize(
    "name", ["Bad_NAME", "again", "placeorder", "placeorder-", "placeorder-A", "chargecard-1"]
)
def test_a_revision_with_a_name_against_the_rules(world: World, name: str) -> None:
    """It begins with the name of its service, in lower case."""
    asked = run_v2.Service(name=service_path("placeorder"), template=run_v2.RevisionTemplate(revision=name))
    before = world.get()

    with pytest.raises(exceptions.InvalidArgument):
        change(world, asked, "template.revision")

    assert world.get() == before


def test_stale_etag_is_refused(world: World) -> None:
    """A write that names an older state of the service changes nothing."""
    stale = world.get()
    world.update(stale, to(world.revision(1)))

    with pytest.raises(exceptions.Aborted):
        world.update(stale, to(world.revision()))

    assert [one.revision for one in world.get().traffic] == [world.revision(1)]


def test_absent_etag_is_unconditional(world: World) -> None:
    """Without an etag the write lands whatever is there."""
    blind = world.get()
    world.update(blind, to(world.revision(1)))
    blind.etag = ""

    world.update(blind, to(world.revision()))

    assert [one.revision for one in world.get().traffic] == [world.revision()]


def test_validate_only_changes_nothing(world: World) -> None:
    """A dry run is checked and answered, and leaves the service as it was."""
    before = world.get()

    preview = world.update(before, to(world.revision()), validate_only=True).result(timeout=60)
    world.advance(60)

    assert [one.revision for one in preview.traffic] == [world.revision()]
    assert world.get() == before
    with pytest.raises(exceptions.InvalidArgument):
        world.update(before, to("placeorder-00009-zzz"), validate_only=True)


def test_tagged_entries_stay_reachable(world: World) -> None:
    """A tag of 0 % keeps its own address, and is gone when the list no longer has it."""
    host = "good---" + world.get().uri.removeprefix("https://")
    world.update(world.get(), to_latest(), to(world.revision(), 0, "good"))
    world.advance(8)

    tagged = next(one for one in world.get().traffic_statuses if one.tag)
    assert (tagged.uri, tagged.percent) == (f"https://{host}", 0)
    assert world.application.answer(host, "/").revision == world.revision()

    world.update(world.get(), to_latest())
    world.advance(8)
    assert world.application.answer(host, "/").status == 404


REFUSED = {
    "percents below 100": [("r1", 99, "")],
    "percents above 100": [("r1", 60, ""), ("r2", 60, "")],
    "a negative percent": [("r1", -1, ""), ("r2", 101, "")],
    "the same tag twice": [("r1", 100, "a"), ("r2", 0, "a")],
    "a tag that is no label": [("r1", 100, "A_")],
    "an unknown revision": [("other", 100, "")],
    "a full resource name": [("full", 100, "")],
}


@pytest.mark.parametrize("targets", REFUSED.values(), ids=REFUSED)
def test_impossible_traffic_is_refused(world: World, targets: list[tuple[str, int, str]]) -> None:
    """A list that cannot be served is INVALID_ARGUMENT and changes nothing."""
    before = world.get()
    names = {
        "r1": world.revision(),
        "r2": world.revision(1),
        "other": "payorder-00001-xyz",
        "full": f"{before.name}/revisions/{world.revision()}",
    }

    with pytest.raises(exceptions.InvalidArgument):
        world.update(before, *(to(names[name], share, tag) for name, share, tag in targets))

    assert world.get() == before


def test_target_without_a_type_is_refused(world: World) -> None:
    """A target says whether it follows the latest revision or is pinned."""
    with pytest.raises(exceptions.InvalidArgument):
        world.update(world.get(), run_v2.TrafficTarget(revision=world.revision(), percent=100))


def test_mask_with_an_unknown_field_is_refused(world: World) -> None:
    """A path that is no field of a service is INVALID_ARGUMENT; camel case is no field."""
    for path in ("traffics", "latestReadyRevision"):
        with pytest.raises(exceptions.InvalidArgument):
            world.update(world.get(), to(world.revision()), mask=("traffic", path))

    assert routed(world.get()) == [("", 100, "")]
    assert not world.get().reconciling


def test_mask_with_a_field_that_has_no_effect_is_refused(world: World) -> None:
    """What is not emulated is said, never ignored."""
    with pytest.raises(exceptions.MethodNotImplemented):
        world.update(world.get(), to(world.revision()), mask=("traffic", "labels"))


def test_template_in_the_mask_makes_a_revision(world: World) -> None:
    """A template with another image becomes the newest revision; the same one does not."""
    good = world.revisions.get_revision(name=f"{world.get().name}/revisions/{world.revision()}")
    service = world.get()
    service.template.containers[0].image = good.containers[0].image

    change(world, service, "template")
    world.advance(8)
    after = world.get()
    change(world, after, "template")

    newest = world.application.service("placeorder").latest_created
    assert (newest.release, newest.failure_rate) == ("r1", 0.0)
    assert after.latest_ready_revision.endswith(newest.name)
    assert after.generation == service.generation + 1
    assert len(world.application.service("placeorder").revisions) == 3


UNAPPLIED: tuple[tuple[str, dict[str, Any]], ...] = (
    ("template.containers.env", {"template": {"containers": [{"env": [{"name": "MODE", "value": "x"}]}]}}),
    (
        "template.containers.liveness_probe",
        {"template": {"containers": [{"livenessProbe": {"periodSeconds": 5}}]}},
    ),
    ("template.labels", {"template": {"labels": {"team": "shop"}}}),
    ("template.annotations", {"template": {"annotations": {"a": "b"}}}),
    ("template.volumes", {"template": {"volumes": [{"name": "tmp", "emptyDir": {}}]}}),
    ("template.vpc_access", {"template": {"vpcAccess": {"connector": "c"}}}),
    ("template.execution_environment", {"template": {"executionEnvironment": "EXECUTION_ENVIRONMENT_GEN2"}}),
    ("template.containers", {"template": {"containers": [{}, {"image": "sidecar"}]}}),
    ("ingress", {"ingress": "INGRESS_TRAFFIC_INTERNAL_ONLY"}),
    ("annotations", {"annotations": {"a": "b"}}),
    ("custom_audiences", {"customAudiences": ["https://shop.example"]}),
    ("client", {"client": "gcloud"}),
    ("binary_authorization", {"binaryAuthorization": {"useDefault": True}}),
)


def merge(into: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
    """JSON with more of it, lists by their places."""
    for key, it in more.items():
        if isinstance(it, dict) and isinstance(into.get(key), dict):
            merge(into[key], it)
        elif key == "containers":
            pairs: Iterable[list[dict[str, Any]]] = map(list, zip_longest(into[key], it, fillvalue={}))
            into[key] = [{**before, **after} for before, after in pairs]
        else:
            into[key] = it
    return into


@pytest.mark.parametrize("masked", [True, False])
@pytest.mark.parametrize(("field", "more"), UNAPPLIED, ids=[field for field, _ in UNAPPLIED])
def test_another_value_of_what_is_not_applied_is_refused(
    world: World, field: str, more: dict[str, Any], masked: bool
) -> None:
    """By its name, with a mask and without one; no revision is made, and nothing moves."""
    before = world.get()
    asked = run_v2.Service.from_json(json.dumps(merge(json.loads(run_v2.Service.to_json(before)), more)))
    mask = [field.partition(".")[0]] if masked else []

    with pytest.raises(exceptions.MethodNotImplemented, match=f"'{field}'"):
        change(world, asked, *mask)

    assert world.get() == before
    assert len(world.application.service("placeorder").revisions) == 2


def test_a_service_as_it_was_read_is_taken_without_a_mask(world: World) -> None:
    """What is the same is nothing that has no effect."""
    service = world.get()
    service.traffic = [to(world.revision())]

    change(world, service)
    world.advance(8)

    assert routed(world.get()) == [(world.revision(), 100, "")]


def test_a_part_of_the_template_in_the_mask(world: World) -> None:
    """The rest of it stays: another name makes a revision of the same image."""
    service = world.get()
    template = run_v2.RevisionTemplate(revision="placeorder-again")
    asked = run_v2.Service(name=service.name, template=template)

    change(world, asked, "template.revision")

    newest = world.application.service("placeorder").latest_created
    assert (newest.name, newest.release) == ("placeorder-again", "r2")
    assert world.get().template.containers == service.template.containers


def test_a_template_without_a_container_is_refused(world: World) -> None:
    """Nothing can be run."""
    asked = run_v2.Service(name=world.get().name)

    with pytest.raises(exceptions.InvalidArgument, match="container"):
        change(world, asked, "template")


def test_operation_fails_late(world: World) -> None:
    """An accepted change may end in an error; the routers stay, the service says why."""
    world.rollouts.failure = lambda service: f"{service}: no capacity"

    operation = world.update(world.get(), to(world.revision()))
    world.advance(8)

    with pytest.raises(exceptions.FailedPrecondition, match="no capacity"):
        operation.result(timeout=60)
    after = world.get()
    assert routed(after) == [("", 100, "")]
    assert after.terminal_condition.state == FAILED
    assert after.observed_generation == after.generation
    assert not after.reconciling


def test_revision_that_does_not_start_gets_no_traffic(world: World) -> None:
    """A change towards it is accepted and fails when it is due."""
    world.application.degrade("placeOrder", world.revision(), starts=False)

    operation = world.update(world.get(), to(world.revision()))
    world.advance(8)

    with pytest.raises(exceptions.FailedPrecondition, match="not ready"):
        operation.result(timeout=60)
    assert routed(world.get()) == [("", 100, "")]


def test_newer_change_takes_the_place_of_a_pending_one(world: World) -> None:
    """The newest list wins, whichever would have been done first."""
    world.rollouts.latency = timedelta(seconds=30)
    older = world.update(world.get(), to(world.revision(1)))
    world.rollouts.latency = timedelta(seconds=5)

    newer = world.update(world.get(), to(world.revision()))
    world.advance(60)

    assert routed(world.get()) == [(world.revision(), 100, "")]
    assert newer.result(timeout=60).name == world.get().name
    with pytest.raises(exceptions.Aborted):
        older.result(timeout=60)


def test_latency_is_chosen_per_service(world: World) -> None:
    """Each service takes its own time."""
    world.rollouts.latency = lambda service: SECOND * (1 if service == "placeorder" else 20)
    world.update(world.get("placeorder"), to(world.revision()))
    world.update(world.get("payorder"), to(world.revision(function="payOrder")))

    world.advance(1)

    assert not world.get("placeorder").reconciling
    assert world.get("payorder").reconciling


def test_operations_are_found_again_by_name_and_by_list(world: World) -> None:
    """Who kept only the name, or not even that, can still ask how far a change has come."""
    name = world.update(world.get(), to(world.revision())).operation.name

    def listed(wanted: str) -> list[str]:
        request = operations_pb2.ListOperationsRequest(name=PARENT, filter=wanted)
        return [one.name for one in world.operations.ListOperations(request).operations]

    assert not world.operation(name).done
    assert listed("done=false") == [name]
    world.advance(8)
    assert world.operation(name).done
    assert (listed("done=false"), listed("done=true"), listed("")) == ([], [name], [name])
    with pytest.raises(exceptions.NotFound):
        world.services.get_operation(operations_pb2.GetOperationRequest(name=f"{PARENT}/operations/none"))


def test_waiting_for_an_operation_ends_with_its_time(world: World) -> None:
    """A wait that is shorter than the change answers what there is.

    The generated run client hands out its answer undecoded, so the plain stub asks.
    """
    name = world.update(world.get(), to(world.revision())).operation.name
    request = operations_pb2.WaitOperationRequest(name=name, timeout=duration_pb2.Duration())

    assert not world.operations.WaitOperation(request).done
    waiting = world.operations.WaitOperation.future(
        operations_pb2.WaitOperationRequest(name=name, timeout=duration_pb2.Duration(seconds=60))
    )
    world.advance(8)
    assert waiting.result(timeout=60).done


def test_writes_beyond_the_quota_are_refused_with_the_time_to_wait(world: World) -> None:
    """The bucket admits its burst, then one write per refill; the refusal says how long."""
    world.quota.enforced, world.quota.burst, world.quota.per_second = True, 2, 0.5
    world.update(world.get("placeorder"), to_latest())
    world.update(world.get("payorder"), to_latest())
    world.update(world.get("findbook"), to_latest(), validate_only=True)

    with pytest.raises(exceptions.ResourceExhausted) as refusal:
        world.update(world.get("findbook"), to_latest())

    (retry,) = [one for one in refusal.value.details if isinstance(one, error_details_pb2.RetryInfo)]
    assert retry.retry_delay.ToTimedelta() == timedelta(seconds=2)
    assert refusal.value.reason == "RATE_LIMIT_EXCEEDED"
    assert not world.get("findbook").reconciling
    world.advance(2)
    world.update(world.get("findbook"), to_latest())
    with pytest.raises(exceptions.ResourceExhausted):
        world.update(world.get("bookcover"), to_latest())


def test_service_that_is_not_there_is_not_found(world: World) -> None:
    """Neither read nor write invents a service."""
    with pytest.raises(exceptions.NotFound):
        world.get("nothing")
    with pytest.raises(exceptions.NotFound):
        world.update(run_v2.Service(name=service_path("nothing")), to_latest())
    with pytest.raises(exceptions.InvalidArgument):
        world.services.get_service(name="services/placeorder")


def test_long_lists_come_in_pages() -> None:
    """Every service and revision comes exactly once, however small the pages are."""
    with served(World(policy(functions=120))) as world:
        world.deploy()
        services = list(world.services.list_services(parent=PARENT))
        small = run_v2.ListServicesRequest(parent=PARENT, page_size=50)
        pages = [len(page.services) for page in world.services.list_services(request=small).pages]
        revisions = list(world.revisions.list_revisions(parent=f"{PARENT}/services/-"))

        assert len({one.name for one in services}) == len(services) == 124
        assert pages == [50, 50, 24]
        assert len({one.name for one in revisions}) == len(revisions) == 125
        wrong = run_v2.ListServicesRequest(parent=PARENT, page_token="bm9uZQ==")
        with pytest.raises(exceptions.InvalidArgument):
            world.services.list_services(request=wrong)


def test_revisions_tell_their_image_and_whether_they_are_ready(world: World) -> None:
    """Newest first; a release is recognised by the digest of its image."""
    world.application.deploy(["placeOrder", "payOrder"], release="r3", starts=False)

    third, bad, good = world.revisions.list_revisions(parent=service_path("placeorder"))

    assert [one.name.rpartition("/")[2] for one in (bad, good)] == [world.revision(1), world.revision()]
    assert third.conditions[0].state == FAILED
    assert good.conditions[0].state == SUCCEEDED
    assert "@sha256:" in good.containers[0].image != bad.containers[0].image
    with pytest.raises(exceptions.NotFound):
        world.revisions.get_revision(name=f"{service_path('placeorder')}/revisions/none")
