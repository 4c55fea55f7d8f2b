"""Messages that must change nothing: a duplicate, a test notification, a foreign project's."""

import json
from typing import Any

from msgspec import Struct

from local.demo.evidence import Evidence
from local.demo.staging.processes import DemoStage
from shared.core import topics
from shared.domain.audit.chain import Event
from shared.domain.signals.alert import Alert

TEST_ID = "demo-test-notification"
FOREIGN_ID = "0.demoforeign"
FOREIGN_PROJECT = "somebody-elses-project"


class IrrelevantMessages(Struct, frozen=True):
    """What was sent, and what was known of it before."""

    repeated: Alert | None
    """As it was kept when its notification was sent once more; None: there was none to repeat."""


def is_probe_alert(alert: Alert) -> bool:
    """Whether the responders' own probes told of it: then no notification was sent."""
    return alert.monitoring_id.startswith("probe:")


def publish_irrelevant_messages(stage: DemoStage, alert: Alert | None) -> IrrelevantMessages:
    """Publish them on the topic of real alerts, made from one that came.

    None: our own probes have told of all there was; nothing of theirs can come twice.
    """
    original = json.loads(alert.notification) if alert is not None else _build_minimal_notification(stage)
    if alert is not None:
        stage.publish(topics.ALERTS, original)
    stage.publish(topics.ALERTS, _build_test_notification(stage))
    stage.publish(topics.ALERTS, _build_foreign_notification(original))
    return IrrelevantMessages(alert)


def find_test_event(evidence: Evidence) -> Event | None:
    """What the trail says of the test notification."""
    told = (one for one in evidence.events_without_system() if one.name == "alert.test")
    return next((one for one in told if one.facts["incident"] == TEST_ID), None)


def find_foreign_event(evidence: Evidence) -> Event | None:
    """What the trail says of the foreign project's alert."""
    told = (one for one in evidence.events_without_system() if one.name == "message.refused")
    return next((one for one in told if FOREIGN_PROJECT in one.facts["reason"]), None)


def _build_test_notification(stage: DemoStage) -> dict[str, Any]:
    """What the console's button sends: without labels, with a state in capitals."""
    return {
        "version": "test",
        "incident": {
            "incident_id": TEST_ID,
            "state": "OPEN",
            "started_at": 0,
            "ended_at": 0,
            "scoping_project_id": stage.policy.project,
            "resource": {"type": "example_resource", "labels": {"example": "label"}},
            "policy_name": f"projects/{stage.policy.project}/alertPolicies/12345",
            "condition_name": "Example condition",
            "summary": "Example summary",
            "documentation": "Test notification",
        },
    }


def _build_minimal_notification(stage: DemoStage) -> dict[str, Any]:
    """The least that a notification of the system's says."""
    labels = {"rollback_system": stage.policy.system, "rollback_signal": "authentication_failure"}
    began = int(stage.now().timestamp())
    incident = {"state": "open", "started_at": began, "policy_user_labels": labels}
    return {"version": "1.2", "incident": {**incident, "resource": {"labels": {}}}}


def _build_foreign_notification(original: dict[str, Any]) -> dict[str, Any]:
    """The same alert about a project that nobody has declared."""
    incident = original["incident"]
    resource = incident["resource"]
    labels = {**resource["labels"], "project_id": FOREIGN_PROJECT}
    stranger = {"incident_id": FOREIGN_ID, "resource": {**resource, "labels": labels}}
    return {**original, "incident": {**incident, **stranger}}
