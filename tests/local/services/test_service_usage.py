"""Which APIs are on, and the agents of services, as the embedded cloud plays them."""

from collections.abc import Callable, Iterator

import grpc
import httpx
import pytest
from google.api_core import exceptions
from google.cloud import functions_v2, monitoring_v3
from google.cloud.firestore_v1.services.firestore.transports.grpc import FirestoreGrpcTransport
from google.cloud.firestore_v1.types import firestore
from google.cloud.functions_v2.services.function_service.transports.grpc import FunctionServiceGrpcTransport
from google.cloud.monitoring_v3.services.metric_service.transports.grpc import MetricServiceGrpcTransport
from google.pubsub_v1 import types as pubsub
from google.pubsub_v1.services.publisher.transports.grpc import PublisherGrpcTransport
from google.pubsub_v1.services.subscriber.transports.grpc import SubscriberGrpcTransport

from local.application.names import project_number
from local.cloud import GRPC_HOSTS, Cloud
from local.services.service_usage.service import HOST
from local.services.storage.conditions import Preconditions
from local.services.workload_identity import agents
from tests.local.support.rest import SHOP, Product, running
from tests.local.support.run import ORIGIN
from tests.support.runtime.embedded_cloud import embedded_cloud

HOME = "shop-operations"
SERVICES = f"/v1/projects/{HOME}/services"
NUMBER = project_number(HOME)
JOBS = f"/v1/projects/{HOME}/locations/europe-west1/jobs"
IDENTITY = "/services/pubsub.googleapis.com:generateServiceIdentity"
SCHEDULER = "cloudscheduler.googleapis.com"


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    with running(home=HOME) as cloud:
        yield cloud


@pytest.fixture
def strict() -> Iterator[Cloud]:
    with embedded_cloud(SHOP, at=ORIGIN, operations_project=HOME, strict=True) as cloud:
        yield cloud


def listed(usage: Product) -> set[str]:
    found = usage.get(f"{SERVICES}?filter=state:ENABLED&pageSize=200").get("services", [])
    return {one["config"]["name"] for one in found}


def test_what_somebody_switches_on_is_listed(cloud: Cloud) -> None:
    """One by one, several at once; an operation is done at once and can be read again."""
    usage = Product(cloud, HOST)
    before = listed(usage)
    one = usage.done("POST", f"{SERVICES}/{SCHEDULER}:enable", {})
    many = usage.done("POST", f"{SERVICES}:batchEnable", {"serviceIds": ["run.googleapis.com"]})

    assert one["done"]
    assert many["done"]
    assert usage.get(f"/v1/{one['name']}") == one
    assert one["response"]["service"]["name"] == f"projects/{NUMBER}/services/{SCHEDULER}"
    assert listed(usage) - before == {SCHEDULER, "run.googleapis.com"}
    names = "&".join(
        f"names=projects/{NUMBER}/services/{one}" for one in (SCHEDULER, "pubsub.googleapis.com")
    )
    states = usage.get(f"{SERVICES}:batchGet?{names}")["services"]
    assert [one["state"] for one in states] == ["ENABLED", "ENABLED"]


def test_what_somebody_switches_off_is_off(cloud: Cloud) -> None:
    """In that project alone, whoever names it and how."""
    usage, jobs = Product(cloud, HOST), Product(cloud, SCHEDULER)
    usage.done("POST", f"/v1/projects/{NUMBER}/services/{SCHEDULER}:disable", {})

    assert usage.get(f"{SERVICES}/{SCHEDULER}")["state"] == "DISABLED"
    assert jobs.refused("GET", JOBS) == "PERMISSION_DENIED"
    assert jobs.refused("GET", JOBS.replace(HOME, str(NUMBER))) == "PERMISSION_DENIED"
    assert jobs.get(JOBS.replace(HOME, SHOP.project))["jobs"]


def test_cloud_storage_is_switched_off(cloud: Cloud) -> None:
    """Neither the project nor its buckets and objects are served; those of others are."""
    cloud.buckets.create("shelf", project=HOME)
    cloud.buckets.put("shelf", "a", b"a", "text/plain", {}, Preconditions())
    Product(cloud, HOST).done("POST", f"{SERVICES}/storage.googleapis.com:disable", {})

    with httpx.Client(base_url=f"http://{cloud.addresses['storage']}/storage/v1", trust_env=False) as storage:
        asked = (f"b?project={HOME}", f"b?project={NUMBER}", "b/shelf", "b/shelf/o/a", "b/shelf/iam")
        refused = [storage.get(path) for path in (*asked, f"projects/{HOME}/serviceAccount")]
        listed_elsewhere = storage.get(f"b?project={SHOP.project}")

    assert {answer.status_code for answer in refused} == {403}
    reasons = [answer.json()["error"]["errors"][0]["reason"] for answer in refused]
    assert {*reasons} == {"accessNotConfigured"}
    assert listed_elsewhere.status_code == 200


