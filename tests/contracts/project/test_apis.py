"""What every Apis tells, in memory and over the wire to an embedded Service Usage."""

from collections.abc import Iterator
from contextlib import ExitStack, closing

import pytest

from local.core.clock import CloudClock
from local.core.rest import RestServer
from local.faults.hooks import FaultHooks
from local.services.run.quota import WriteQuotaBucket
from local.services.service_usage.service import HOST, Quotas
from shared.adapters.gcp.clients import Clients
from shared.adapters.gcp.project.quotas import ServiceApis
from shared.core.errors import Rejected, Unavailable
from shared.ports.operations_project import EnabledApis
from tests.support.fakes.project.apis import MemoryApis

FCM = "fcm.googleapis.com"
Off = set[tuple[str, str]]


@pytest.fixture(params=["memory", "wire"])
def world(request: pytest.FixtureRequest) -> Iterator[tuple[EnabledApis, Off]]:
    """The port, and what is off behind it."""
    if request.param == "memory":
        memory = MemoryApis()
        yield memory, memory.off
        return
    embedded = Quotas(WriteQuotaBucket(CloudClock()))
    with ExitStack() as closings:
        server = closings.enter_context(closing(RestServer({HOST: embedded.calls()}, FaultHooks())))
        clients = closings.enter_context(closing(Clients({"rest": server.address}, deployed=False)))
        yield ServiceApis(clients.rest(HOST)), embedded.off


def test_an_api_is_on_or_off_by_its_project(world: tuple[EnabledApis, Off]) -> None:
    """What is off in one project says nothing of another."""
    apis, off = world
    assert apis.is_on("shop-prod", FCM)

    off.add(("shop-prod", FCM))

    assert not apis.is_on("shop-prod", FCM)
    assert apis.is_on("bank-prod", FCM)


def test_whoever_may_not_look_is_told_so() -> None:
    """A refusal does not say that an API is off."""
    with closing(RestServer({HOST: ()}, FaultHooks())) as server:
        clients = Clients({"rest": server.address}, deployed=False)
        with closing(clients), pytest.raises(Rejected):
            ServiceApis(clients.rest(HOST)).is_on("shop-prod", FCM)


def test_an_answer_that_does_not_come() -> None:
    """Nothing is known then."""
    clients = Clients({"rest": "127.0.0.1:1"}, deployed=False)

    with closing(clients), pytest.raises(Unavailable):
        ServiceApis(clients.rest(HOST)).is_on("shop-prod", FCM)
