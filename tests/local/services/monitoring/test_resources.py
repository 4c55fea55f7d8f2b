"""What Cloud Monitoring refuses of alert policies, channels, objectives and dashboards."""

from typing import Any

import pytest

from local.application.names import project_number
from local.cloud import Cloud
from tests.local.support.rest import Product, product_at

V1, V3 = "/v1/projects/shop", "/v3/projects/shop"
OBJECTIVE = {
    "goal": 0.999,
    "rollingPeriod": "2419200s",
    "serviceLevelIndicator": {
        "requestBased": {"goodTotalRatio": {"badServiceFilter": "a", "totalServiceFilter": "b"}}
    },
}


monitoring = product_at("monitoring.googleapis.com")


def policy(*conditions: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"displayName": "slow", "combiner": "OR", "conditions": [*conditions], **more}


def above(metric: str) -> dict[str, Any]:
    return {
        "displayName": metric,
        "conditionThreshold": {"filter": f'metric.type="{metric}"', "duration": "60s"},
    }


def test_a_policy_stands_beside_those_of_signals(cloud: Cloud, monitoring: Product) -> None:
    """It is listed with them; its conditions have names of their own."""
    made = monitoring.done("POST", f"{V3}/alertPolicies", policy(above("run.googleapis.com/request_count")))

    assert made["conditions"][0]["name"] == f"{made['name']}/conditions/1"
    assert made["enabled"] is True
    assert monitoring.get(f"{V3}/alertPolicies")["alertPolicies"] == [made]


def test_a_condition_that_is_added_takes_no_other_s_name(monitoring: Product) -> None:
    """One is removed, one stays with its name, one is new; a mask may be written in snake case."""
    count = above("run.googleapis.com/request_count")
    asked = policy(count, count, alertStrategy={"autoClose": "1800s"})
    made = monitoring.done("POST", f"{V3}/alertPolicies", asked)
    kept = made["conditions"][1]

    changed = monitoring.done("PATCH", f"/v3/{made['name']}", {**made, "conditions": [kept, count]})
    names = [one["name"].rpartition("/")[2] for one in changed["conditions"]]
    assert names == ["2", "1"]

    mask = "updateMask=alert_strategy.auto_close"
    closed = {"alertStrategy": {"autoClose": "3600s"}}
    assert (
        monitoring.done("PATCH", f"/v3/{made['name']}?{mask}", closed)["alertStrategy"]
        == closed["alertStrategy"]
    )


def test_a_policy_on_a_log_based_metric(cloud: Cloud, monitoring: Product) -> None:
    """Monitoring refuses one that it does not know."""
    asked = policy(above("logging.googleapis.com/user/errors"))
    assert monitoring.refused("POST", f"{V3}/alertPolicies", asked) == "NOT_FOUND"

    logging = Product(cloud, "logging.googleapis.com")
    made = logging.done("POST", "/v2/projects/shop/metrics", {"name": "errors", "filter": "severity>=ERROR"})

    assert made["metricDescriptor"]["type"] == "logging.googleapis.com/user/errors"
    assert monitoring.done("POST", f"{V3}/alertPolicies", asked)


@pytest.mark.parametrize(
    "body",
    [
        policy(),
        policy(*[above("run.googleapis.com/request_count")] * 7),
        policy({"displayName": "nothing"}),
        policy(above("run.googleapis.com/request_count"), combiner="XOR"),
        policy(above("run.googleapis.com/request_count"), severity="LOUD"),
    ],
)
def test_a_policy_that_cannot_be(monitoring: Product, body: dict[str, Any]) -> None:
    """From one to six conditions, each of one kind."""
    assert monitoring.refused("POST", f"{V3}/alertPolicies", body) == "INVALID_ARGUMENT"


