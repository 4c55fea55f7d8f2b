from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.terraform.conftest import TERRAFORM
from tests.terraform.evaluator.values import Unevaluable
from tests.terraform.module.minimal_variables import smallest_module
from tests.terraform.monitoring.plan import PAGER

ASKING = ["on_clock", "on_deployment", "on_work"]
PROBE = ("word", "key")
SIGN_IN = {"email": "probe@cvplus.com", "password_secret": "word", "api_key_secret": "key"}
CHAT = {"name": "chat", "kind": "apprise", "secret": "chat"}
KEY = "projects/keys/locations/{}/keyRings/rollback/cryptoKeys/key"

NOTICES = TERRAFORM.parent / "shared/domain/presentation/templates/notices"


def second(location: str, **more: str) -> dict[str, Any]:
    """Exports of a database in nam5 with a second bucket."""
    return {"cvplus": {"database_location": "nam5", "second": {"location": location, **more}}}


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("operations_project", "Example", "A project id"),
        ("policies", [], "At least one policy file"),
        ("policies", ["absent.yaml"], "each must exist"),
        ("region", "Europe", "A region"),
        ("state_location", "us-central1", "A multi-region"),
        ("clock_regions", ["us-east1", "us-east1"], "Two different regions"),
        ("clock_regions", ["us-east1", "us-east1", "us-west1"], "Two different regions"),
        ("clock_regions", ["us-east1", "US"], "Regions, such as"),
        ("viewers", ["allUsers"], "never allUsers"),
        ("state_readers", ["ci@example.com"], "IAM members"),
        ("status_page", "Europe", "A bucket's location"),
        ("status_page", "moon-east1", "A bucket's location"),
        ("state_kms_key", "state", "cryptoKeys/K"),
        ("state_kms_key", KEY.format("us-east1"), "us for nam5"),
        ("command_publishers", ["allUsers"], "never allUsers"),
        ("deployment_publishers", ["allAuthenticatedUsers"], "never allUsers"),
        ("letter_keepers", ["oncall@example.com"], "IAM members"),
        ("override_publishers", ["serviceAccount:ci-deploy@p.iam.gserviceaccount.com"], "People"),
        ("identity_project", "People", "A project id"),
        ("labels", {"Owner": "operations"}, "Lower-case"),
        ("runtime_accounts", {"cvplus": ["somebody@example.com"]}, "service accounts"),
        ("runtime_accounts", {"bookshop": []}, "systems"),
        ("application_databases", {"bookshop": {}}, "systems"),
        ("application_databases", {"cvplus": {"daily_days": 99}}, "14 weeks"),
        ("application_databases", {"cvplus": {"weekly_weeks": 15}}, "14 weeks"),
        ("application_databases", {"cvplus": {"adopt_location": "EU"}}, "where the database is"),
        ("application_images", {"bookshop": {}}, "systems"),
        ("application_images", {"cvplus": {"days": 0}}, "at least 1"),
        ("application_images", {"cvplus": {"newest": 0}}, "at least 1"),
        ("audit_bucket", {"location": "US", "retention_days": 0}, "retention_days"),
        ("audit_bucket", {"location": "Mars"}, "location is a bucket's"),
        ("audit_bucket", {"location": "EU", "kms_key": "audit"}, "cryptoKeys/K"),
        ("audit_bucket", {"location": "EU", "kms_key": KEY.format("us")}, "bucket's location"),
        ("exports", {"bookshop": {"database_location": "nam5"}}, "systems"),
        ("exports", {"cvplus": {"database_location": "US"}}, "where the database is"),
        ("exports", second("us-east1"), "another continent"),
        ("exports", second("northamerica-south1"), "another continent"),
        ("exports", second("Atlantis"), "second.location is a bucket's"),
        ("exports", {"cvplus": {"database_location": "nam5", "retention_days": 0}}, "1 to 3650"),
        (
            "exports",
            {"cvplus": {"database_location": "nam5", "kms_key": KEY.format("europe")}},
            "its bucket's location",
        ),
        (
            "exports",
            {"cvplus": {"database_location": "nam5", "kms_key": KEY.format("nam5")}},
            "its bucket's location",
        ),
        ("exports", second("EU", kms_key=KEY.format("us")), "its bucket's location"),
        ("kept", {"location": "Mars"}, "location is a bucket's"),
        ("kept", {"sources_kms_key": "sources"}, "cryptoKeys/K"),
        ("kept", {"sources_kms_key": KEY.format("us-central1")}, "buckets' location"),
        ("kept", {"location": "EU", "values_kms_key": KEY.format("us")}, "buckets' location"),
        ("templates", ["users.txt"], "must exist"),
        ("templates", [str(TERRAFORM / "README.md")], "by a name in"),
        ("secrets", {"with spaces": {"readers": []}}, "Names"),
        ("secrets", {"chat": {"readers": ["on_nothing"]}}, "entry points"),
    ],
)  # fmt: skip
def test_a_wrong_value_is_refused_with_what_would_be_right(name: str, value: Any, said: str) -> None:
    """Before anything is made."""
    with pytest.raises(Unevaluable, match=said):
        smallest_module(**{name: value})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("state_kms_key", KEY.format("us")),
        ("audit_bucket", {"location": "EU", "kms_key": KEY.format("europe")}),
        ("audit_bucket", {"location": "us-east1", "kms_key": KEY.format("us-east1")}),
        ("exports", second("EU", kms_key=KEY.format("europe"))),
        ("exports", {"cvplus": {"database_location": "us-east1"}}),
        ("exports", second("asia-east1")),
        ("kept", {"values_kms_key": KEY.format("us-east1")}),
        ("kept", {"location": "EU", "sources_kms_key": KEY.format("europe")}),
        ("templates", [str(NOTICES / "users.txt")]),
        ("status_page", "ASIA"),
        ("status_page", "me-west1"),
    ],
)  # fmt: skip
def test_a_right_value_is_taken(name: str, value: Any) -> None:
    """A validation that refuses too much would be lifted, and then refuse nothing."""
    assert smallest_module(**{name: value}).resources


