"""What must outlive the trouble: state, backups, heads, secrets, and the clock."""

import re
from pathlib import Path

import pytest

from shared.core import topics
from tests.terraform.checks import operations_project
from tests.terraform.conftest import TERRAFORM
from tests.terraform.evaluator.evaluator import Configuration
from tests.terraform.module.minimal_variables import smallest_module

DAY = 86400
SCHEDULE = "google_firestore_backup_schedule"
API_OF = {
    "cloudconfig": "firebaseremoteconfig",
    "cloudmessaging": "fcm",
    "datastore": "firestore",
    "firebaseauth": "identitytoolkit",
}
"""Where the first word of a permission is not the name of its API."""
BEFORE = {"resourcemanager", "serviceusage"}
"""Switched on by hand, because a plan and an apply need them themselves."""


def schedules(configuration: Configuration) -> dict[tuple[str, str], dict[str, int]]:
    """The days for which each recurrence keeps a backup, by project and database."""
    found: dict[tuple[str, str], dict[str, int]] = {}
    for one in configuration.of(SCHEDULE):
        [recurrence] = [kind for kind in one.values if kind.endswith("_recurrence")]
        kept = found.setdefault((one.values["project"], one.values["database"]), {})
        assert recurrence not in kept  # Firestore takes one of each
        kept[recurrence] = int(one.values["retention"].removesuffix("s")) // DAY
    return found


def test_the_state_outlives_a_region_a_mistake_and_a_destroy(example: Configuration) -> None:
    """It lies in several regions, can be read as it was, is not deleted, and has two schedules."""
    state = example.named("google_firestore_database.state").values

    assert re.fullmatch(r"nam\d|eur\d", state["location_id"])
    assert state["type"] == "FIRESTORE_NATIVE"
    assert state["point_in_time_recovery_enablement"] == "POINT_IN_TIME_RECOVERY_ENABLED"
    assert state["delete_protection_state"] == "DELETE_PROTECTION_ENABLED"
    assert state["deletion_policy"] == "ABANDON"
    assert schedules(example)[state["project"], state["name"]] == {
        "daily_recurrence": 7,
        "weekly_recurrence": 98,
    }


def test_an_application_s_data_can_be_gone_back_to(two_projects: Configuration) -> None:
    """Each database has the schedules that were asked for; an adopted one can be read as it was."""
    state = two_projects.named("google_firestore_database.state").values
    found = schedules(two_projects)
    del found[state["project"], state["name"]]
    adopted = two_projects.named('google_firestore_database.applications["bookshop"]').values

    assert found == {
        ("bookshop-prod", "(default)"): {"daily_recurrence": 7},
        ("cvplus", "(default)"): {"daily_recurrence": 7, "weekly_recurrence": 98},
    }
    assert adopted["project"] == "bookshop-prod"
    assert adopted["point_in_time_recovery_enablement"] == "POINT_IN_TIME_RECOVERY_ENABLED"


@pytest.mark.parametrize("locked", [None, True])
def test_heads_cannot_be_removed_before_their_time(locked: bool | None) -> None:
    """Whether even that may be changed is a variable, and open until somebody closes it."""
    bucket = {"location": "EU", "retention_days": 90, "locked": locked}

    made = smallest_module(audit_bucket=bucket)

    [policy] = made.named('google_storage_bucket.audit["audit"]').values["retention_policy"]
    assert policy == {"retention_period": str(90 * DAY), "is_locked": locked is True}


def test_exports_lie_on_two_continents_each_under_its_key(two_projects: Configuration) -> None:
    """What one continent, or who holds one key, loses is there once more."""
    found = {
        one.key: (one.values["location"], one.values["encryption"][0]["default_kms_key_name"])
        for one in two_projects.of("google_storage_bucket", name="exports")
    }

    places = {key: (place, re.findall("locations/([^/]+)", name)) for key, (place, name) in found.items()}
    assert places == {"bookshop": ("EU", ["europe"]), "bookshop-second": ("US", ["us"])}


def test_exports_lie_in_two_regions_under_one_key() -> None:
    """What one region loses the other has; the key lies in their continent."""
    key = "projects/keys/locations/us/keyRings/rollback/cryptoKeys/exports"
    dual = {"database_location": "us-central1", "dual_region": ["us-central1", "us-east1"], "kms_key": key}

    made = smallest_module(exports={"cvplus": dual})

    bucket = made.named('google_storage_bucket.exports["cvplus"]').values
    assert bucket["location"] == "US"
    assert bucket["custom_placement_config"] == [{"data_locations": ["US-CENTRAL1", "US-EAST1"]}]
    assert bucket["encryption"] == [{"default_kms_key_name": key}]


def test_a_secret_has_no_value(example: Configuration) -> None:
    """Neither the configuration nor the state ever holds one."""
    secrets = example.of("google_secret_manager_secret")

    assert all(one.values["deletion_protection"] is True for one in secrets)
    assert example.of("google_secret_manager_secret_version") == []
    assert not [file.name for file in TERRAFORM.glob("**/*.tf") if "secret_data" in file.read_text()]


def test_the_clock_ticks_each_minute_from_two_regions(example: Configuration) -> None:
    """One region may be down, and the responders still wake."""
    ticks = [one.values for one in example.of("google_cloud_scheduler_job", name="clock")]

    assert len({one["region"] for one in ticks}) == len(ticks) == 2
    assert {one["schedule"] for one in ticks} == {"* * * * *"}
    clock = f"projects/{operations_project(example)}/topics/{topics.CLOCK}"
    assert [target["topic_name"] for one in ticks for target in one["pubsub_target"]] == [clock] * 2


@pytest.mark.parametrize(
    ("said", "api"),
    [
        ("backups: { native: true }", "firestore"),
        ("channels: [{ name: users, kind: push, target: outages }]", "fcm"),
    ],
)
def test_an_application_has_the_api_of_what_is_done_for_it(said: str, api: str, tmp_path: Path) -> None:
    """Its policy names it, though not among what a deployment changes."""
    policy = tmp_path / "bare.yaml"
    policy.write_text(
        "system: bare\nproject: bare-bones\nregion: europe-west1\nsignals: {}\n"
        f"groups: {{ all: {{ functions: [readIt] }} }}\n{said}\n"
    )

    made = smallest_module(policies=[str(policy)])

    on = {one.values["service"] for one in made.of("google_project_service")
          if one.values["project"] == "bare-bones"}  # fmt: skip
    assert f"{api}.googleapis.com" in on


def test_whatever_a_role_allows_has_its_api(example: Configuration) -> None:
    """A request is counted where its account lives: there its API must be on."""
    roles = example.of("google_project_iam_custom_role")
    asked = {permission.partition(".")[0] for one in roles for permission in one.values["permissions"]}
    on = {
        one.values["service"].removesuffix(".googleapis.com")
        for one in example.of("google_project_service", name="operations")
    }

    assert {API_OF.get(one, one) for one in asked} - BEFORE - on == set()
