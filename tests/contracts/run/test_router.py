"""What every Metrics and every Prober sees of an application, in memory and over the wire."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from google.cloud import monitoring_v3
from msgspec.structs import replace

from shared.adapters.gcp.monitoring.metrics import RouterMetrics
from shared.core.errors import Rejected
from shared.domain.deployments.inventory.traffic import TrafficTarget
from shared.domain.policy.probes import Probe
from shared.domain.signals.health import ProbeAnswer, RouterRequests
from tests.contracts.support.platforms import ORDER_PAGE, PARENT, TEST_ACCOUNT, PlatformWorld
from tests.support.fakes.run.router import USERS

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
BELOW_500 = "expected a status below 500"
SIGN_IN = Probe("sign-in", sign_in=TEST_ACCOUNT)
FUNCTION_PAGE = "https://europe-west1-shop.cloudfunctions.net/placeOrder"


def answered(world: PlatformWorld, probe: Probe) -> ProbeAnswer:
    """What a probe saw, without how long it took and the hash of what was answered."""
    return replace(world.prober.ask(probe), seconds=0.0, digest="")


def release(
    world: PlatformWorld, *, failure_rate: float = 0.0, slowdown: float = 1.0, lasts: float = 600
) -> datetime:
    """When `placeOrder` was released, ten minutes into the world; it lasts so many seconds."""
    world.advance(600)
    released = world.now()
    world.deploy("placeOrder", failure_rate, slowdown=slowdown)
    world.advance(lasts)
    return released


def test_requests_before_and_after_a_bad_release(world: PlatformWorld) -> None:
    """Counts are per service and window: a bad release fails from then on, others do not."""
    released = release(world, failure_rate=1.0)

    before = world.metrics.requests(released - 5 * MINUTE, released)
    after = world.metrics.requests(released, released + 5 * MINUTE)

    assert set(before) == set(after) == {"placeorder", "findbook"}
    assert before["placeorder"].failed == 0 < before["placeorder"].total
    assert after["placeorder"].failed == after["placeorder"].total > 0
    assert after["findbook"].failed == 0 < after["findbook"].total


def test_requests_of_a_window_that_cuts_minutes(world: PlatformWorld) -> None:
    """Only minutes that lie whole within the window count, the failing one at its edge does not."""
    released = release(world, failure_rate=1.0)
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


def test_requests_of_an_hour(world: PlatformWorld) -> None:
    """As many as in its quarters, each request once; failing ones are told from the others."""
    released = release(world, lasts=3600, failure_rate=0.5)

    whole = world.metrics.requests(released, released + 45 * MINUTE)
    quarters = [
        world.metrics.requests(released + n * 15 * MINUTE, released + (n + 1) * 15 * MINUTE) for n in range(3)
    ]

    for service, counted in whole.items():
        parts = [quarter[service] for quarter in quarters]
        assert counted.total == pytest.approx(sum(one.total for one in parts), abs=3)
        assert counted.failed == pytest.approx(sum(one.failed for one in parts), abs=3)
    assert whole["placeorder"].failed > 0 == whole["findbook"].failed


@pytest.mark.parametrize("window", [5 * MINUTE, 45 * MINUTE])
def test_latencies_before_and_after_a_slow_release(world: PlatformWorld, window: timedelta) -> None:
    """A slow release doubles the median of its function from then on, and leaves the others."""
    released = release(world, lasts=3600, slowdown=2.0)
    second = timedelta(seconds=1)

    usual = world.metrics.latencies(released - window, released)
    slow = world.metrics.latencies(released - second, released + window + second)

    assert set(usual) == {"placeorder", "findbook"}
    assert slow["placeorder"] == pytest.approx(2 * usual["placeorder"])
    assert slow["findbook"] == usual["findbook"] > 0
    assert world.metrics.latencies(released, released + MINUTE / 2) == {}


@pytest.mark.parametrize("length", [timedelta(), timedelta(seconds=59), -MINUTE])
def test_requests_of_a_window_without_a_whole_minute(world: PlatformWorld, length: timedelta) -> None:
    """No point, no count: unknown is not zero of zero."""
    world.advance(600)
    start = world.now() - 5 * MINUTE

    assert world.metrics.requests(start, start + length) == {}


def test_a_function_whose_events_are_retried(world: PlatformWorld) -> None:
    """Its trigger says so; what has no trigger is retried by none."""
    world.feed("placeOrder", 312)
    world.advance(600)
    functions = world.platform.functions()
    fed, other = functions["placeOrder"], functions["findBook"]

    assert (fed.is_retried, other.is_retried, other.trigger) == (True, False, "")


def test_a_function_that_has_a_queue(world: PlatformWorld) -> None:
    """Its label says so, beside others that have a trigger."""
    world.feed("placeOrder", 7, queue=True)
    world.feed("findBook", 312)
    world.advance(600)
    functions = world.platform.functions()
    queued, fed = functions["placeOrder"], functions["findBook"]

    assert (queued.has_queue, queued.is_retried, queued.trigger) == (True, False, "")
    assert not fed.has_queue


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

    counted = RouterMetrics(client, "shop", "shop", "europe-west1").requests(
        start + MINUTE, start + 3 * MINUTE
    )

    assert counted == {"placeorder": RouterRequests(total=110, failed=110)}


def test_latencies_where_a_service_has_no_request() -> None:
    """One request reads a window as one point; a median of nothing, 0 or NaN, is left out."""
    start = datetime(2026, 3, 1, 12, tzinfo=UTC)
    window = {"start_time": start, "end_time": start + 5 * MINUTE}
    medians = {"placeorder": 500.0, "findbook": 0.0, "payorder": float("nan")}
    answer = [
        monitoring_v3.TimeSeries(
            resource={"labels": {"service_name": service}},
            points=[{"interval": window, "value": {"double_value": median}}],
        )
        for service, median in medians.items()
    ]
    requests: list[monitoring_v3.ListTimeSeriesRequest] = []

    def list_time_series(request: Any, **_call: Any) -> list[monitoring_v3.TimeSeries]:
        requests.append(monitoring_v3.ListTimeSeriesRequest.wrap(request))
        return answer

    client = SimpleNamespace(list_time_series=list_time_series)
    metrics = RouterMetrics(client, "shop", "shop", "europe-west1")

    assert metrics.latencies(start - MINUTE / 2, start + 5.5 * MINUTE) == {"placeorder": 0.5}
    assert [request.aggregation.alignment_period for request in requests] == [5 * MINUTE]


def test_sign_ins_before_and_after_they_fail(world: PlatformWorld) -> None:
    """Only minutes that lie whole after a moment count, and only once they show."""
    world.advance(600)
    broken = world.now()
    world.fail_sign_ins(1.0)
    world.advance(60)
    assert world.metrics.sign_ins(broken, broken + MINUTE) == RouterRequests(0, 0)
    world.advance(540)

    before = world.metrics.sign_ins(broken - 5 * MINUTE, broken)
    after = world.metrics.sign_ins(broken, broken + 5 * MINUTE)
    cut = world.metrics.sign_ins(broken - MINUTE / 2, broken + 2.5 * MINUTE)

    assert before == RouterRequests(before.total, 0)
    assert after == RouterRequests(before.total, before.total)
    assert cut == world.metrics.sign_ins(broken, broken + 2 * MINUTE)
    assert before.total > cut.total > 0
    assert {"placeorder", "findbook"} == set(world.metrics.requests(broken, broken + MINUTE))


@pytest.mark.parametrize("url", [ORDER_PAGE, FUNCTION_PAGE])
def test_a_probe_of_a_function(world: PlatformWorld, url: str) -> None:
    """A probe sees what the serving revision answers."""
    probe = Probe("order", url)
    assert answered(world, probe) == ProbeAnswer(passed=True, status=200)

    world.deploy("placeOrder", failure_rate=1.0)

    assert answered(world, probe) == ProbeAnswer(False, 500, BELOW_500)
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

    assert answered(world, Probe("canary", tagged)) == ProbeAnswer(False, 503, BELOW_500)


def test_a_test_account_signs_in(world: PlatformWorld) -> None:
    """A token is the proof, a refusal is the failure; each time anew."""
    world.let_in(TEST_ACCOUNT.email, lets=True)
    assert answered(world, SIGN_IN) == ProbeAnswer(True, 200)

    world.let_in(TEST_ACCOUNT.email, lets=False)
    refused = answered(world, SIGN_IN)
    assert (refused.passed, refused.status) == (False, 400)

    world.let_in(TEST_ACCOUNT.email, lets=True)
    assert world.prober.ask(SIGN_IN).passed


def test_a_test_account_sends_a_request(world: PlatformWorld) -> None:
    """The function answers it; where the account is refused, nobody is asked."""
    probe = Probe("signed-in", FUNCTION_PAGE, sign_in=TEST_ACCOUNT, function="placeOrder")
    world.let_in(TEST_ACCOUNT.email, lets=True)
    passed = answered(world, probe)
    world.deploy("placeOrder", failure_rate=1.0)
    failed = answered(world, probe)
    world.let_in(TEST_ACCOUNT.email, lets=False)

    assert passed == ProbeAnswer(True, 200)
    assert failed == ProbeAnswer(False, 500, BELOW_500)
    assert answered(world, probe).status == 400


def test_users_who_met_a_failure(world: PlatformWorld) -> None:
    """What an application counts itself is found by a filter; without a series there is none."""
    users = f'metric.type="{USERS}" AND resource.type="cloud_run_revision"'
    world.advance(600)
    whole = world.now()
    world.deploy("placeOrder", failure_rate=1.0)
    broken = world.now()
    world.advance(600)

    assert world.metrics.count_matching(users, whole - 5 * MINUTE, whole) is None
    assert (world.metrics.count_matching(users, broken, broken + 5 * MINUTE) or 0) > 0
    assert world.metrics.count_matching(users, broken, broken) is None
    other = 'metric.type="logging.googleapis.com/user/other" AND resource.type="cloud_run_revision"'
    assert world.metrics.count_matching(other, broken, broken + 5 * MINUTE) is None
    with pytest.raises(Rejected):
        world.metrics.count_matching("anything", broken, broken + 5 * MINUTE)
