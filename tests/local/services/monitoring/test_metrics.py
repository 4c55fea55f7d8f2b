"""Request counts through Google's own Monitoring client."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from google.api_core import exceptions
from google.cloud import monitoring_v3

from local.application.latency import quantile
from local.application.request_counts import rate_per_second
from local.services.monitoring.backlog_metrics import DEPTH, UNDELIVERED
from tests.local.support.run import MINUTE, ORIGIN, SEED, World, served, to

COUNT = 'metric.type="run.googleapis.com/request_count" AND resource.type="cloud_run_revision"'
DELTA = monitoring_v3.Aggregation.Aligner.ALIGN_DELTA
RATE = monitoring_v3.Aggregation.Aligner.ALIGN_RATE
SUM = monitoring_v3.Aggregation.Reducer.REDUCE_SUM
MEDIAN = monitoring_v3.Aggregation.Reducer.REDUCE_PERCENTILE_50
LATENCIES = 'metric.type="run.googleapis.com/request_latencies"'
WINDOW = (ORIGIN, ORIGIN + 5 * MINUTE)
MEDIANS: dict[str, Any] = {
    "alignment_period": {"seconds": 300},
    "per_series_aligner": DELTA,
    "cross_series_reducer": MEDIAN,
}


@pytest.fixture
def world() -> Iterator[World]:
    with served(World()) as world:
        yield world


def series(
    world: World, wanted: str, start: datetime, end: datetime, page_size: int = 0, **how: Any
) -> list[monitoring_v3.TimeSeries]:
    request = monitoring_v3.ListTimeSeriesRequest(
        name="projects/shop",
        filter=wanted,
        interval={"start_time": start, "end_time": end},
        aggregation=monitoring_v3.Aggregation(**how) if how else None,
        page_size=page_size,
    )
    return list(world.metrics.list_time_series(request=request))


def counted(found: list[monitoring_v3.TimeSeries]) -> int:
    return sum(point.value.int64_value for one in found for point in one.points)


def of(service: str) -> str:
    return f'{COUNT} AND resource.labels.service_name="{service}"'


def failed_of(service: str) -> str:
    return f'{of(service)} AND metric.labels.response_code_class="5xx"'


def test_point_becomes_visible_a_minute_after_its_end(world: World) -> None:
    """What has happened cannot be read yet; later it can."""
    window = (ORIGIN, ORIGIN + MINUTE)
    world.advance(119)
    assert not series(world, of("placeorder"), *window)

    world.advance(1)
    assert counted(series(world, of("placeorder"), *window)) > 0

    world.ingestion.lag = timedelta(minutes=3)
    assert not series(world, of("placeorder"), *window)
    world.advance(120)
    assert counted(series(world, of("placeorder"), *window)) > 0


def test_raw_points_are_whole_minutes_newest_first(world: World) -> None:
    """One delta per minute, whose sum is what was served."""
    world.advance(600)
    (only,) = series(world, of("placeorder"), *WINDOW)

    starts = [point.interval.start_time for point in only.points]
    assert starts == [ORIGIN + index * MINUTE for index in (4, 3, 2, 1, 0)]
    assert all(one.interval.end_time - one.interval.start_time == MINUTE for one in only.points)
    expected = 300 * rate_per_second("placeOrder", SEED)
    assert abs(counted([only]) - expected) <= 1
    assert only.resource.labels["revision_name"].startswith("placeorder-00001-")
    assert only.metric.labels == {"response_code": "200", "response_code_class": "2xx"}


def test_failures_are_counted_apart_and_by_revision(world: World) -> None:
    """After a bad deployment half of its requests are 5xx of the new revision."""
    world.deploy(failure_rate=0.5)
    world.advance(600)

    failed = series(world, failed_of("placeorder"), *WINDOW)
    everything = series(world, of("placeorder"), *WINDOW)

    assert {one.resource.labels["revision_name"] for one in everything} == {
        world.application.service("placeorder").latest_created.name
    }
    assert abs(counted(failed) * 2 - counted(everything)) <= 2
    assert not series(world, f'{of("payorder")} AND metric.label.response_code_class="5xx"', *WINDOW)


def test_counts_follow_the_traffic(world: World) -> None:
    """From the second in which the routers follow, requests count for the other revision."""
    old = world.revision()
    world.deploy(failure_rate=1.0)
    world.advance(112)
    world.update(world.get(), to(old))
    world.advance(600)

    def failed(start: int, end: int) -> int:
        return counted(series(world, failed_of("placeorder"), ORIGIN + start * MINUTE, ORIGIN + end * MINUTE))

    assert failed(0, 2) == int(120 * rate_per_second("placeOrder", SEED))
    assert failed(2, 8) == 0


def test_reduced_series_keep_only_what_they_are_grouped_by(world: World) -> None:
    """A sum by service and code drops the revision, and counts the same requests."""
    world.application.deploy(release="r2", failure_rate=0.5)
    world.advance(600)
    window = (ORIGIN - 5 * MINUTE, ORIGIN + 5 * MINUTE)

    reduced = series(
        world,
        COUNT,
        *window,
        alignment_period={"seconds": 300},
        per_series_aligner=DELTA,
        cross_series_reducer=SUM,
        group_by_fields=["resource.label.service_name", "metric.label.response_code_class"],
    )

    assert len(reduced) == 8
    assert {tuple(sorted(one.resource.labels)) for one in reduced} == {("project_id", "service_name")}
    assert max(len(one.points) for one in reduced) == 2
    assert counted(reduced) == counted(series(world, COUNT, *window))


def test_median_latencies_pool_the_requests_of_a_group(world: World) -> None:
    """Each function weighs as much as it has requests; what is not visible yet is left out."""
    seconds = dict(zip(world.application.policy.functions, (1, 2, 4, 8), strict=True))
    for function in seconds:
        world.application.set_callees(function, ())
        world.application.deploy([function], release="r2", latency=timedelta(seconds=seconds[function]))
    world.advance(600)

    def medians(*group_by: str) -> list[float]:
        how = {**MEDIANS, "group_by_fields": group_by}
        reduced = series(world, LATENCIES, *WINDOW, **how)
        return [point.value.double_value for one in reduced for point in one.points]

    mix = [(rate_per_second(name, SEED), timedelta(seconds=taken)) for name, taken in seconds.items()]
    pooled = quantile(mix, 0.5)
    assert pooled is not None
    assert sorted(medians("resource.label.service_name")) == [1000, 2000, 4000, 8000]
    assert medians() == pytest.approx([pooled.total_seconds() * 1000], rel=0.01)
    world.ingestion.lag = timedelta(minutes=10)
    assert medians() == []


def test_aligned_windows_end_where_the_interval_ends(world: World) -> None:
    """Windows are counted back from the end of the interval, not from whole minutes."""
    world.advance(900)
    end = ORIGIN + timedelta(seconds=330)

    (only,) = series(
        world, of("payorder"), ORIGIN, end, alignment_period={"seconds": 120}, per_series_aligner=RATE
    )

    ends = [point.interval.end_time for point in only.points]
    assert ends == [end, end - 2 * MINUTE, end - 4 * MINUTE]
    rate = rate_per_second("payOrder", SEED)
    assert [point.value.double_value for point in only.points] == pytest.approx([rate] * 3, abs=0.01)


def test_pages_hold_every_series_once(world: World) -> None:
    """Paging loses and doubles nothing."""
    world.application.deploy(release="r2", failure_rate=0.5)
    world.advance(600)

    paged = series(world, COUNT, *WINDOW, page_size=7)

    assert paged == series(world, COUNT, *WINDOW)
    assert len(paged) == 8


def test_a_world_advanced_by_hours_has_its_metrics(world: World) -> None:
    """One step of the clock leaves as many requests as many small ones."""
    world.advance(3600 * 6)

    found = series(
        world,
        of("placeorder"),
        ORIGIN,
        ORIGIN + timedelta(hours=5),
        alignment_period={"seconds": 3600},
        per_series_aligner=DELTA,
    )

    assert abs(counted(found) - 5 * 3600 * rate_per_second("placeOrder", SEED)) <= 1
    assert len(found[0].points) == 5


def test_other_metrics_have_no_series(world: World) -> None:
    """An unknown metric, resource or service is empty, not an error."""
    world.advance(600)

    assert not series(world, 'metric.type="run.googleapis.com/container/cpu/utilizations"', *WINDOW)
    assert not series(world, COUNT.replace("cloud_run_revision", "cloud_function"), *WINDOW)
    assert not series(world, of("nothing"), *WINDOW)


REFUSED: dict[str, tuple[str, dict[str, Any]]] = {
    "no metric type": ('resource.type="cloud_run_revision"', {}),
    "a comparison that is not understood": (f"{COUNT} AND metric.labels.x > 3", {}),
    "a period of half a minute": (COUNT, {"alignment_period": {"seconds": 30}, "per_series_aligner": DELTA}),
    "a reducer without an aligner": (COUNT, {"cross_series_reducer": SUM}),
    "an unknown field": (
        COUNT,
        {
            "alignment_period": {"seconds": 60},
            "per_series_aligner": DELTA,
            "cross_series_reducer": SUM,
            "group_by_fields": ["resource.label.zone"],
        },
    ),
    "a median of counts": (COUNT, MEDIANS),
    "a sum of latencies": (LATENCIES, {**MEDIANS, "cross_series_reducer": SUM}),
    "latencies as distributions": (LATENCIES, {}),
    "latencies of a revision": (f'{LATENCIES} AND resource.label.revision_name="r"', MEDIANS),
    "latencies by response code": (LATENCIES, {**MEDIANS, "group_by_fields": ["metric.label.response_code"]}),
}


@pytest.mark.parametrize(("wanted", "how"), REFUSED.values(), ids=REFUSED)
def test_what_is_not_understood_is_refused(world: World, wanted: str, how: dict[str, Any]) -> None:
    """A filter or aggregation is never half obeyed."""
    with pytest.raises(exceptions.InvalidArgument):
        series(world, wanted, ORIGIN, ORIGIN + MINUTE, **how)


def test_interval_that_runs_backwards_is_refused(world: World) -> None:
    """A delta needs a start before its end."""
    with pytest.raises(exceptions.InvalidArgument):
        series(world, COUNT, ORIGIN + MINUTE, ORIGIN)


def test_what_waits_for_functions(world: World) -> None:
    """A topic's subscription, a trigger's, and a queue: each bears the name of its function."""
    world.application.make_first_generation("placeOrder")
    world.application.connect_events("placeOrder", 41)
    world.application.connect_events("findBook", 2)
    world.application.connect_events("payOrder", 7, queue=True)
    world.advance(300)
    now = world.clock.now()

    def waiting(metric: str, resource: str, label: str) -> dict[str, int]:
        wanted = f'metric.type="{metric}" AND resource.type="{resource}"'
        found = series(world, wanted, now - 5 * MINUTE, now)
        return {one.resource.labels[label]: counted([one]) for one in found}

    assert waiting(DEPTH, "cloud_tasks_queue", "queue_id") == {"payOrder": 7}
    messages = waiting(UNDELIVERED, "pubsub_subscription", "subscription_id")
    beginnings = {name[:14]: count for name, count in messages.items()}
    assert beginnings == {"gcf-placeOrder": 41, "eventarc-europ": 2}