GRPC_CALLS: dict[str, tuple[str, Callable[[grpc.Channel], object]]] = {
    "one request": (
        "pubsub",
        lambda channel: PublisherGrpcTransport(channel=channel).list_topics(
            pubsub.ListTopicsRequest(project=f"projects/{HOME}")
        ),
    ),
    "an answer in parts": (
        "firestore",
        lambda channel: list(
            FirestoreGrpcTransport(channel=channel).batch_get_documents(
                firestore.BatchGetDocumentsRequest(database=f"projects/{HOME}/databases/(default)")
            )
        ),
    ),
    "a stream": (
        "pubsub",
        lambda channel: next(
            SubscriberGrpcTransport(channel=channel).streaming_pull(
                iter([pubsub.StreamingPullRequest(subscription=f"projects/{HOME}/subscriptions/s")])
            )
        ),
    ),
    "a resource in the request": (
        "functions",
        lambda channel: FunctionServiceGrpcTransport(channel=channel).update_function(
            functions_v2.UpdateFunctionRequest(
                function={"name": f"projects/{HOME}/locations/europe-west1/functions/f"}
            )
        ),
    ),
    "the project's number": (
        "monitoring",
        lambda channel: MetricServiceGrpcTransport(channel=channel).list_metric_descriptors(
            monitoring_v3.ListMetricDescriptorsRequest(name=f"projects/{NUMBER}")
        ),
    ),
}
HOSTS = {name: host for host, name in GRPC_HOSTS.items()}


@pytest.mark.parametrize(("address", "call"), GRPC_CALLS.values(), ids=GRPC_CALLS)
def test_grpc_of_an_api_that_is_off(
    cloud: Cloud, address: str, call: Callable[[grpc.Channel], object]
) -> None:
    """It is refused as over REST, with the details that Google's clients read."""
    Product(cloud, HOST).done("POST", f"{SERVICES}/{HOSTS[address]}:disable", {})
    with grpc.insecure_channel(cloud.addresses[address]) as channel, pytest.raises(grpc.RpcError) as error:
        call(channel)

    refused = exceptions.from_grpc_error(error.value)
    assert isinstance(refused, exceptions.PermissionDenied)
    assert (refused.reason, refused.domain) == ("SERVICE_DISABLED", "googleapis.com")
    assert refused.metadata == {"consumer": f"projects/{NUMBER}", "service": HOSTS[address]}


def test_a_strict_project_has_its_apis_off_over_grpc(strict: Cloud) -> None:
    """Until somebody switches them on; those of an application are on."""
    _, list_topics = GRPC_CALLS["one request"]
    with grpc.insecure_channel(strict.addresses["pubsub"]) as channel:
        with pytest.raises(grpc.RpcError) as error:
            list_topics(channel)
        elsewhere = pubsub.ListTopicsRequest(project=f"projects/{SHOP.project}")
        PublisherGrpcTransport(channel=channel).list_topics(elsewhere)
        Product(strict, HOST).done("POST", f"{SERVICES}/pubsub.googleapis.com:enable", {})
        list_topics(channel)

    assert error.value.code() is grpc.StatusCode.PERMISSION_DENIED


def test_a_number_stands_for_its_project_in_a_path(cloud: Cloud) -> None:
    """Also where a gRPC service answers by REST, and where the project itself is read."""
    topic = "topics/rollback-alerts"
    pubsub = Product(cloud, "pubsub.googleapis.com")
    projects = Product(cloud, "cloudresourcemanager.googleapis.com")

    assert pubsub.get(f"/v1/projects/{NUMBER}/{topic}") == pubsub.get(f"/v1/projects/{HOME}/{topic}")
    assert projects.get(f"/v1/projects/{NUMBER}")["projectId"] == HOME
    assert projects.refused("GET", "/v1/projects/123456789012") == "PERMISSION_DENIED"