def test_an_export_lies_where_its_database_is() -> None:
    """Firestore writes nowhere else, and both variables speak of one database."""
    wrong = {"application_databases": {"cvplus": {"adopt_location": "nam7"}}, "exports": second("EU")}

    with pytest.raises(Unevaluable, match="are of the same database"):
        smallest_module(**wrong)

    made = smallest_module(exports=second("EU"))
    buckets = made.of("google_storage_bucket", name="exports")
    places = {one.key: one.values["location"] for one in buckets}
    assert places == {"cvplus": "US", "cvplus-second": "EU"}


def test_traffic_that_is_held_is_warned_of() -> None:
    """A setting that is meant for an hour does not stay unnoticed."""
    always = smallest_module().warnings

    held = smallest_module(hold_traffic=True).warnings

    [warning] = set(held) - set(always)
    assert "get no traffic" in warning


@pytest.mark.parametrize(
    ("readers", "lacking"),
    [
        ({}, {"chat for on_notice"} | {f"{one} for {who}" for one in PROBE for who in ASKING}),
        ({"chat": ["on_notice"], "word": ASKING, "key": ["on_clock"]},
         {"key for on_deployment", "key for on_work"}),
        ({"chat": ["on_work"], "word": ASKING, "key": ASKING}, {"chat for on_notice"}),
        ({"chat": ["on_notice"], "word": ASKING, "key": ASKING}, set()),
        ({"chat": ["on_notice"], "word": ASKING, "key": ASKING, "other": []}, set()),
    ],
)  # fmt: skip
def test_a_secret_that_a_policy_names_must_be_read_by_whom_it_is_for(
    readers: dict[str, list[str]], lacking: set[str], tmp_path: Path
) -> None:
    """A channel or a probe without it does nothing, so a plan warns of it."""
    policy = yaml.safe_load((TERRAFORM.parent / "policies" / "cvplus.yaml").read_text())
    policy["channels"] = [{"name": "record", "kind": "recording"}, CHAT]
    policy["probes"] = [
        *(one for one in policy["probes"] if "sign_in" not in one),
        {"name": "known", "sign_in": SIGN_IN, "signal": "authentication_failure"},
        {"name": "verified", "sign_in": SIGN_IN},
    ]
    file = tmp_path / "policy.yaml"
    file.write_text(yaml.safe_dump(policy))
    secrets = {name: {"readers": several} for name, several in readers.items()}
    given = {"pager_channels": PAGER, "policies": [str(file)], "secrets": secrets}

    warnings = smallest_module(**given).warnings

    named = [said.partition(": ")[2].partition(". A channel")[0] for said in warnings]
    assert {pair for one in named for pair in one.split(", ")} == lacking


def test_findings_are_told_of_where_a_policy_takes_them_for_a_breach(tmp_path: Path) -> None:
    """Those of its classes and severities, on the topic of the alerts, by their own agent alone."""
    policy = yaml.safe_load((TERRAFORM.parent / "policies" / "cvplus.yaml").read_text())
    file = tmp_path / "policy.yaml"
    file.write_text(yaml.safe_dump({**policy, "findings": {"severities": ["CRITICAL", "HIGH"]}}))

    made = smallest_module(policies=[str(file)])

    [config] = made.of("google_scc_v2_project_notification_config")
    assert config.values["pubsub_topic"].endswith("/topics/rollback-alerts")
    [streaming] = config.values["streaming_config"]
    assert streaming["filter"] == ('(finding_class="THREAT") AND (severity="CRITICAL" OR severity="HIGH")')
    [grant] = made.of("google_pubsub_topic_iam_member", name="findings")
    assert grant.values["member"].endswith("@gcp-sa-scc-notification.iam.gserviceaccount.com")
    assert "securitycenter.googleapis.com" in {
        one.values["service"] for one in made.of("google_project_service")
    }
    together = smallest_module(operations_project="cvplus", policies=[str(file)])
    assert "securitycenter.googleapis.com" in {
        one.values["service"] for one in together.of("google_project_service")
    }
    bare = smallest_module()
    assert bare.of("google_scc_v2_project_notification_config") == []


def test_without_options_only_the_smallest_set_is_made() -> None:
    """No bucket but of sources, policies and repairs, no secret, no second database, no grant."""
    made = smallest_module()

    assert [one.name for one in made.of("google_storage_bucket")] == [
        *("kept", "kept", "quarantine", "policies", "source")
    ]
    assert [one.name for one in made.of("google_firestore_database")] == ["state"]
    assert made.of("google_secret_manager_secret", "google_project_iam_audit_config") == []
    assert not any(
        one.name in ("override", "replayed_alerts", "state_readers", "viewers") for one in made.resources
    )


@pytest.mark.parametrize(
    ("name", "is_taken"),
    [("users.de.txt", True), ("users.pt-br.txt", True), ("users.DE.txt", False), ("others.de.txt", False)],
)
def test_a_text_in_a_language(name: str, is_taken: bool, tmp_path: Path) -> None:
    """By the name of one of our texts, with a language before its ending."""
    (tmp_path / name).write_text("x")
    templates = [str(tmp_path / name)]

    if is_taken:
        assert smallest_module(templates=templates).resources
    else:
        with pytest.raises(Unevaluable, match="with a language before"):
            smallest_module(templates=templates)
