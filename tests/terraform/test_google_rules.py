"""Google's rules that no provider knows: they hold, and each finds its breach."""

from typing import Any

import pytest

from tests.terraform.evaluator.evaluator import Configuration
from tests.terraform.google_rules import Planned, breaches


def test_google_takes_every_example(example: Configuration) -> None:
    """Names, counts, permissions and the schema."""
    assert breaches(Planned(one.address, one.type, one.values) for one in example.resources) == []


ROLE = {"role_id": "rollback_work", "title": "Rollback", "permissions": ["run.services.get"]}
GRANT = {"expression": "x", "title": "t"}
ALERT = {"conditions": [{}], "documentation": [{"content": "x"}]}
FUNCTION = {"timeout_seconds": 60, "max_instance_count": 1, "environment_variables": {}}


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("google_service_account", {"account_id": "shop"}),
        ("google_storage_bucket", {"name": "Shop"}),
        ("google_storage_bucket", {"name": "shop", "labels": {"Owner": "x"}}),
        ("google_storage_bucket", {"name": "shop", "labels": {f"l{one}": "x" for one in range(65)}}),
        ("google_pubsub_schema", {"name": "rollback", "definition": "message A {\n}\nmessage B {\n}\n"}),
        ("google_project_iam_custom_role", {**ROLE, "permissions": ["datastore.indexes.list"]}),
        ("google_project_iam_custom_role", {**ROLE, "role_id": "rollback-work"}),
        ("google_project_iam_binding", {"condition": [{**GRANT, "expression": " || ".join("x" * 14)}]}),
        ("google_project_iam_binding", {"condition": [{**GRANT, "title": "t" * 101}]}),
        ("google_project_iam_binding", {"members": [f"user:{one}@example.com" for one in range(1501)]}),
        ("google_monitoring_alert_policy", {**ALERT, "conditions": [{}] * 7}),
        (
            "google_monitoring_alert_policy",
            {**ALERT, "conditions": [{"condition_threshold": [{"filter": "f" * 2049}]}]},
        ),
        ("google_monitoring_alert_policy", {**ALERT, "documentation": [{"content": "x" * 8193}]}),
        ("google_monitoring_custom_service", {"service_id": "rollback-my_shop"}),
        ("google_monitoring_slo", {"slo_id": "probe site"}),
        ("google_logging_metric", {"name": "errors", "filter": "f" * 20_001}),
        (
            "google_cloudfunctions2_function",
            {"name": "work", "service_config": [{**FUNCTION, "environment_variables": {"A": "a" * 32_768}}]},
        ),
        (
            "google_cloudfunctions2_function",
            {"name": "work", "service_config": [{**FUNCTION, "timeout_seconds": 3601}]},
        ),
    ],
)
def test_a_breach_is_found(kind: str, values: dict[str, Any]) -> None:
    """Whatever Google would refuse at the first apply."""
    assert len(breaches([Planned("one", kind, values)])) == 1


def test_too_many_of_a_kind_are_found() -> None:
    """By default a project takes a hundred accounts."""
    several = [
        Planned("one", "google_service_account", {"project": "shop", "account_id": f"account-{number}"})
        for number in range(101)
    ]

    assert breaches(several) == ["shop: 101 of google_service_account, at most 100"]
