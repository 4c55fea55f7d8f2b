"""What every Apis tells, in memory and over the wire to an embedded Service Usage."""

from collections.abc import Callable, Iterator

import pytest

from local.core.journal import Journal
from local.services.service_usage.enabled_services import EnabledServices
from local.services.service_usage.service import HOST
from local.services.workload_identity.agents import ServiceAgents
from shared.adapters.gcp.project.quotas import ServiceApis
from shared.core.errors import Rejected, Unavailable
from shared.ports.operations_project import EnabledApis
from tests.contracts.support.rest import connected, served
from tests.support.fakes.project.apis import MemoryApis

FCM = "fcm.googleapis.com"
SwitchOff = Callable[[str, str], None]


@pytest.fixture(params=["memory", "wire"])
def world(request: pytest.FixtureRequest) -> Iterator[tuple[EnabledApis, SwitchOff]]:
    """The port, and how an API is switched off behind it."""
    if request.param == "memory":
        memory = MemoryApis()
        yield memory, lambda project, service: memory.off.add((project, service))
        return
    journal = Journal()
    embedded = EnabledServices(journal, ServiceAgents(journal))
    with served(HOST, embedded.calls()) as rest:

        def switch_off(project: str, service: str) -> None:
            rest.post(f"/v1/projects/{project}/services/{service}:disable", {}, dict)

        yield ServiceApis(rest), switch_off


def test_an_api_is_on_or_off_by_its_project(world: tuple[EnabledApis, SwitchOff]) -> None:
    """What is off in one project says nothing of another."""
    apis, switch_off = world
    assert apis.is_on("shop-prod", FCM)

    switch_off("shop-prod", FCM)

    assert not apis.is_on("shop-prod", FCM)
    assert apis.is_on("bank-prod", FCM)


def test_whoever_may_not_look_is_told_so() -> None:
    """A refusal does not say that an API is off."""
    with served(HOST, ()) as rest, pytest.raises(Rejected):
        ServiceApis(rest).is_on("shop-prod", FCM)


def test_an_answer_that_does_not_come() -> None:
    """Nothing is known then."""
    with connected(HOST) as rest, pytest.raises(Unavailable):
        ServiceApis(rest).is_on("shop-prod", FCM)
