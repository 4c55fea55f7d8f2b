from __future__ import annotations

from typing import Any

import pytest

from tests.terraform.conftest import TERRAFORM
from tests.terraform.evaluator import evaluated
from tests.terraform.values import Unevaluable

SMALLEST = {
    "operations_project": "example-operations",
    "policies": [str(TERRAFORM.parent / "policies" / "cvplus.yaml")],
    "region": "us-east1",
}


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("operations_project", "Example", "A project id"),
        ("policies", [], "At least one policy file"),
        ("policies", ["absent.yaml"], "each must exist"),
        ("region", "Europe", "A region"),
        ("state_location", "us-central1", "A multi-region"),
        ("clock_regions", ["us-east1", "us-east1"], "Two different regions"),
        ("command_publishers", ["allUsers"], "never allUsers"),
        ("deployment_publishers", ["allAuthenticatedUsers"], "never allUsers"),
        ("letter_keepers", ["oncall@example.com"], "IAM members"),
        ("override_publishers", ["serviceAccount:ci@p.iam.gserviceaccount.com"], "People"),
        ("identity_project", "People", "A project id"),
        ("labels", {"Owner": "operations"}, "Lower-case"),
        ("runtime_accounts", {"cvplus": ["somebody@example.com"]}, "service accounts"),
        ("runtime_accounts", {"bookshop": []}, "systems"),
        ("application_databases", {"bookshop": {}}, "systems"),
        ("application_databases", {"cvplus": {"daily_days": 99}}, "14 weeks"),
        ("application_databases", {"cvplus": {"weekly_weeks": 15}}, "14 weeks"),
        ("audit_bucket", {"location": "US", "retention_days": 0}, "retention_days"),
        ("exports", {"bookshop": {"location": "US"}}, "systems"),
        ("exports", {"cvplus": {"location": "US", "second": {"location": "us-east1"}}}, "contin"),
        ("secrets", {"with spaces": {"readers": []}}, "Names"),
        ("secrets", {"chat": {"readers": ["on_nothing"]}}, "entry points"),
    ],
)  # fmt: skip
def test_a_wrong_value_is_refused_with_what_would_be_right(
    name: str, value: Any, said: str
) -> None:
    """Before anything is made."""
    with pytest.raises(Unevaluable, match=said):
        evaluated(TERRAFORM, {**SMALLEST, name: value})


def test_traffic_that_is_held_is_warned_of() -> None:
    """A setting that is meant for an hour does not stay unnoticed."""
    always = evaluated(TERRAFORM, SMALLEST).warnings

    held = evaluated(TERRAFORM, {**SMALLEST, "hold_traffic": True}).warnings

    [warning] = set(held) - set(always)
    assert "get no traffic" in warning


def test_without_options_only_the_smallest_set_is_made() -> None:
    """No bucket but that of the sources, no secret, no second database, nobody's grant."""
    made = evaluated(TERRAFORM, SMALLEST)

    assert [one.name for one in made.of("google_storage_bucket")] == ["source"]
    assert [one.name for one in made.of("google_firestore_database")] == ["state"]
    assert made.of("google_secret_manager_secret", "google_project_iam_audit_config") == []
    assert not any(one.name in ("people", "replay") for one in made.resources)
