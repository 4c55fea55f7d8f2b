"""What every Estate keeps, in memory and over the wire."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from msgspec.structs import replace

from tests.contracts.estates import (
    ACCOUNT,
    INDEX,
    JOB,
    NAME,
    RELEASE,
    SECRET,
    SITE,
    EstateWorld,
    InMemory,
    embedded,
)


@pytest.fixture(params=["memory", "wire"])
def world(request: pytest.FixtureRequest) -> Iterator[EstateWorld]:
    """A fresh world for each test."""
    if request.param == "memory":
        yield InMemory()
        return
    with embedded() as cloud:
        yield cloud


def test_a_site_follows_its_releases(world: EstateWorld) -> None:
    """What is live is the version that was released last, and since when; it may come back."""
    site = world.estate.hosting.site(SITE)
    assert site is not None
    assert site.channels == {}
    world.advance(60)

    version = world.release()

    after = world.estate.hosting.site(SITE)
    assert after is not None
    assert (after.version, after.released_at) == (version, world.now())
    world.advance(60)
    world.release_again(site.version)
    back = world.estate.hosting.site(SITE)
    assert back == replace(site, released_at=world.now())


def test_a_preview_channel(world: EstateWorld) -> None:
    """It has a version of its own, and leaves the live one alone."""
    before = world.estate.hosting.site(SITE)
    assert before is not None

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


def test_versions_of_a_secret(world: EstateWorld) -> None:
    """Each has a state and the time of its making; a secret that is gone has none."""
    world.advance(60)
    world.add_version()
    world.disable("1")

    versions = world.estate.secrets.versions(SECRET)

    assert world.estate.secrets.names() == [SECRET]
    assert {number: one.state for number, one in versions.items()} == {
        "1": "DISABLED",
        "2": "ENABLED",
    }
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


def test_the_roles_of_an_account(world: EstateWorld) -> None:
    """They come in order, each with its condition."""
    assert ACCOUNT not in world.estate.accounts.roles()

    world.grant("roles/viewer")
    world.grant("roles/editor", "request.time < timestamp('2027-01-01T00:00:00Z')")

    assert world.estate.accounts.roles()[ACCOUNT] == (
        "roles/editor if request.time < timestamp('2027-01-01T00:00:00Z')",
        "roles/viewer",
    )
