"""The functions of the application through Google's own Cloud Functions client."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from google.api_core import exceptions
from google.cloud import functions_v2

from local.application.service import RevisionConfiguration
from tests.local.support.run import PARENT, World, policy, served, service_path, to

ACTIVE = functions_v2.Function.State.ACTIVE


@pytest.fixture
def world() -> Iterator[World]:
    with served(World()) as world:
        yield world


def get(world: World, function: str = "placeOrder") -> functions_v2.Function:
    return world.functions.get_function(name=f"{PARENT}/functions/{function}")


def test_function_names_its_service_revision_and_source(world: World) -> None:
    """A 2nd generation function leads to the Cloud Run service that holds its traffic."""
    function = get(world)

    assert function.environment == functions_v2.Environment.GEN_2
    assert function.state == ACTIVE
    assert function.service_config.service == service_path("placeorder")
    assert function.service_config.revision == world.revision()
    assert function.service_config.uri == world.get().uri
    assert function.url == "https://europe-west1-shop.cloudfunctions.net/placeOrder"
    assert function.build_config.source.storage_source.object_ == "placeOrder/function-source.zip"


def test_deployment_changes_revision_source_and_update_time(world: World) -> None:
    """Only the functions that were deployed look different afterwards."""
    before, other = get(world), get(world, "payOrder")
    world.advance(3600)

    world.deploy()

    after = get(world)
    assert after.service_config.revision != before.service_config.revision
    assert after.update_time > before.update_time
    assert after.create_time == before.create_time
    source = after.build_config.source_provenance.resolved_storage_source
    assert source.generation > before.build_config.source.storage_source.generation
    assert get(world, "payOrder") == other


def test_pinned_function_does_not_follow_its_latest_revision(world: World) -> None:
    """After a rollback the function says that the latest revision does not serve everything."""
    old = world.revision()
    world.deploy()
    assert get(world).service_config.all_traffic_on_latest_revision

    world.update(world.get(), to(old))

    assert not get(world).service_config.all_traffic_on_latest_revision


def test_revision_that_does_not_start_leaves_the_function_failed(world: World) -> None:
    """A deployment whose container does not come up is seen in the function's state."""
    world.deploy(starts=False)

    assert get(world).state == functions_v2.Function.State.FAILED


def test_long_list_comes_in_pages() -> None:
    """Every function comes exactly once, by name, from one region or from all."""
    with served(World(policy(functions=30))) as world:
        request = functions_v2.ListFunctionsRequest(parent=PARENT, page_size=10)
        pages = list(world.functions.list_functions(request=request).pages)
        names = [one.name for page in pages for one in page.functions]
        everywhere = world.functions.list_functions(parent="projects/shop/locations/-")

        assert [len(page.functions) for page in pages] == [10, 10, 10, 4]
        assert names == sorted(set(names))
        assert [one.name for one in everywhere] == names
        assert not list(world.functions.list_functions(parent="projects/other/locations/-"))


def test_what_is_not_supported_is_refused(world: World) -> None:
    """A filter is never ignored, and an unknown function is not found."""
    request = functions_v2.ListFunctionsRequest(parent=PARENT, filter='state="ACTIVE"')
    with pytest.raises(exceptions.InvalidArgument):
        world.functions.list_functions(request=request)
    with pytest.raises(exceptions.NotFound):
        get(world, "placeorder")


NAME = f"{PARENT}/functions/placeOrder"
DEFINITION = {
    "description": "Takes orders.",
    "labels": {"team": "orders"},
    "kms_key_name": "projects/shop/locations/europe-west1/keyRings/r/cryptoKeys/k",
    "build_config": {
        "runtime": "nodejs22",
        "entry_point": "place",
        "worker_pool": "projects/shop/locations/europe-west1/workerPools/builds",
        "environment_variables": {"NODE_ENV": "production"},
        "docker_repository": f"{PARENT}/repositories/images",
        "service_account": "projects/shop/serviceAccounts/builder@shop.iam.gserviceaccount.com",
        "on_deploy_update_policy": {},
    },
    "service_config": {
        "available_memory": "512M",
        "available_cpu": "1",
        "timeout_seconds": 300,
        "vpc_connector": "projects/shop/locations/europe-west1/connectors/c",
        "vpc_connector_egress_settings": "ALL_TRAFFIC",
        "ingress_settings": "ALLOW_INTERNAL_ONLY",
        "service_account_email": "orders@shop.iam.gserviceaccount.com",
        "secret_volumes": [{"mount_path": "/keys", "project_id": "shop", "secret": "KEY"}],
        "security_level": "SECURE_ALWAYS",
        "binary_authorization_policy": "projects/shop/platforms/cloudRun/policies/p",
    },
}
SOURCE = {"storage_source": {"bucket": "shop-sources", "object_": "release.zip"}}


