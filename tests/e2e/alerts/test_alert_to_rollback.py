"""Notifications as Cloud Monitoring really sent them, all the way to the routers.

One of each kind of condition; tests/responders/triggers/test_alerts.py has all that were captured,
over fakes.
"""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from shared.core import topics
from shared.domain.incidents import incident
from tests.e2e.conftest import WorldMaker
from tests.e2e.support.world import EXAMPLE, until

CAPTURES = Path(__file__).parent.parent.parent / "fixtures" / "monitoring"
MINUTE = timedelta(minutes=1)
OURS = "alert_projects: [bookshop-prod, "
CAPTURED_PROJECTS = "scoping-project, workload-project, internal-project, "
CAPTURED = ("logmatch_open_k8s_2023", "threshold_open_gce_pubsub_2025", "uptime_open_2020")


@pytest.mark.parametrize("name", CAPTURED)
def test_captured_notification_rolls_back(name: str, new_world: WorldMaker) -> None:
    """With our two labels and nothing else changed, a real notification brings the system back."""
    notification: dict[str, Any] = json.loads((CAPTURES / f"{name}.json").read_text())
    about = notification["incident"]
    labels = about.get("policy_user_labels") or {}
    ours = {"rollback_system": "bookshop", "rollback_signal": "function_failure_rate"}
    about["policy_user_labels"] = {**labels, **ours}
    started_at = datetime.fromtimestamp(about["started_at"], UTC)
    policy = EXAMPLE.replace(OURS, OURS + CAPTURED_PROJECTS)
    world = new_world(started_at - 30 * MINUTE, policy)
    world.advance_to(started_at - 9 * MINUTE)
    world.deploy_bad()

    world.publish(topics.ALERTS, notification, project=world.policy.project)
    until("the rollback", world.is_carried_out)

    assert world.live == world.stable
    [one] = world.evidence.incidents()
    assert one.status in (incident.IncidentStatus.ROLLING_BACK, incident.IncidentStatus.VERIFYING)
    assert one.onset_at == started_at
    assert len(world.evidence.operations()) == len(world.stable)
    assert world.evidence.dead_letters() == []
