"""What every Monitoring tells, in memory and over the wire to an embedded Cloud Monitoring."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from local.cloud import Cloud
from shared.adapters.gcp.monitoring.configuration import CloudMonitoring
from shared.adapters.gcp.rest import Rest
from shared.core.errors import Rejected, Unavailable
from shared.domain.policy.scenario_names import Mode, ScenarioName
from shared.domain.policy.severity import Severity
from shared.domain.policy.signals import Signal
from shared.domain.policy.system_policy import Group, Policy
from shared.ports.operations_project import Metric, MetricQuery, MonitoringSettings
from tests.contracts.support.rest import connected
from tests.contracts.support.worlds import both_worlds
from tests.support.fakes.monitoring.configuration import MemoryMonitoring
from tests.support.runtime.embedded_cloud import embedded_cloud

HOST = "monitoring.googleapis.com"
SHOP = Policy(
    "shop",
    "shop-prod",
    "europe-west1",
    {"all": Group(("placeOrder",))},
    {"function_failure_rate": Signal(Severity.CRITICAL, ScenarioName.FUNCTIONS, Mode.ACT)},
    {},
)
LABELS = {"rollback_signal": "function_failure_rate", "rollback_system": "shop"}
ALL = 'resource.type = "cloud_run_revision" AND metric.type = "run.googleapis.com/request_count"'
FAILED = f'{ALL} AND metric.labels.response_code_class = "5xx"'
OURS = MetricQuery("shop function failure rate", LABELS, channels=1, filters=(ALL, FAILED))
REQUESTS = "run_googleapis_com:request_count"
MANY = f'sum(increase({REQUESTS}{{monitored_resource="cloud_run_revision"}}[5m])) > 7'
SLOW = MetricQuery("shop: slow", enabled=False, queries=(MANY,))
PAGE = MetricQuery("Health of shop", queries=(MANY,))
COUNTED = f'count(last_over_time({REQUESTS}{{service_name="placeorder"}}[1d]))'
NOTHING = f'count(last_over_time({REQUESTS}{{service_name!="placeorder"}}[1d]))'
RUN = frozenset({"configuration_name", "location", "project_id", "revision_name", "service_name"})
BY = frozenset({"response_code", "response_code_class", "route"})


class InMemory:
    """The fake."""

    def __init__(self) -> None:
        memory = MemoryMonitoring()
        memory.alerts, memory.pages = [OURS, SLOW], [PAGE]
        memory.known = {"run.googleapis.com/request_count": Metric(BY, frozenset({"cloud_run_revision"}))}
        memory.measured_on = {"cloud_run_revision": RUN}
        memory.answered = {MANY: 0, COUNTED: 1, NOTHING: 0}
        self.monitoring: MonitoringSettings = memory


class OverTheWire:
    """The adapter, beside an embedded cloud."""

    def __init__(self, cloud: Cloud, rest: Rest) -> None:
        self.monitoring: MonitoringSettings = CloudMonitoring(rest, SHOP.project)
        slow: dict[str, Any] = {
            "name": "projects/shop-prod/alertPolicies/2",
            "displayName": "shop: slow",
            "enabled": False,
            "conditions": [{"conditionPrometheusQueryLanguage": {"query": MANY}}],
        }
        tile = {"xyChart": {"dataSets": [{"timeSeriesQuery": {"prometheusQuery": MANY}}]}}
        page: dict[str, Any] = {
            "name": "projects/shop-prod/dashboards/1",
            "displayName": "Health of shop",
            "mosaicLayout": {"tiles": [{"widget": tile}]},
        }
        cloud.watch.policies = {SHOP.project: [slow]}
        cloud.watch.dashboards = {SHOP.project: [page]}
        cloud.clock.advance(timedelta(minutes=10))


MonitoringWorld = InMemory | OverTheWire
"""One signal's alert policy, another that is off, a dashboard, and requests."""


@pytest.fixture
def wire() -> Iterator[OverTheWire]:
    with embedded_cloud(SHOP) as cloud, connected(HOST, cloud.addresses["rest"]) as rest:
        yield OverTheWire(cloud, rest)


world = both_worlds(InMemory)


def test_what_alerts_and_dashboards_ask_for(world: MonitoringWorld) -> None:
    """Filters of both sides of a ratio, and queries, wherever they stand."""
    ours, slow = world.monitoring.policies()

    assert {*ours.filters} == {*OURS.filters}
    assert (ours.name, ours.labels, ours.enabled, ours.channels) == (OURS.name, LABELS, True, 1)
    assert slow == SLOW
    assert world.monitoring.dashboards() == [PAGE]


def test_a_metric_and_what_it_is_measured_on(world: MonitoringWorld) -> None:
    """Their labels; what is not known is none."""
    requests = "run.googleapis.com/request_count"

    assert world.monitoring.metric(requests) == Metric(BY, frozenset({"cloud_run_revision"}))
    assert world.monitoring.metric(f"{requests}s") is None
    assert world.monitoring.resource("cloud_run_revision") == RUN
    assert world.monitoring.resource("cloud_function") is None


def test_a_query_is_evaluated(world: MonitoringWorld) -> None:
    """It answers with as many series as there are; what is no query is refused."""
    assert world.monitoring.series(MANY) == 0
    assert world.monitoring.series(COUNTED) == 1
    assert world.monitoring.series(NOTHING) == 0
    with pytest.raises(Rejected):
        world.monitoring.series("sum(increase(x[5m])")


def test_a_project_that_may_not_be_looked_at() -> None:
    """No answer is no answer: nothing is absent for that."""
    with connected(HOST) as rest, pytest.raises(Unavailable):
        CloudMonitoring(rest, SHOP.project).policies()
