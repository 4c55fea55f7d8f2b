"""Incidents of the request metrics, at a clock that is moved by hand."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from local.core.journal import Journal
from local.services.monitoring import AlertEvaluator
from tests.local.support.run import MINUTE, ORIGIN, World, policy, signal

OPENED, CLOSED = ("placeorder", "open"), ("placeorder", "closed")
PER_FUNCTION = {"function_failure_rate": signal(0.5, 2 * MINUTE)}


class Watched:
    """A world whose alerts are collected."""

    def __init__(self, signals: dict[str, Any], functions: int = 0, data: Path | None = None):
        journal = Journal(data)
        self.world = World(policy(signals, functions), journal)
        self.journal = journal
        self.published: list[dict[str, Any]] = []
        self.topics: set[str] = set()
        self.lose = False
        self.alerter = self.revived()

    def revived(self) -> AlertEvaluator:
        world = self.world
        return AlertEvaluator(world.application, world.clock, self.journal, world.ingestion, self.publish)

    def publish(self, topic: str, body: bytes) -> None:
        if self.lose:
            raise ConnectionError
        self.topics.add(topic)
        self.published.append(json.loads(body)["incident"])

    def deploy(self, failure_rate: float, *functions: str) -> None:
        """A release of these functions, of `placeOrder` by default."""
        chosen = functions or ["placeOrder"]
        self.world.application.deploy(chosen, release="r2", failure_rate=failure_rate)

    def step(self, minutes: float) -> None:
        """Pass time in half minutes, each looked at by the alerter."""
        for _ in range(int(minutes * 2)):
            self.world.advance(30)
            self.alerter.catch_up()

    def opens(self, after: float, *told: tuple[str, str]) -> None:
        """Check that nothing is published before so many minutes, and these alerts then."""
        self.step(after - 0.5)
        assert not self.published
        self.step(0.5)
        assert self.told() == [*told]

    def told(self) -> list[tuple[str, str]]:
        return [(one["resource"]["labels"].get("service_name", ""), one["state"]) for one in self.published]


def first(watched: Watched, function: str) -> str:
    return watched.world.application.service_of(function).revisions[0].name


def roll_back(watched: Watched, function: str) -> None:
    """Let the function serve well again, without a change of its traffic."""
    watched.world.application.degrade(function, failure_rate=0.0)


def test_bad_function_opens_one_incident_and_closes_it_once() -> None:
    """Two bad minutes, visible a minute late, open it; the first good one closes it."""
    watched = Watched(PER_FUNCTION)
    watched.step(5)
    assert not watched.published

    watched.deploy(0.9)
    watched.opens(3, OPENED)
    watched.step(10)
    assert watched.told() == [OPENED]

    roll_back(watched, "placeOrder")
    watched.step(10)
    opened, closed = watched.published
    assert watched.told() == [OPENED, CLOSED]
    assert opened["incident_id"] == closed["incident_id"]
    assert opened["started_at"] == closed["started_at"] == int((ORIGIN + 8 * MINUTE).timestamp())
    assert (opened["ended_at"], closed["ended_at"]) == (None, int((ORIGIN + 20 * MINUTE).timestamp()))


def test_one_large_step_opens_what_many_small_ones_would() -> None:
    """An hour passed at once leaves the same incidents at the same times."""
    stepped, jumped = Watched(PER_FUNCTION), Watched(PER_FUNCTION)
    for watched in (stepped, jumped):
        watched.deploy(0.9)
    stepped.step(60)

    jumped.world.advance(3600)
    jumped.alerter.catch_up()

    assert jumped.published == stepped.published
    assert len(jumped.published) == 1


def test_short_burst_opens_nothing() -> None:
    """A minute of failures is not the two that the policy asks for."""
    watched = Watched(PER_FUNCTION)
    watched.world.application.degrade("placeOrder", failure_rate=1.0)
    watched.step(1)
    roll_back(watched, "placeOrder")
    watched.step(10)

    assert not watched.published


def test_rate_at_the_threshold_opens_nothing() -> None:
    """Above means above."""
    watched = Watched({"function_failure_rate": signal(0.6, MINUTE)})
    watched.deploy(0.55)
    watched.step(10)

    assert not watched.published


def test_storm_is_one_message_per_function() -> None:
    """A release that breaks everything publishes an incident for each function, each its own."""
    watched = Watched(PER_FUNCTION, functions=147)
    watched.world.application.deploy(release="r2", failure_rate=1.0)
    watched.step(4)

    assert len(watched.published) == 151
    assert len({one["incident_id"] for one in watched.published}) == 151
    assert watched.topics == {"projects/shop/topics/rollback-alerts"}


def test_share_of_failing_functions_is_one_incident() -> None:
    """Half of the functions failing is one incident of the whole system, without a service."""
    watched = Watched({"functions_failing_share": signal(0.25, MINUTE)})
    watched.deploy(1.0)
    watched.step(5)
    assert not watched.published

    watched.deploy(1.0, "payOrder")
    watched.step(5)
    (only,) = watched.published
    assert only["resource"]["labels"] == {"project_id": "shop"}
    assert only["observed_value"] == "0.500"


def test_error_rate_counts_all_requests_together() -> None:
    """The rate over everything must last five minutes."""
    watched = Watched({"error_rate": signal(0.1, 5 * MINUTE)})
    watched.world.application.deploy(release="r2", failure_rate=0.2)
    watched.opens(6, ("", "open"))


def test_later_metrics_mean_a_later_alert() -> None:
    """An alert cannot know more than the metrics do."""
    watched = Watched(PER_FUNCTION)
    watched.world.ingestion.lag = timedelta(minutes=3)
    watched.deploy(0.9)
    watched.opens(5, OPENED)


def test_open_incident_survives_a_restart(tmp_path: Path) -> None:
    """A new process closes what the old one opened, and opens it no second time."""
    watched = Watched(PER_FUNCTION, data=tmp_path)
    watched.deploy(0.9)
    watched.step(5)

    watched.alerter = watched.revived()
    watched.step(5)
    assert watched.told() == [OPENED]
    roll_back(watched, "placeOrder")
    watched.step(5)
    assert watched.told() == [OPENED, CLOSED]


def test_alert_that_could_not_be_published_is_published_again_under_its_id() -> None:
    """What is not out is not written down; the next evaluation tries again."""
    watched = Watched(PER_FUNCTION)
    watched.deploy(0.9)
    watched.step(2.5)
    watched.lose = True
    with pytest.raises(ConnectionError):
        watched.step(0.5)
    watched.lose = False

    watched.alerter.catch_up()

    assert watched.told() == [OPENED]
    assert [one.started_at for one in watched.alerter.incidents] == [ORIGIN + 3 * MINUTE]


def test_notification_has_the_shape_of_real_ones() -> None:
    """The keys are those of a capture of 2025 with user labels, and the labels name the signal."""
    watched = Watched(PER_FUNCTION)
    watched.deploy(0.9)
    watched.step(5)
    (alert,) = watched.published

    assert set(alert) == {
        *("condition", "condition_name", "documentation", "ended_at", "incident_id", "metadata"),
        *("metric", "observed_value", "policy_name", "policy_user_labels", "resource"),
        *("resource_display_name", "resource_id", "resource_name", "resource_type_display_name"),
        *("scoping_project_id", "scoping_project_number", "severity", "started_at", "state"),
        *("summary", "threshold_value", "url"),
    }
    assert alert["incident_id"].startswith("0.")
    assert alert["policy_user_labels"] == {
        "rollback_signal": "function_failure_rate",
        "rollback_system": "bookshop",
    }
    assert alert["resource"] == {
        "type": "cloud_run_revision",
        "labels": {"project_id": "shop", "location": "europe-west1", "service_name": "placeorder"},
    }
    assert alert["severity"] == "Critical"
    assert alert["condition"]["conditionThreshold"]["thresholdValue"] == 0.5
    assert alert["condition"]["conditionThreshold"]["duration"] == "120s"
    assert alert["condition"]["name"].startswith("projects/shop/alertPolicies/")
