"""Plain resources have the fields of Google's discovery documents, or the page refuses them."""

import json
import re
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from local.cloud import Cloud
from local.core.resources import Kind
from tests.local.support.rest import running

DOCUMENTS = files("googleapiclient.discovery_cache") / "documents"
PAGE = (Path(__file__).parents[3] / "docs" / "embedded-cloud.md").read_text()
SCHEMAS = {
    "projects.secrets": ("secretmanager.v1", "Secret"),
    "projects.locations.jobs": ("cloudscheduler.v1", "Job"),
    "projects.serviceAccounts": ("iam.v1", "ServiceAccount"),
    "projects.roles": ("iam.v1", "Role"),
    "projects.locations.repositories": ("artifactregistry.v1", "Repository"),
    "projects.sinks": ("logging.v2", "LogSink"),
    "projects.exclusions": ("logging.v2", "LogExclusion"),
    "projects.metrics": ("logging.v2", "LogMetric"),
    "billingAccounts.budgets": ("billingbudgets.v1", "GoogleCloudBillingBudgetsV1Budget"),
    "projects.locations.notificationConfigs": ("securitycenter.v1", "NotificationConfig"),
    "projects.alertPolicies": ("monitoring.v3", "AlertPolicy"),
    "projects.dashboards": ("monitoring.v1", "Dashboard"),
    "projects.notificationChannels": ("monitoring.v3", "NotificationChannel"),
    "projects.uptimeCheckConfigs": ("monitoring.v3", "UptimeCheckConfig"),
    "services": ("monitoring.v3", "Service"),
    "services.serviceLevelObjectives": ("monitoring.v3", "ServiceLevelObjective"),
}
UNDISCOVERED = {"projects.locations.notificationConfigs": {"updateTime"}}
"""Fields of a version of an API that has no discovery document here."""
JSON_TYPES = {"array": list, "boolean": bool, "integer": int, "number": float, "object": dict, "string": str}


@pytest.fixture(scope="module")
def kinds() -> Iterator[dict[str, Kind]]:
    with running() as cloud:
        yield {one.kind.calls: one.kind for one in collections(cloud)}


def collections(cloud: Cloud) -> Iterator[Any]:
    for held in cloud.surroundings.collections.values():
        yield from held
    yield from cloud.surroundings.monitoring.collections


def properties(calls: str) -> dict[str, Any]:
    document, schema = SCHEMAS[calls]
    found: dict[str, Any] = json.loads((DOCUMENTS / f"{document}.json").read_text())["schemas"]
    return dict(found[schema]["properties"])


def refused_on_the_page(calls: str) -> set[str]:
    row = re.search(rf"^\| `{re.escape(calls)}` \| (.+) \|$", PAGE, re.MULTILINE)
    return set(re.findall(r"`(\w+)`", row[1])) if row else set()


def test_each_kind_has_a_schema(kinds: dict[str, Kind]) -> None:
    """A new kind is compared with Google's as well."""
    assert {*kinds} == {*SCHEMAS}


@pytest.mark.parametrize("calls", SCHEMAS)
def test_each_field_of_google_s_is_stored_or_refused_on_the_page(kinds: dict[str, Kind], calls: str) -> None:
    """No other field is stored."""
    kind = kinds[calls]
    known = {*kind.fields, *kind.answers, "name", *(["etag"] if kind.has_etag else [])}

    assert known - UNDISCOVERED.get(calls, set()) | refused_on_the_page(calls) == {*properties(calls)}
    assert not known & refused_on_the_page(calls)


@pytest.mark.parametrize("calls", SCHEMAS)
def test_each_field_has_google_s_type(kinds: dict[str, Kind], calls: str) -> None:
    """A message is an object, a time is text."""
    google = properties(calls)

    for field, declared in kinds[calls].fields.items():
        wanted = JSON_TYPES[google[field].get("type", "object")]
        shown = getattr(declared, "__origin__", declared)
        is_text = wanted is str and (shown not in (list, dict, bool, int, float))
        assert shown is wanted or is_text, field