def test_a_strict_project_has_its_apis_off(strict: Cloud) -> None:
    """Google's front end refuses by name what nobody has switched on, but for an application."""
    usage, jobs = Product(strict, HOST), Product(strict, SCHEDULER)
    refused = jobs.ask("GET", JOBS)
    (detail,) = refused.json()["error"]["details"]
    (legacy,) = refused.json()["error"]["errors"]

    assert refused.status_code == 403
    assert (detail["reason"], detail["metadata"]["service"]) == ("SERVICE_DISABLED", SCHEDULER)
    assert legacy["reason"] == "accessNotConfigured"
    assert jobs.get(JOBS.replace(HOME, SHOP.project))["jobs"]
    assert SCHEDULER not in listed(usage)

    usage.done("POST", f"{SERVICES}/{SCHEDULER}:enable", {})

    assert jobs.get(JOBS) == {}
    assert SCHEDULER in listed(usage)


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        (f"{SERVICES}/run.googleapis.com:enable", {"force": True}, "INVALID_ARGUMENT"),
        (f"{SERVICES}/run:enable", {}, "PERMISSION_DENIED"),
        (f"{SERVICES}/nonsense.googleapis.com:enable", {}, "PERMISSION_DENIED"),
        (f"{SERVICES}:batchEnable", {"serviceIds": ["nonsense.googleapis.com"]}, "PERMISSION_DENIED"),
        (f"{SERVICES}:batchEnable", {"serviceIds": []}, "INVALID_ARGUMENT"),
        (f"{SERVICES}:batchEnable", {"serviceIds": ["a.googleapis.com"] * 21}, "INVALID_ARGUMENT"),
        (f"{SERVICES}:batchEnable", {"services": []}, "INVALID_ARGUMENT"),
    ],
)
def test_what_service_usage_refuses(cloud: Cloud, path: str, body: dict[str, object], status: str) -> None:
    """An unknown field, a service that is not there, none or more than twenty names."""
    assert Product(cloud, HOST).refused("POST", path, body) == status


def test_the_agent_of_a_service(cloud: Cloud) -> None:
    """Both APIs answer with the same account, which is named by the project's number."""
    place = f"projects/{NUMBER}/locations/global"
    path = f"/v1/{place}/serviceProducers/pubsub.googleapis.com:generateServiceAgents"
    product = Product(cloud, agents.HOST)
    made = product.done("POST", path, {"parent": f"{place}/serviceProducers/pubsub.googleapis.com"})
    email = f"service-{NUMBER}@gcp-sa-pubsub.iam.gserviceaccount.com"

    assert product.get(f"/v1/{made['name']}") == made
    assert made["response"]["serviceAgents"][0]["principal"] == f"serviceAccount:{email}"
    answer = Product(cloud, HOST).done("POST", f"/v1beta1/projects/{HOME}{IDENTITY}", {})
    assert answer["response"]["email"] == email


def test_an_agent_is_granted_nothing_before_it_is_there(strict: Cloud) -> None:
    """Strictly: somebody asks for it, or a sink, a channel or a notification needs it."""
    usage, projects = Product(strict, HOST), Product(strict, "cloudresourcemanager.googleapis.com")
    apis = ["pubsub", "securitycenter", "workloadidentity"]
    usage.done("POST", f"{SERVICES}:batchEnable", {"serviceIds": [f"{one}.googleapis.com" for one in apis]})
    path, topic = f"/v1/projects/{HOME}:setIamPolicy", f"projects/{HOME}/topics/rollback-alerts"
    agents_of = {
        f"service-{NUMBER}@gcp-sa-pubsub": (HOST, f"/v1beta1/projects/{HOME}{IDENTITY}", {}),
        f"service-{NUMBER}@gcp-sa-logging": (
            "logging.googleapis.com",
            f"/v2/projects/{HOME}/sinks?uniqueWriterIdentity=true",
            {"name": "changes", "destination": f"pubsub.googleapis.com/{topic}"},
        ),
        f"service-{NUMBER}@gcp-sa-monitoring-notification": (
            "monitoring.googleapis.com",
            f"/v3/projects/{HOME}/notificationChannels",
            {"type": "pubsub", "labels": {"topic": topic}},
        ),
        f"service-project-{NUMBER}@gcp-sa-scc-notification": (
            "securitycenter.googleapis.com",
            f"/v2/projects/{HOME}/locations/global/notificationConfigs?configId=breach",
            {"pubsubTopic": topic},
        ),
    }
    for agent, (host, needed_by, body) in agents_of.items():
        member = f"serviceAccount:{agent}.iam.gserviceaccount.com"
        policy = {"policy": {"bindings": [{"role": "roles/pubsub.publisher", "members": [member]}]}}
        assert projects.refused("POST", path, policy) == "INVALID_ARGUMENT"

        Product(strict, host).done("POST", needed_by, body)

        assert projects.done("POST", path, policy)["bindings"][0]["members"] == [member]
