"""What every Estate does when something is to go back, in memory and over the wire."""

from collections.abc import Callable, Iterator
from contextlib import closing

import msgspec
import pytest
from msgspec.structs import replace

from local.cloud import Cloud
from local.faults import plan as fault_plan
from local.services.firebase import hosting, identity, remote_config, rules
from shared.adapters.gcp.clients import Clients
from shared.adapters.gcp.resources import CloudResources
from shared.core.codec import from_json
from shared.core.errors import Ambiguous, Exists, Moved, Rejected, RollbackError, Throttled
from shared.domain.deployments.inventory.inventory_parts import IndexField, RulesFile
from shared.ports.resources import ProtectedResources
from tests.contracts.support.lost_answers import raises_exactly
from tests.contracts.support.resources import INDEX, NAME, RELEASE, SITE, TEMPLATE, EstateWorld, site_of
from tests.contracts.support.shop import PROJECT, REGION
from tests.local.support.rest import Product, running

SOURCE = (RulesFile("firestore.rules", "service cloud.firestore { }"),)


def live(world: EstateWorld, channel: str = "live") -> str:
    site = site_of(world.estate)
    return site.version if channel == "live" else site.channels[channel]


def test_a_version_that_is_released_again(world: EstateWorld) -> None:
    """Its channel serves it, and no other channel does."""
    first, preview = live(world), world.release("next")
    second = world.release()

    world.estate.hosting.release(SITE, "live", first, "a test")

    assert (live(world), live(world, "next")) == (first, preview)
    world.estate.hosting.release(SITE, "next", second, "a test")
    assert (live(world), live(world, "next")) == (first, second)


def test_a_version_that_is_live_already(world: EstateWorld) -> None:
    """It is refused as what moved: the next look tells that it is where it should be."""
    with pytest.raises(Moved):
        world.estate.hosting.release(SITE, "live", live(world), "a test")


def test_a_version_that_is_deleted(world: EstateWorld) -> None:
    """Its status says so, and it cannot be released."""
    first = live(world)
    second = world.release()
    assert world.estate.hosting.version(SITE, first) == "FINALIZED"

    world.expire(first)

    assert world.estate.hosting.version(SITE, first) == "DELETED"
    with pytest.raises(Moved):
        world.estate.hosting.release(SITE, "live", first, "a test")
    assert live(world) == second


def test_a_version_that_is_not_there(world: EstateWorld) -> None:
    """It has no status, and cannot be released."""
    assert world.estate.hosting.version(SITE, "none") is None
    with pytest.raises(Rejected):
        world.estate.hosting.release(SITE, "live", "none", "a test")


def test_a_template_that_is_published_again(world: EstateWorld) -> None:
    """It says the same as before, as a version of its own."""
    world.publish("red")
    red = world.estate.remote_config.template()
    world.publish("blue")
    blue = world.estate.remote_config.template()
    assert from_json(red.content) == from_json(TEMPLATE % "red")

    world.estate.remote_config.publish(red.content, blue.etag)

    again = world.estate.remote_config.template()
    assert (again.hash, again.content) == (red.hash, red.content)
    assert again.etag not in (red.etag, blue.etag)


@pytest.mark.parametrize(("etag", "meaning"), [("old", Moved), ("*", Rejected), ("", Rejected)])
def test_a_template_over_another_one(world: EstateWorld, etag: str, meaning: type[RollbackError]) -> None:
    """What somebody published meanwhile is not overwritten, and nobody may ask for that."""
    stale = world.estate.remote_config.template()
    world.publish("red")
    before = world.estate.remote_config.template()

    with pytest.raises(meaning):
        world.estate.remote_config.publish(stale.content, stale.etag if etag == "old" else etag)

    assert world.estate.remote_config.template() == before


def test_a_template_that_is_only_validated(world: EstateWorld) -> None:
    """A dry run publishes nothing, and sees a stale etag."""
    before = world.estate.remote_config.template()

    world.estate.remote_config.publish(TEMPLATE % "red", before.etag, dry_run=True)

    assert world.estate.remote_config.template() == before
    world.publish("blue")
    with pytest.raises(Moved):
        world.estate.remote_config.publish(TEMPLATE % "red", before.etag, dry_run=True)


