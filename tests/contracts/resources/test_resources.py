"""What every Estate keeps, in memory and over the wire."""

from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from local.application.application import INITIAL_AGE
from shared.adapters.gcp.project.service_accounts import account_project
from shared.core.errors import Gone, Unavailable
from shared.domain.data.events.document_triggers import EventarcTrigger
from shared.domain.data.ttl import TtlField
from shared.domain.deployments.images import Cleanup, CleanupCondition, CleanupPolicy, StoredImage
from shared.domain.deployments.inventory.inventory_parts import AccountState, Generation
from tests.contracts.support.resources import (
    ACCOUNT,
    IMAGE,
    INDEX,
    JOB,
    NAME,
    PARENT,
    RELEASE,
    REPOSITORY,
    SECRET,
    SITE,
    EstateWorld,
    site_of,
)


def test_a_site_follows_its_releases(world: EstateWorld) -> None:
    """What is live is the version that was released last, and since when; it may come back."""
    site = site_of(world.estate)
    assert site.channels == {}
    world.advance(60)

    version = world.release()

    after = site_of(world.estate)
    assert (after.version, after.released_at) == (version, world.now())
    world.advance(60)
    world.release_again(site.version)
    back = world.estate.hosting.site(SITE)
    assert back == replace(site, released_at=world.now())


def test_a_preview_channel(world: EstateWorld) -> None:
    """It has a version of its own, and leaves the live one alone."""
    before = site_of(world.estate)

    version = world.release("next")

    assert world.estate.hosting.site(SITE) == replace(before, channels={"next": version})


def test_a_site_that_is_not_there(world: EstateWorld) -> None:
    """It is None, which is an answer."""
    assert world.estate.hosting.site("none") is None


def test_a_template_follows_its_publications(world: EstateWorld) -> None:
    """Version and etag change with every publication, the hash with what it says."""
    first = world.estate.remote_config.template()
    world.publish("red")
    second = world.estate.remote_config.template()
    world.publish("red")
    third = world.estate.remote_config.template()

    assert [one.version for one in (first, second, third)] == ["1", "2", "3"]
    assert len({one.etag for one in (first, second, third)}) == 3
    assert first.hash != second.hash == third.hash


def test_a_release_of_rules(world: EstateWorld) -> None:
    """It names the ruleset in force, and since when."""
    before = world.estate.rules.releases()
    world.advance(60)

    world.put_rules()

    after = world.estate.rules.releases()
    assert set(before) == set(after) == {RELEASE}
    assert before[RELEASE].ruleset != after[RELEASE].ruleset
    assert after[RELEASE].updated_at == world.now()


def test_a_change_of_the_identity_configuration(world: EstateWorld) -> None:
    """One setting changes, the others stay; no secret is among them."""
    before = world.estate.identity.settings()

    world.configure("ENABLED")

    after = world.estate.identity.settings()
    assert before["mfa.state"] == "DISABLED"
    assert after == {**before, "mfa.state": "ENABLED"}
    secret = ("password", "signerKey", "saltSeparator", "apiKey")
    assert not [path for path in after if path.endswith(secret)]


def test_an_index_of_one_database(world: EstateWorld) -> None:
    """It is listed with the database that it is in, by its definition."""
    assert world.estate.indexes.of("orders") == {}

    world.create_index()

    made = replace(INDEX, fields=(*INDEX.fields, NAME))
    assert world.estate.indexes.of("orders") == {made.definition: made}
    assert world.estate.indexes.of("(default)") == {}


def test_by_what_documents_expire(world: EstateWorld) -> None:
    """One field of each collection group of a database, whatever its name, and how long after."""
    assert world.estate.indexes.expiries("orders") == []
    sessions = TtlField("sessions", ("a.b`c", "until"), timedelta(days=3))

    world.let_expire("orders", sessions)
    world.let_expire("orders", TtlField("carts", ("until",)))

    assert world.estate.indexes.expiries("orders") == [TtlField("carts", ("until",)), sessions]
    assert world.estate.indexes.expiries("(default)") == []


def test_versions_of_a_secret(world: EstateWorld) -> None:
    """Each has a state and the time of its making; a secret that is gone has none."""
    world.advance(60)
    world.add_version()
    world.disable("1")

    versions = world.estate.secrets.versions(SECRET)

    assert world.estate.secrets.names() == [SECRET]
    assert {number: one.state for number, one in versions.items()} == {"1": "DISABLED", "2": "ENABLED"}
    assert versions["2"].created_at == world.now() > versions["1"].created_at
    assert world.estate.secrets.versions("NONE") == {}


def test_a_job_that_is_paused(world: EstateWorld) -> None:
    """Its state changes, and nothing else of it."""
    before = world.estate.schedules.jobs()

    world.pause()

    assert set(before) == {JOB}
    assert before[JOB].schedule == "0 3 * * * Etc/UTC"
    assert before[JOB].target == "https://shop.example/nightly"
    assert before[JOB].state == "ENABLED"
    assert world.estate.schedules.jobs() == {JOB: replace(before[JOB], state="PAUSED")}


HEARD = {"type": "google.cloud.firestore.document.v1.written", "database": "(default)"}
DESTINATIONS: list[tuple[str, str, dict[str, Any]]] = [
    ("europe-west1", "workflow bill", {"workflow": f"{PARENT}/europe-west1/workflows/bill"}),
    ("eur3", "service mailer", {"cloudRun": {"service": "mailer", "region": "europe-west1"}}),
    ("global", "GKE service shop/stock", {"gke": {"namespace": "shop", "service": "stock"}}),
    (
        *("us-east1", "endpoint mail.example"),
        {"httpEndpoint": {"uri": "https://me:pw@mail.example/hook/7?key=x"}, "networkConfig": {}},
    ),
]
"""Where a trigger lies, and what it starts: as we say it, and as Eventarc does."""


