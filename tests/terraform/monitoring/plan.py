"""The monitoring half of the module as evaluated values: `resources[type][name][key]`."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from shared.domain.policy.severity import Severity
from tests.terraform.evaluator.evaluator import Configuration, evaluated
from tests.terraform.evaluator.values import COMPUTED

ROOT = Path(__file__).parent.parent.parent.parent
TERRAFORM = ROOT / "terraform"
FILES = (
    "alerts.tf",
    "budget.tf",
    "channels.tf",
    "dashboard.tf",
    "application_health_alerts.tf",
    "log_metrics.tf",
    "alert_conditions.tf",
    "monitoring_locals.tf",
    "monitoring_outputs.tf",
    "monitoring_variables.tf",
    "responder_alerts.tf",
    "uptime.tf",
)
PAGER = {"oncall": {"type": "email", "labels": {"email_address": "oncall@example.com"}}}

Attributes = dict[str, Any]
Resources = dict[str, dict[str, dict[Any, Attributes]]]
"""By type, name and key (None where there is only one): what is set, the id, and `depends_on`."""


def plan(folder: Path, policies: list[Path], variables: Mapping[str, Any] | None = None) -> Configuration:
    """The monitoring files evaluated in a folder, beside a stand-in for the rest of the module.

    Everything that can be switched on is.
    """
    for name in FILES:
        shutil.copy(TERRAFORM / name, folder)
    shutil.copy(Path(__file__).parent.parent / "stand_in.tf", folder)
    given = {
        "alert_severities": [*Severity],
        "dashboards": True,
        "uptime_checks": True,
        "operations_project": "rollback-operations",
        "pager_channels": PAGER,
        "policies": [str(policy) for policy in policies],
    }
    return evaluated(folder, {**given, **(variables or {})})


def resources_of(configuration: Configuration) -> Resources:
    """Its resources as plain values."""
    found: Resources = {}
    for one in configuration.resources:
        attributes = {**one.values, "depends_on": [*one.depends_on]}
        if isinstance(made := COMPUTED.get((one.type, "id")), str):
            attributes["id"] = made.format_map(one.values)
        found.setdefault(one.type, {}).setdefault(one.name, {})[one.key] = attributes
    return found
