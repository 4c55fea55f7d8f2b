"""What alerts and dashboards ask for, against what Cloud Monitoring is said to know."""

import json
import re
from collections.abc import Iterator
from typing import Any

from cli.doctor.finding import CheckVerdict
from cli.doctor.installation import metrics as measuring
from local.services.monitoring import descriptors, promql
from local.services.monitoring.configuration import matches_promql_name
from shared.ports.operations_project import Metric, MetricQuery
from tests.terraform.conftest import configuration
from tests.terraform.evaluator.evaluator import Configuration

FILTERS = ("filter", "denominator_filter")
QUERIES = ("query", "prometheusQuery")
OF_LOGS = "logging.googleapis.com/user/"
_UNKNOWN_YET = re.compile(r'probe\["([^"]*)"\]')
"""A part of what only an apply knows: the ids of uptime checks."""


def texts(value: Any, names: tuple[str, ...]) -> Iterator[str]:
    """What stands under these names, however deep."""
    if isinstance(value, dict):
        for name, one in value.items():
            if name in names and isinstance(one, str):
                yield _UNKNOWN_YET.sub(r"probe.\1", one)
            else:
                yield from texts(one, names)
    elif isinstance(value, list):
        for one in value:
            yield from texts(one, names)


def asked(made: Configuration) -> list[MetricQuery]:
    """Each alert policy and each dashboard, as the API would show it."""
    policies = [one.values for one in made.of("google_monitoring_alert_policy")]
    pages = [json.loads(one.values["dashboard_json"]) for one in made.of("google_monitoring_dashboard")]
    return [
        MetricQuery(
            str(one.get("display_name") or one["displayName"]),
            one.get("user_labels") or {},
            filters=tuple(texts(one, FILTERS)),
            queries=tuple(texts(one, QUERIES)),
        )
        for one in [*policies, *pages]
    ]


def known(made: Configuration) -> dict[str, descriptors.Descriptor]:
    """The metrics of Google's, and those that are made of logs, by type."""
    of_logs = {
        f"{OF_LOGS}{one.values['name']}": descriptors.Descriptor(
            "DELTA",
            one.values["metric_descriptor"][0]["value_type"],
            "1",
            (re.findall(r'resource\.type="(\w+)"', one.values["filter"]) or ["global"])[0],
            tuple(one.values.get("label_extractors") or ()),
        )
        for one in made.of("google_logging_metric")
    }
    return {**descriptors.METRICS, **of_logs}


def test_cloud_monitoring_knows_what_is_asked_for() -> None:
    """Every metric with its labels, and every resource with its own, as documented."""
    made = configuration("two-projects")
    metrics = {
        name: Metric(frozenset(one.labels), frozenset({one.resource})) for name, one in known(made).items()
    }
    resources = {name: frozenset(labels) for name, labels in descriptors.RESOURCE_LABELS.items()}
    wanted = asked(made)

    [found] = measuring.check_metric_names("all", measuring.Measured(wanted, metrics, resources, {}))

    assert len(measuring.parse_filters(wanted)) > 15
    assert (found.verdict, found.why) == (CheckVerdict.WELL, found.why)


def test_every_query_can_be_read_and_names_what_is_known() -> None:
    """Doctor sees the same series in it; each is of a metric, and by its labels."""
    made = configuration("two-projects")
    metrics = known(made)
    queries = [query for one in asked(made) for query in one.queries]

    assert len(queries) > 30
    for query in queries:
        read = promql.selectors(query)
        counted = [promql.selectors(measuring.counting_query(one)) for one in measuring.series_query(query)]
        assert {one for several in counted for one in several} == {*read}
        for one in read:
            [metric] = [name for name in metrics if matches_promql_name(name, metrics[name], one.metric)]
            resource = metrics[metric].resource
            labels = {*metrics[metric].labels, *descriptors.RESOURCE_LABELS[resource]}
            assert {label for label, _, _ in one.matchers} <= {*labels, "monitored_resource"}


def test_doctor_knows_its_own_by_their_names() -> None:
    """Each alert and each page is of one system, or of the responders themselves."""
    made = configuration("two-projects")
    systems = {one.labels.get("rollback_system") for one in asked(made)} - {None}

    own = [one for one in asked(made) if measuring.is_own(one)]

    assert len(own) == 8
    for one in asked(made):
        pages = {f"Health of {system}" for system in systems}
        of_a_system = one.labels.get("rollback_system") in systems or one.name in pages
        assert measuring.is_own(one) is not of_a_system