def test_every_trigger_wherever_it_lies(world: EstateWorld) -> None:
    """With what it starts, and by what it filters events."""
    assert world.estate.triggers.list_triggers() == []
    made = [
        EventarcTrigger(f"{PARENT}/{location}/triggers/t{number}", starts, {**HEARD, "document": "a/{b}"})
        for number, (location, starts, _) in enumerate(DESTINATIONS)
    ]
    for trigger, (_, _, destination) in zip(made, DESTINATIONS, strict=True):
        world.listen(trigger, destination)

    found = sorted(world.estate.triggers.list_triggers(), key=lambda one: one.name)
    assert found == sorted(made, key=lambda one: one.name)


def test_triggers_of_a_location_that_gives_no_answer(world: EstateWorld) -> None:
    """Those of the others are not all: nothing is known."""
    location, starts, destination = DESTINATIONS[0]
    world.listen(EventarcTrigger(f"{PARENT}/{location}/triggers/t", starts, HEARD), destination)
    world.silence("us-east1")

    with pytest.raises(Unavailable, match="us-east1"):
        world.estate.triggers.list_triggers()


def test_the_roles_of_an_account(world: EstateWorld) -> None:
    """They come in order, each with its condition."""
    assert ACCOUNT not in world.estate.accounts.roles()

    world.grant("roles/viewer")
    world.grant("roles/run.invoker", "request.time < timestamp('2027-01-01T00:00:00Z')")

    assert world.estate.accounts.roles()[ACCOUNT] == (
        "roles/run.invoker if request.time < timestamp('2027-01-01T00:00:00Z')",
        "roles/viewer",
    )
    grants = world.estate.accounts.grants()
    own = {role for role, members in grants.items() if f"serviceAccount:{ACCOUNT}" in members}
    assert own == {"roles/run.invoker", "roles/viewer"}


def test_the_permissions_of_a_custom_role(world: EstateWorld) -> None:
    """A deleted role has none, and one that never was is gone."""
    role = world.make_role("rollback_work", "run.services.get", "run.services.update")

    assert world.estate.accounts.permissions(role) == {"run.services.get", "run.services.update"}

    world.delete_role(role)
    assert world.estate.accounts.permissions(role) == frozenset()
    with pytest.raises(Gone):
        world.estate.accounts.permissions(f"{role}ing")


def test_an_account_that_is_disabled(world: EstateWorld) -> None:
    """It is told from one that is deleted, and from one that never was."""
    assert world.estate.accounts.state(ACCOUNT) is AccountState.ENABLED

    world.turn_off()
    off = world.estate.accounts.state(ACCOUNT)
    world.delete_account()

    assert off is AccountState.DISABLED
    assert world.estate.accounts.state(ACCOUNT) is AccountState.GONE
    assert world.estate.accounts.state("nobody@shop.iam.gserviceaccount.com") is AccountState.GONE


@pytest.mark.parametrize(
    ("account", "project"),
    [
        ("run@shop.iam.gserviceaccount.com", "shop"),
        ("run@shop.example.com.iam.gserviceaccount.com", "example.com:shop"),
        ("12-compute@developer.gserviceaccount.com", ""),
        ("shop@appspot.gserviceaccount.com", ""),
        ("", ""),
    ],
)
def test_where_an_account_was_made(account: str, project: str) -> None:
    """Its address tells, unless Google made it for the project that it is used in."""
    assert account_project(account) == project


def test_images_of_a_repository(world: EstateWorld) -> None:
    """Each is named as it is pulled, until it is deleted; a repository that is gone has none."""
    pushed_at = world.now() - INITIAL_AGE
    assert world.estate.images.list_images(REPOSITORY) == {IMAGE: StoredImage(IMAGE, pushed_at)}

    world.delete_image(IMAGE)

    assert world.estate.images.list_images(REPOSITORY) == {}
    assert world.estate.images.list_images(REPOSITORY + "-2") == {}


ONE_DAY: dict[str, Any] = {
    "id": "firebase-functions-cleanup",
    "condition": {"tagState": "ANY", "olderThan": "86400s"},
    "action": "DELETE",
}
"""What `firebase deploy --force` sets (firebase/firebase-tools src/functions/artifacts.ts)."""


def test_the_clean_up_policies_of_a_repository(world: EstateWorld) -> None:
    """None, some that delete and keep, some that are only tried, and none of no repository."""
    images = world.estate.images
    assert images.cleanup(REPOSITORY).policies == {}

    newest = {"action": "KEEP", "mostRecentVersions": {"keepCount": 30, "packageNamePrefixes": ["shop"]}}
    world.clean_up({"firebase-functions-cleanup": ONE_DAY, "newest": newest})

    assert images.cleanup(REPOSITORY).policies == {
        "firebase-functions-cleanup": CleanupPolicy("DELETE", CleanupCondition(older_than="86400s")),
        "newest": CleanupPolicy(
            "KEEP", most_recent_versions=CleanupCondition(keep_count=30, package_name_prefixes=("shop",))
        ),
    }
    world.clean_up({"firebase-functions-cleanup": ONE_DAY}, dry_run=True)
    assert images.cleanup(REPOSITORY).policies == {}
    assert images.cleanup(REPOSITORY + "-2") == Cleanup()


def test_a_runtime_that_is_decommissioned(world: EstateWorld) -> None:
    """It is offered to neither generation any more."""
    ours = {(one, "nodejs20") for one in Generation}
    assert ours <= world.estate.runtimes.list_runtimes()

    world.decommission()

    assert not ours & world.estate.runtimes.list_runtimes()