def test_a_channel_that_a_policy_names(monitoring: Product) -> None:
    """It is deleted by force alone, and then the policy names it no more."""
    asked = {"type": "pubsub", "labels": {"topic": "projects/shop/topics/rollback-alerts"}}
    channel = monitoring.done("POST", f"{V3}/notificationChannels", asked)["name"]
    used = policy(above("run.googleapis.com/request_count"), notificationChannels=[channel])
    name = monitoring.done("POST", f"{V3}/alertPolicies", used)["name"]

    assert monitoring.refused("DELETE", f"/v3/{channel}") == "FAILED_PRECONDITION"
    monitoring.done("DELETE", f"/v3/{channel}?force=true")
    assert not monitoring.get(f"/v3/{name}")["notificationChannels"]


def test_a_secret_of_a_channel(monitoring: Product) -> None:
    """It is shown obscured, also in the answer to a change of something else."""
    asked = {"type": "slack", "labels": {"channel_name": "#sre", "auth_token": "xoxb-1"}}
    made = monitoring.done("POST", f"{V3}/notificationChannels", asked)
    changed = monitoring.done("PATCH", f"/v3/{made['name']}?updateMask=description", {"description": "SRE"})

    shown = {"channel_name": "#sre", "auth_token": "********"}
    assert made["labels"] == changed["labels"] == monitoring.get(f"/v3/{made['name']}")["labels"] == shown
    assert monitoring.get(f"{V3}/notificationChannels")["notificationChannels"] == [changed]


@pytest.mark.parametrize("body", [{"type": "pigeon"}, {"type": "pubsub", "labels": {"email_address": "a"}}])
def test_a_channel_that_cannot_be(monitoring: Product, body: dict[str, Any]) -> None:
    """Its type is known, and its labels are those of the type."""
    assert monitoring.refused("POST", f"{V3}/notificationChannels", body) == "INVALID_ARGUMENT"


def test_an_objective_of_a_service(monitoring: Product) -> None:
    """It needs its service; a mask of parts of the indicator changes those alone."""
    path = f"{V3}/services/shop/serviceLevelObjectives"
    assert monitoring.refused("POST", f"{path}?serviceLevelObjectiveId=site", OBJECTIVE) == "NOT_FOUND"
    monitoring.done("POST", f"{V3}/services?serviceId=shop", {"custom": {}})
    made = monitoring.done("POST", f"{path}?serviceLevelObjectiveId=site", OBJECTIVE)
    ratio = "serviceLevelIndicator.requestBased.goodTotalRatio"
    mask = (
        f"{ratio}.badServiceFilter,{ratio}.goodServiceFilter,serviceLevelIndicator.windowsBased.windowPeriod"
    )
    indicator = {"requestBased": {"goodTotalRatio": {"badServiceFilter": "c"}}}

    changed = monitoring.done("PATCH", f"{path}/site?updateMask={mask}", {"serviceLevelIndicator": indicator})

    assert made["name"] == f"projects/{project_number('shop')}/services/shop/serviceLevelObjectives/site"
    kept = {"badServiceFilter": "c", "totalServiceFilter": "b"}
    assert changed == {**made, "serviceLevelIndicator": {"requestBased": {"goodTotalRatio": kept}}}
    assert monitoring.refused("PATCH", f"{path}/site?updateMask=goal", {"goal": 1.5}) == "INVALID_ARGUMENT"


def test_a_dashboard_shows_no_defaults(monitoring: Product) -> None:
    """A tile at the left edge has no `xPos`, as in Google's JSON; two layouts are refused."""
    tile = {"xPos": 0, "yPos": 12, "width": 16, "height": 12, "widget": {"title": ""}}
    made = monitoring.done(
        "POST", f"{V1}/dashboards", {"displayName": "Health", "mosaicLayout": {"tiles": [tile]}}
    )

    assert made["mosaicLayout"]["tiles"] == [{"yPos": 12, "width": 16, "height": 12, "widget": {}}]
    two = {"displayName": "Health", "mosaicLayout": {"columns": 1}, "gridLayout": {"columns": "1"}}
    assert monitoring.refused("POST", f"{V1}/dashboards", two) == "INVALID_ARGUMENT"
    assert monitoring.get(f"{V1}/dashboards")["dashboards"] == [made]