def update(world: World, definition: Mapping[str, Any], *paths: str) -> functions_v2.Function:
    """The function after a deployment of what the paths name."""
    request = functions_v2.UpdateFunctionRequest(
        function={"name": NAME, **definition}, update_mask={"paths": list(paths)}
    )
    world.functions.update_function(request=request)
    world.advance(90)
    return get(world)


def as_stated(shown: functions_v2.Function, definition: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a function that the definition states, as it shows them."""
    written = functions_v2.Function.to_dict(shown, use_integers_for_enums=False)
    return {
        key: {below: written[key][below] for below in it} if key.endswith("_config") else written[key]
        for key, it in definition.items()
    }


@pytest.mark.parametrize("masked", [False, True])
def test_each_field_of_an_update_is_stored(world: World, *, masked: bool) -> None:
    """Those that have no effect here, too; the next deployment keeps them."""
    stated = as_stated(functions_v2.Function(DEFINITION), DEFINITION)
    before = get(world)

    shown = update(world, DEFINITION, *(DEFINITION if masked else ()))

    assert as_stated(shown, DEFINITION) == stated
    assert shown.service_config.max_instance_count == before.service_config.max_instance_count
    run = world.get().template
    assert (run.service_account, run.timeout.seconds) == ("orders@shop.iam.gserviceaccount.com", 300)
    world.deploy()
    assert as_stated(get(world), DEFINITION) == stated
    assert world.functions.list_functions(parent=PARENT).functions[-1] == get(world)


def test_an_update_changes_what_its_mask_names(world: World) -> None:
    """A field that the mask names and the function lacks is as Google chooses it."""
    update(world, DEFINITION)
    paths = ("labels", "build_config.environment_variables", "service_config.available_memory")

    shown = update(world, {"service_config": {"timeout_seconds": 30}}, *paths)

    assert (dict(shown.labels), dict(shown.build_config.environment_variables)) == ({}, {})
    assert (shown.service_config.available_memory, shown.service_config.timeout_seconds) == ("256M", 300)


@pytest.mark.parametrize(
    "refused",
    [
        {"event_trigger": {"event_type": "google.cloud.pubsub.topic.v1.messagePublished"}},
        {"environment": functions_v2.Environment.GEN_1},
        {
            "service_config": {
                "secret_environment_variables": [{"key": "K", "project_id": "p", "secret": "S"}]
            }
        },
        {"build_config": {"source": {"storage_source": {"source_upload_url": "https://u", "bucket": "b"}}}},
    ],
)
def test_an_update_that_has_no_effect_here_is_refused(world: World, refused: dict[str, Any]) -> None:
    """And the function stays as it was; what the service sets itself is ignored."""
    before = get(world)

    with pytest.raises(exceptions.MethodNotImplemented):
        update(world, refused)
    assert get(world) == before
    shown = update(world, {"url": "https://other.example", "state": functions_v2.Function.State.FAILED})
    assert (shown.url, shown.state) == (before.url, ACTIVE)


def test_a_created_function_is_as_it_is_asked_for(world: World) -> None:
    """Nothing of the deleted one is left, and documents start it as its trigger says."""
    given = RevisionConfiguration(min_instances=5)
    world.deploy(configuration=given)
    trigger = {
        "event_type": "google.cloud.firestore.document.v1.created",
        "event_filters": [
            {"attribute": "database", "value": "(default)"},
            {"attribute": "document", "value": "orders/{id}", "operator": "match-path-pattern"},
        ],
    }
    world.functions.delete_function(name=NAME).result()
    world.application.builds.release_in = lambda _archive: "r3"
    asked = {"labels": {"team": "orders"}, "build_config": {"source": SOURCE}, "event_trigger": trigger}

    world.functions.create_function(parent=PARENT, function_id="placeOrder", function=asked)
    world.advance(90)

    shown = get(world)
    assert (dict(shown.labels), shown.service_config.min_instance_count) == ({"team": "orders"}, 0)
    assert as_stated(shown, asked)["event_trigger"]["event_type"] == trigger["event_type"]
    assert shown.event_trigger.event_filters == functions_v2.EventTrigger(trigger).event_filters


def test_a_trigger_that_is_not_played_is_refused(world: World) -> None:
    """A created function does not silently lack its events."""
    world.functions.delete_function(name=NAME)
    asked = {
        "build_config": {"source": SOURCE},
        "event_trigger": {"event_type": "google.cloud.audit.log.v1.written"},
    }

    with pytest.raises(exceptions.MethodNotImplemented):
        world.functions.create_function(parent=PARENT, function_id="placeOrder", function=asked)
