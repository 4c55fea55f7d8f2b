"""Functions as Google's messages write them, where the embedded cloud has none of the kind."""

from typing import Any

from google.cloud import functions_v2, run_v2

from shared.adapters.gcp.run.function_state import function_states
from shared.domain.deployments.inventory.inventory_parts import (
    Generation,
    SecretUse,
    SourceObject,
    values_hash,
)
from shared.domain.deployments.inventory.traffic import LATEST_REVISION, Service, TrafficTarget

PARENT = "projects/shop/locations/europe-west1"
SERVICE = f"{PARENT}/services/pay"
_Function: Any = functions_v2.Function.pb()
_Revision: Any = run_v2.Revision.pb()


def service() -> Service:
    traffic = (TrafficTarget(LATEST_REVISION, 100), TrafficTarget("pay-00001", 0, "old"))
    return Service(SERVICE, "etag", "pay-00002", "pay-00002", traffic, traffic, False, True)


def test_a_function_of_the_first_generation() -> None:
    """It has no service, no traffic and no revision; its configuration is its own."""
    message = _Function(
        name=f"{PARENT}/functions/pay",
        environment=functions_v2.Environment.GEN_1,
        build_config={"runtime": "nodejs18", "source": {"storage_source": {"bucket": "b", "object_": "o"}}},
        service_config={"environment_variables": {"A": "1"}, "max_instance_count": 3},
    )

    state = function_states([message], {}, [])["pay"]

    assert state.generation is Generation.FIRST
    assert (state.service, state.traffic, state.revisions) == ("", (), {})
    assert state.source == SourceObject("b", "o", 0)
    assert state.configuration.variables == ("A",)
    assert state.configuration.max_instances == 3


def test_what_it_was_deployed_with() -> None:
    """All that a person said is recorded verbatim; values, the source and outputs are not."""
    message = _Function(
        name=f"{PARENT}/functions/pay",
        labels={"team": "money"},
        url="https://pay",
        build_config={
            "entry_point": "pay",
            "docker_repository": "repository",
            "environment_variables": {"B": "built"},
            "source": {"storage_source": {"bucket": "b", "object_": "o"}},
        },
        service_config={
            "service": SERVICE,
            "available_memory": "512M",
            "timeout_seconds": 60,
            "vpc_connector": "connector",
            "environment_variables": {"A": "hidden"},
            "all_traffic_on_latest_revision": True,
        },
        event_trigger={"event_type": "placed", "trigger": "triggers/7"},
    )

    state = function_states([message], {}, [])["pay"]

    assert state.definition == {
        "name": f"{PARENT}/functions/pay",
        "labels": {"team": "money"},
        "buildConfig": {"entryPoint": "pay", "dockerRepository": "repository"},
        "serviceConfig": {"availableMemory": "512M", "timeoutSeconds": 60, "vpcConnector": "connector"},
        "eventTrigger": {"eventType": "placed"},
    }
    assert state.build_variables == ("B",)
    assert state.build_variables_hash == values_hash({"B": "built"})


def test_secrets_as_files() -> None:
    """A file is named by its path, in functions and in revisions alike."""
    function = _Function(
        name=f"{PARENT}/functions/pay",
        service_config={
            "service": SERVICE,
            "secret_volumes": [
                {
                    "mount_path": "/etc/keys",
                    "secret": "PAYMENT",
                    "versions": [{"version": "3", "path": "key"}],
                }
            ],
        },
    )
    revision = _Revision(
        name=f"{SERVICE}/revisions/pay-00002",
        containers=[{"volume_mounts": [{"name": "keys", "mount_path": "/etc/keys"}]}],
        volumes=[
            {
                "name": "keys",
                "secret": {
                    "secret": "projects/shop/secrets/PAYMENT",
                    "items": [{"path": "key", "version": "3"}],
                },
            }
        ],
    )

    state = function_states([function], {SERVICE: service()}, [revision])["pay"]

    wanted = (SecretUse("/etc/keys/key", "PAYMENT", "3"),)
    assert state.configuration.secrets == wanted
    assert state.revisions["pay-00002"].configuration.secrets == wanted


def test_a_tagged_revision_that_is_gone() -> None:
    """What is not there any more is not said to be reached; the rest is."""
    function = _Function(name=f"{PARENT}/functions/pay", service_config={"service": SERVICE})
    revision = _Revision(name=f"{SERVICE}/revisions/pay-00002")

    state = function_states([function], {SERVICE: service()}, [revision])["pay"]

    assert set(state.revisions) == {"pay-00002"}
    assert state.source is None