def test_a_ruleset_that_is_in_force_again(world: EstateWorld) -> None:
    """The release leads to it, and what it says can be read."""
    first = world.estate.rules.releases()[RELEASE].ruleset
    world.put_rules()
    assert world.estate.rules.ruleset(first)

    world.estate.rules.enforce(RELEASE, first)

    assert world.estate.rules.releases()[RELEASE].ruleset == first


def test_a_ruleset_that_was_deleted(world: EstateWorld) -> None:
    """It cannot be released; another is made from our copy, and says the same."""
    first = world.estate.rules.releases()[RELEASE].ruleset
    world.put_rules()
    copy = world.estate.rules.ruleset(first)
    assert copy is not None
    world.delete_ruleset(first)
    assert world.estate.rules.ruleset(first) is None
    with pytest.raises(Rejected):
        world.estate.rules.enforce(RELEASE, first)

    made = world.estate.rules.create_ruleset(copy)

    assert world.estate.rules.releases()[RELEASE].ruleset != made
    world.estate.rules.enforce(RELEASE, made)
    assert world.estate.rules.releases()[RELEASE].ruleset == made
    assert world.estate.rules.ruleset(made) == copy


def test_a_release_that_is_not_there(world: EstateWorld) -> None:
    """It cannot be changed; it can be made, once."""
    ruleset = world.estate.rules.create_ruleset(SOURCE)
    with pytest.raises(Rejected):
        world.estate.rules.enforce("cloud.firestore/other", ruleset)

    world.estate.rules.enforce("cloud.firestore/other", ruleset, new=True)

    assert world.estate.rules.releases()["cloud.firestore/other"].ruleset == ruleset
    with pytest.raises(Exists):
        world.estate.rules.enforce("cloud.firestore/other", ruleset, new=True)


def test_settings_that_are_set(world: EstateWorld) -> None:
    """These change, one that had not been set is cleared, and nothing else is touched."""
    before = world.estate.identity.settings()
    world.estate.identity.configure(
        {"mfa.state": "ENABLED", "smsRegionConfig": {"allowByDefault": {"disallowedRegions": []}}}
    )
    changed = world.estate.identity.settings()
    assert changed["mfa.state"] == "ENABLED"
    assert changed["smsRegionConfig.allowByDefault.disallowedRegions"] == []

    world.estate.identity.configure({"mfa.state": "DISABLED", "smsRegionConfig": None})

    assert world.estate.identity.settings() == before


@pytest.mark.parametrize("path", ["nonsense", "signIn.hashConfig.signerKey", "client.apiKey", "name", ""])
def test_settings_that_are_not_taken(world: EstateWorld, path: str) -> None:
    """Unknown paths, secrets and an empty mask change nothing at all."""
    before = world.estate.identity.settings()
    changes = {path: "x", "mfa.state": "ENABLED"} if path else {}

    with pytest.raises(Rejected):
        world.estate.identity.configure(changes)

    assert world.estate.identity.settings() == before


def test_sessions_that_end(world: EstateWorld) -> None:
    """Person by person, page by page; again it changes nothing, and nobody else is touched."""
    people = [f"person-{number:03d}" for number in range(60)]
    world.sign_up(*people)
    sessions, now = world.estate.sessions, world.now()
    first = sessions.people("", now)
    second = sessions.people(first.cursor, now)
    assert ([*first.older, *second.older], second.cursor) == (people, "")

    for one in first.older:
        sessions.end(one, now)
        sessions.end(one, now)

    assert sessions.people("", now).older == ()
    assert sessions.people(first.cursor, now) == second
    with pytest.raises(Rejected):
        sessions.end("nobody", now)


def test_an_index_that_is_made_again(world: EstateWorld) -> None:
    """It has the definition that it had; it cannot be made twice."""
    made = replace(INDEX, fields=(*INDEX.fields, NAME))

    assert world.estate.indexes.create(made)

    assert world.estate.indexes.of("orders") == {made.definition: made}
    with pytest.raises(Exists):
        world.estate.indexes.create(made)


def test_an_index_of_a_kind_that_is_not_known(world: EstateWorld) -> None:
    """It is not guessed at."""
    vector = replace(INDEX, fields=(*INDEX.fields, IndexField("v", "vector_config dimension: 3")))

    with pytest.raises(Rejected):
        world.estate.indexes.create(vector)

    assert world.estate.indexes.of("orders") == {}


