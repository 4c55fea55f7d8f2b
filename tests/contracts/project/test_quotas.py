"""What is admitted in a project, over the wire; only a person's look asks for it."""

from collections.abc import Sequence

import pytest

from local.core.clock import CloudClock
from local.core.rest import RestMethod
from local.services.run.quota import WriteQuotaBucket
from local.services.service_usage.service import HOST, Quotas
from shared.adapters.gcp.project.quotas import ServiceQuotas
from shared.core.errors import Rejected, Unavailable
from tests.contracts.support.rest import served

WRITES = "run.googleapis.com/write_regional"
EVERYWHERE = {"effectiveLimit": "60"}
HERE = {"effectiveLimit": "180", "dimensions": {"region": "europe-west1"}}
THERE = {"effectiveLimit": "30", "dimensions": {"region": "us-east1"}}
UNLIMITED = {"effectiveLimit": "-1"}


def writes_a_minute(calls: Sequence[RestMethod]) -> int | None:
    """What the adapter reads from whatever serves these calls."""
    with served(HOST, calls) as rest:
        return ServiceQuotas(rest, "shop-prod").writes_a_minute("europe-west1")


def listed(metric: str, unit: str, *buckets: object) -> Sequence[RestMethod]:
    """The call that lists the limits of one metric."""
    limits = [{"unit": unit, "quotaBuckets": buckets}]
    answer = {"metrics": [{"metric": metric, "consumerQuotaLimits": limits}]}
    [listing] = Quotas(WriteQuotaBucket(CloudClock())).calls()
    return [listing._replace(answer=lambda _: answer)]


def test_what_the_embedded_cloud_admits() -> None:
    """A minute's refill of its bucket."""
    quotas = Quotas(WriteQuotaBucket(CloudClock(), per_second=3.0))

    assert writes_a_minute(quotas.calls()) == 180


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
def test_the_limit_of_a_region(metric: str, unit: str, buckets: list[object], admitted: int | None) -> None:
    """The most specific one of writes each minute that holds there; another is none."""
    assert writes_a_minute(listed(metric, unit, *buckets)) == admitted


def test_a_limit_that_is_no_number() -> None:
    """Nothing is known."""
    with pytest.raises(Unavailable):
        writes_a_minute(listed(WRITES, "1/min/{project}", {"effectiveLimit": "many"}))


def test_whoever_may_not_read_quotas_is_told_so() -> None:
    """A refusal is no limit of none."""
    with pytest.raises(Rejected):
        writes_a_minute(())
