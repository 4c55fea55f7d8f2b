"""What every Metrics and every Prober sees of an application, in memory and over the wire."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from google.cloud import monitoring_v3
from msgspec.structs import replace

from shared.gcp.metrics import RouterMetrics
from shared.health import ProbeAnswer, Requests
from shared.policy import Probe
from shared.traffic import TrafficTarget
from tests.contracts.platforms import ORDER_PAGE, PARENT, PlatformWorld

MINUTE = timedelta(minutes=1)
FUNCTION_PAGE = "https://europe-west1-shop.cloudfunctions.net/placeOrder"


def answered(world: PlatformWorld, probe: Probe) -> ProbeAnswer:
    """What a probe saw, without how long it took."""
    return replace(world.prober.ask(probe), seconds=0.0)


def test_requests_before_and_after_a_bad_release(world: PlatformWorld) -> None:
    """Counts are per service and window: a bad release fails from then on, others do not."""
    world.advance(600)
    released = world.now()
    world.deploy("placeOrder", failure_rate=1.0)
    world.advance(600)

    before = world.metrics.requests(released - 5 * MINUTE, released)
    after = world.metrics.requests(released, released + 5 * MINUTE)

    assert set(before) == set(after) == {"placeorder", "findbook"}
    assert before["placeorder"].failed == 0 < before["placeorder"].total
    assert after["placeorder"].failed == after["placeorder"].total > 0
    assert after["findbook"].failed == 0 < after["findbook"].total


def test_requests_of_a_window_that_cuts_minutes(world: PlatformWorld) -> None:
    """Only minutes that lie whole within the window count, the failing one at its edge does not."""
    world.advance(600)
    released = world.now()
    world.deploy("placeOrder", failure_rate=1.0)
    world.advance(600)
    second = timedelta(seconds=1)

    cut = world.metrics.requests(released - 3 * MINUTE - second, released + MINUTE - second)

    assert cut == world.metrics.requests(released - 3 * MINUTE, released)
    assert cut["placeorder"].failed == 0


def test_requests_of_the_last_minutes(world: PlatformWorld) -> None:
    """Points come late: what has just happened counts for nothing, and soon for something."""
    world.advance(600)
    start = world.now()
    world.advance(60)

    assert world.metrics.requests(start, start + MINUTE) == {}
    world.advance(60)
    assert world.metrics.requests(start, start + MINUTE)["placeorder"].total > 0


@pytest.mark.parametrize("length", [timedelta(), timedelta(seconds=59), -MINUTE])
def test_requests_of_a_window_without_a_whole_minute(
    world: PlatformWorld, length: timedelta
) -> None:
    """No point, no count: unknown is not zero of zero."""
    world.advance(600)
    start = world.now() - 5 * MINUTE

    assert world.metrics.requests(start, start + length) == {}


def test_points_at_the_edges_of_a_window() -> None:
    """A point counts only if it lies whole within the window, whatever the service sends along."""
    start = datetime(2026, 3, 1, 12, tzinfo=UTC)
    points = [
        monitoring_v3.Point(
            interval={"start_time": start + n * MINUTE, "end_time": start + (n + 1) * MINUTE},
            value={"int64_value": 10**n},
        )
        for n in (3, 2, 1, 0)
    ]
    series = monitoring_v3.TimeSeries(
        resource={"labels": {"service_name": "placeorder"}},
        metric={"labels": {"response_code_class": "5xx"}},
        points=points,
    )
    client = SimpleNamespace(list_time_series=lambda request, **call: [series])

    counted = RouterMetrics(client, "shop", "europe-west1").requests(
        start + MINUTE, start + 3 * MINUTE
    )

    assert counted == {"placeorder": Requests(total=110, failed=110)}


@pytest.mark.parametrize("url", [ORDER_PAGE, FUNCTION_PAGE])
def test_a_probe_of_a_function(world: PlatformWorld, url: str) -> None:
    """A probe sees what the serving revision answers."""
    probe = Probe("order", url)
    assert answered(world, probe) == ProbeAnswer(passed=True, status=200)

    world.deploy("placeOrder", failure_rate=1.0)

    assert answered(world, probe) == ProbeAnswer(passed=False, status=500)
    assert world.prober.ask(Probe("order", url, status_below=501)).passed


def test_a_probe_of_a_tagged_revision(world: PlatformWorld) -> None:
    """A tag's address is answered by its revision, whatever the others serve."""
    service = f"{PARENT}/services/placeorder"
    found = world.platform.service(service)
    world.deploy("placeOrder", failure_rate=1.0)
    etag = world.platform.service(service).etag
    canary = TrafficTarget(found.latest_created, 0, "canary")
    world.platform.shift(service, (TrafficTarget("", 100), canary), etag)
    world.advance(8)

    assert not world.prober.ask(Probe("live", found.uri)).passed
    tagged = found.uri.replace("https://", "https://canary---")
    assert world.prober.ask(Probe("canary", tagged)).passed
    assert world.prober.ask(Probe("no such tag", tagged.replace("canary", "none"))).status == 404


def test_a_probe_of_a_revision_that_does_not_start(world: PlatformWorld) -> None:
    """An old revision that cannot start any more answers 503 at its tag."""
    service = f"{PARENT}/services/placeorder"
    world.deploy("placeOrder", ready=False)
    found = world.platform.service(service)
    broken = TrafficTarget(found.latest_created, 0, "canary")
    world.platform.shift(service, (TrafficTarget("", 100), broken), found.etag)
    world.advance(8)

    tagged = found.uri.replace("https://", "https://canary---")

    assert answered(world, Probe("canary", tagged)) == ProbeAnswer(passed=False, status=503)