# What only the wire has

Effect = Callable[[ProtectedResources], object]


def published(estate: ProtectedResources) -> None:
    estate.remote_config.publish(TEMPLATE % "red", estate.remote_config.template().etag)


EFFECTS: tuple[tuple[str, Effect], ...] = (
    (f"{remote_config.HOST}/projects.updateRemoteConfig", published),
    (f"{rules.HOST}/projects.rulesets.create", lambda one: one.rules.create_ruleset(SOURCE)),
    (
        f"{rules.HOST}/projects.releases.patch",
        lambda one: one.rules.enforce(RELEASE, one.rules.releases()[RELEASE].ruleset),
    ),
    (f"{identity.HOST}/projects.updateConfig", lambda one: one.identity.configure({"mfa.state": "ENABLED"})),
    (
        f"{hosting.HOST}/sites.channels.releases.create",
        lambda one: one.hosting.release("shop", "live", "none", "a test"),
    ),
)


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    with running() as cloud:
        yield cloud


@pytest.fixture
def estate(cloud: Cloud) -> Iterator[CloudResources]:
    with closing(Clients(cloud.addresses, deployed=False)) as clients:
        yield CloudResources(clients, PROJECT, REGION)


def plan_faults(cloud: Cloud, *calls: object) -> None:
    cloud.injector.install(fault_plan.parse_plan(msgspec.json.encode({"calls": calls})))


@pytest.mark.parametrize(
    ("answer", "meaning"),
    [
        ("DROP", Ambiguous),
        ("UNAVAILABLE", Ambiguous),
        ("DEADLINE_EXCEEDED", Ambiguous),
        ("RESOURCE_EXHAUSTED", Throttled),
        ("PERMISSION_DENIED", Rejected),
        ("UNAUTHENTICATED", Rejected),
    ],
)
@pytest.mark.parametrize(("call", "effect"), EFFECTS)
def test_an_effect_that_gets_a_bad_answer(
    cloud: Cloud, estate: CloudResources, call: str, effect: Effect, answer: str, meaning: type[RollbackError]
) -> None:
    """It is sent once, whatever comes back; without an answer it may have taken effect."""
    plan_faults(cloud, {"call": call, "answer": answer, "times": 1})

    with raises_exactly(meaning):
        effect(estate)


@pytest.mark.parametrize("effect", [call for call in EFFECTS if rules.HOST in call[0]])
def test_rules_that_somebody_writes_at_once(
    cloud: Cloud, estate: CloudResources, effect: tuple[str, Effect]
) -> None:
    """A conflict (409) changed nothing: it is sent again after a look."""
    plan_faults(cloud, {"call": effect[0], "answer": "ABORTED", "times": 1})
    before = estate.rules.releases()

    with pytest.raises(Throttled):
        effect[1](estate)

    assert estate.rules.releases() == before
    effect[1](estate)


def test_an_effect_whose_answer_is_lost(cloud: Cloud, estate: CloudResources) -> None:
    """It may have taken effect, and has; only a look can tell."""
    calls = {
        identity.HOST: "projects.updateConfig",
        rules.HOST: "projects.releases.patch",
        hosting.HOST: "sites.channels.releases.create",
    }
    lost = [
        {"call": f"{host}/{call}", "answer": "DROP", "when": "after", "times": 1}
        for host, call in calls.items()
    ]
    product = Product(cloud, hosting.HOST)
    version = str(product.done("POST", f"/v1beta1/sites/{SITE}/versions", {})["name"])
    path = f"/v1beta1/{version}?updateMask=status"
    product.done("PATCH", path, {"status": "FINALIZED"})
    plan_faults(cloud, *lost)
    ruleset = estate.rules.create_ruleset(SOURCE)

    with pytest.raises(Ambiguous):
        estate.identity.configure({"mfa.state": "MANDATORY"})
    with pytest.raises(Ambiguous):
        estate.rules.enforce(RELEASE, ruleset)
    with pytest.raises(Ambiguous):
        estate.hosting.release(SITE, "live", version.rpartition("/")[2], "a test")

    assert site_of(estate).version == version.rpartition("/")[2]
    assert estate.identity.settings()["mfa.state"] == "MANDATORY"
    assert estate.rules.releases()[RELEASE].ruleset == ruleset
