"""What is admitted in a project, over the wire; only a person's look asks for it."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing

import pytest

from local.core.clock import CloudClock
from local.core.rest import RestMethod, RestServer
from local.faults.hooks import FaultHooks
from local.services.run.quota import WriteQuotaBucket
from local.services.service_usage.service import HOST, Quotas
from shared.adapters.gcp.clients import Clients
from shared.adapters.gcp.project.quotas import ServiceQuotas
from shared.core.errors import Rejected, Unavailable

WRITES = "run.googleapis.com/write_regional"
EVERYWHERE = {"effectiveLimit": "60"}
HERE = {"effectiveLimit": "180", "dimensions": {"region": "europe-west1"}}
THERE = {"effectiveLimit": "30", "dimensions": {"region": "us-east1"}}
UNLIMITED = {"effectiveLimit": "-1"}

Serve = Callable[[tuple[RestMethod, ...]], ServiceQuotas]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """The adapter, beside whatever serves these calls."""
    with ExitStack() as closings:

        def served(calls: tuple[RestMethod, ...]) -> ServiceQuotas:
            server = closings.enter_context(closing(RestServer({HOST: calls}, FaultHooks())))
            clients = Clients({"rest": server.address}, deployed=False)
            closings.callback(clients.close)
            return ServiceQuotas(clients.rest(HOST), "shop-prod")

        yield served


def test_what_the_embedded_cloud_admits(serve: Serve) -> None:
    """A minute's refill of its bucket."""
    quotas = Quotas(WriteQuotaBucket(CloudClock(), per_second=3.0))

    assert serve(quotas.calls()).writes_a_minute("europe-west1") == 180


@pytest.mark.parametrize(
    ("metric", "unit", "buckets", "admitted"),
    [
        (WRITES, "1/min/{project}/{region}", [EVERYWHERE], 60),
        (WRITES, "1/min/{project}/{region}", [EVERYWHERE, HERE, THERE], 180),
        (WRITES, "1/min/{project}/{region}", [EVERYWHERE, THERE], 60),
        (WRITES, "1/min/{project}/{region}", [THERE], None),
        (WRITES, "1/min/{project}/{region}", [UNLIMITED], None),
        (WRITES, "1/d/{project}", [EVERYWHERE], None),
        ("run.googleapis.com/read_requests", "1/min/{project}", [EVERYWHERE], None),
    ],
)
def test_the_limit_of_a_region(
    serve: Serve, metric: str, unit: str, buckets: list[object], admitted: int | None
) -> None:
    """The most specific one of writes each minute that holds there; another is none."""
    limits = [{"unit": unit, "quotaBuckets": buckets}]
    answer = {"metrics": [{"metric": metric, "consumerQuotaLimits": limits}]}
    [listing] = Quotas(WriteQuotaBucket(CloudClock())).calls()

    quotas = serve((listing._replace(answer=lambda _: answer),))

    assert quotas.writes_a_minute("europe-west1") == admitted


def test_a_limit_that_is_no_number(serve: Serve) -> None:
    """Nothing is known."""
    limits = [{"unit": "1/min/{project}", "quotaBuckets": [{"effectiveLimit": "many"}]}]
    answer = {"metrics": [{"metric": WRITES, "consumerQuotaLimits": limits}]}
    [listing] = Quotas(WriteQuotaBucket(CloudClock())).calls()

    with pytest.raises(Unavailable):
        serve((listing._replace(answer=lambda _: answer),)).writes_a_minute("europe-west1")


def test_whoever_may_not_read_quotas_is_told_so(serve: Serve) -> None:
    """A refusal is no limit of none."""
    with pytest.raises(Rejected):
        serve(()).writes_a_minute("europe-west1")
