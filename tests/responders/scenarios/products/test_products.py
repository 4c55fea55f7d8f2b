import zlib
from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from responders.scenarios.products.hosting import versions_to_check
from responders.scenarios.products.registry import portion_of
from responders.scenarios.resource_plan import Portion, ResourceState, Statuses
from shared.core.codec import from_builtins
from shared.domain.deployments.inventory.inventory_parts import (
    FunctionState,
    Generation,
    HostingSite,
    Index,
    IndexField,
    RemoteConfigTemplate,
    RulesFile,
    RulesRelease,
    WholeInventory,
)
from shared.domain.deployments.inventory.products import InventoryPart
from tests.support.fakes.runtime.clock import START

WITHIN = timedelta(minutes=5)
SHOP = HostingSite("v1", START, {"next": "p1"})
THEN = WholeInventory(sites={"shop": SHOP})


def site(version: str, **channels: str) -> WholeInventory:
    return WholeInventory(sites={"shop": HostingSite(version, START, channels or {"next": "p1"})})


@pytest.mark.parametrize(
    ("live", "statuses", "steps", "said"),
    [
        (site("v1"), {}, [], ""),
        (site("v2"), {("shop", "v1"): "FINALIZED"}, ["release shop"], ""),
        (site("v2"), {("shop", "v1"): "EXPIRED"}, [], "v1 is EXPIRED"),
        (site("v2"), {("shop", "v1"): None}, [], "v1 is gone"),
        (site("v2"), {}, [], "cannot be read"),
        (site("v1", next="p2"), {("shop", "p1"): "FINALIZED"}, ["release shop (next)"], ""),
        (site("v1", next="p1", more="p3"), {}, [], "shop (more) was created later"),
        (site("v1", more="p3"), {}, [], "shop (next): it was deleted later"),
        (site(""), {("shop", "v1"): "FINALIZED"}, [], "perhaps because a person disabled it"),
        (WholeInventory(sites={}), {}, [], "it was deleted later"),
        (WholeInventory(sites=None), {}, [], "sites cannot be read now"),
    ],
)
def test_what_hosting_adds(live: WholeInventory, statuses: Statuses, steps: list[str], said: str) -> None:
    """Each channel that serves something else goes back to a version that is there to release."""
    made = portion_of(InventoryPart.SITES, ResourceState(THEN, live, statuses), WITHIN)

    assert [one.name for one in made.steps] == steps
    assert bool(made.reported) is bool(said)
    assert said in "\n".join(made.reported)


def test_which_versions_must_be_looked_at() -> None:
    """Those that a plan would release, and no others."""
    assert versions_to_check(THEN, site("v2")) == {("shop", "v1")}
    assert versions_to_check(THEN, site("v1")) == set()
    assert versions_to_check(THEN, WholeInventory(sites={})) == set()
    assert versions_to_check(THEN, WholeInventory()) == set()


def template(colour: str, content: str = "{}") -> WholeInventory:
    published = RemoteConfigTemplate("7", f"etag-{colour}", colour, content)
    return WholeInventory(remote_config={"firebase": published})


@pytest.mark.parametrize(
    ("recorded", "live", "steps", "said"),
    [
        (template("red"), template("red"), 0, ""),
        (template("red"), template("blue"), 1, "their cache"),
        (template("red", ""), template("blue"), 0, "version 7 is too large to be stored"),
        (template("red"), WholeInventory(), 0, "cannot be read now"),
        (WholeInventory(), template("blue"), 0, "was not recorded at that time"),
        (WholeInventory(remote_config={}), template("blue"), 0, ""),
    ],
)
def test_what_remote_config_adds(
    recorded: WholeInventory, live: WholeInventory, steps: int, said: str
) -> None:
    """A template that says something else is published from our copy; clients ask later."""
    made = portion_of(InventoryPart.REMOTE_CONFIG, ResourceState(recorded, live), WITHIN)

    assert len(made.steps) == steps
    assert said in "\n".join(made.reported)


def test_a_template_in_a_step() -> None:
    """The step has all that is published, over the template that was found."""
    [step] = portion_of(
        InventoryPart.REMOTE_CONFIG, ResourceState(template("red", '{"a": 1}'), template("blue")), WITHIN
    ).steps

    assert zlib.decompress(from_builtins(step.goal["content"], bytes)) == b'{"a": 1}'
    assert step.seen == "etag-blue"
    assert step.origin == {"hash": "blue"}


RULES = """service cloud.firestore {
  match /databases/{database}/documents {
    match /orders/{id} {
      allow read: if %s;
    }
  }
}"""


def in_force(ruleset: str, *condition: str) -> WholeInventory:
    source = tuple(RulesFile("firestore.rules", RULES % one) for one in condition)
    return WholeInventory(rules={"cloud.firestore": RulesRelease(ruleset, START, source)})


@pytest.mark.parametrize(
    ("recorded", "live", "origins", "said"),
    [
        (in_force("a", "true"), in_force("a", "true"), [], ""),
        (in_force("a", "true"), in_force("b", "true"), [], ""),
        (in_force("a", "true"), in_force("b", "false"), ["b"], "touches /orders/{id}"),
        (in_force("a"), in_force("b", "false"), ["b"], "no copy of one side"),
        (in_force("a", "true"), in_force("b"), ["b"], "no copy of one side"),
        (in_force("a", "true"), WholeInventory(rules={}), [""], ""),
        (WholeInventory(rules={}), in_force("b", "true"), [], "first released later"),
        (in_force("a", "true"), WholeInventory(), [], "cannot be read now"),
    ],
)
def test_what_rules_add(
    recorded: WholeInventory, live: WholeInventory, origins: list[str], said: str
) -> None:
    """Rules that say something else go back, with the difference and whom it touches."""
    made = portion_of(InventoryPart.RULES, ResourceState(recorded, live), WITHIN)

    assert [one.origin["ruleset"] for one in made.steps] == origins
    assert said in "\n".join(made.reported)


def test_a_difference_of_rules_is_shown() -> None:
    """Line by line, as it goes back; what cannot be counted is said to be so."""
    recorded, live = in_force("a", "true"), in_force("b", "false")

    told = portion_of(InventoryPart.RULES, ResourceState(recorded, live), WITHIN).reported

    assert "rules cloud.firestore: -      allow read: if false;" in told
    assert "rules cloud.firestore: +      allow read: if true;" in told
    assert told[-1] == "rules cloud.firestore: touches /orders/{id}"


def index(group: str, mode: str = "ASCENDING") -> dict[str, Index]:
    one = Index("(default)", group, "COLLECTION", (IndexField("a", mode), IndexField("b", mode)))
    return {one.definition: one}


@pytest.mark.parametrize(
    ("recorded", "live", "steps", "said"),
    [
        (index("carts"), index("carts"), 0, ""),
        (index("carts"), {}, 1, ""),
        ({}, index("carts"), 0, "was added later"),
        (index("carts", "vector_config dimension: 3"), {}, 0, "create it manually"),
        (index("carts"), None, 0, "cannot be read now"),
    ],
)
def test_what_indexes_add(
    recorded: dict[str, Index], live: dict[str, Index] | None, steps: int, said: str
) -> None:
    """One that was dropped is made again; one that was added is left."""
    made = portion_of(
        InventoryPart.INDEXES,
        ResourceState(WholeInventory(indexes=recorded), WholeInventory(indexes=live)),
        WITHIN,
    )

    assert len(made.steps) == steps
    assert bool(made.reported) is bool(said)
    assert said in "\n".join(made.reported)


def identities(then: dict[str, Any], now: dict[str, Any] | None) -> Portion:
    function = FunctionState("check", Generation.SECOND, service="projects/p/services/check-svc")
    live = WholeInventory(identity=now, functions={"check": function})
    return portion_of(InventoryPart.IDENTITY, ResourceState(WholeInventory(identity=then), live), WITHIN)


TRIGGER = "blockingFunctions.triggers.beforeSignIn"
CALLS = {f"{TRIGGER}.functionUri": "https://r-p.cloudfunctions.net/check"}
CALLS_SERVICE = {f"{TRIGGER}.functionUri": "https://check-svc-abc-ew.a.run.app"}
CALLS_NOBODY = {f"{TRIGGER}.functionUri": "https://r-p.cloudfunctions.net/gone"}


@pytest.mark.parametrize(
    ("then", "now", "paths", "said"),
    [
        ({"mfa.state": "ON"}, {"mfa.state": "ON"}, [], ""),
        ({"mfa.state": "ON", "a": 1}, {"mfa.state": "OFF", "a": 1}, ["mfa.state"], ""),
        ({"mfa.state": "ON"}, {}, ["mfa.state"], ""),
        ({"a": 1}, {"a": 1, "mfa.state": "ON"}, ["mfa.state"], ""),
        ({"client.apiKey": "x", "a": 1}, {"client.apiKey": "y", "a": 1}, [], ""),
        ({"signIn.hashConfig.rounds": 8}, {"signIn.hashConfig.rounds": 9}, [], "set by the platform"),
        (CALLS, {"a": 1}, ["a", "blockingFunctions.triggers"], ""),
        (CALLS_SERVICE, {}, ["blockingFunctions.triggers"], ""),
        (CALLS_NOBODY, {}, [], "gone does not exist"),
        ({f"{TRIGGER}.updateTime": "1", **CALLS}, {f"{TRIGGER}.updateTime": "2", **CALLS}, [], ""),
        (
            {"notification.sendEmail.smtp.host": "a"},
            {"notification.sendEmail.smtp.host": "b"},
            ["notification.sendEmail.smtp.host"],
            "the password of the mail server",
        ),
        ({"mfa.state": "ON"}, None, [], "cannot be read now"),
        ({}, {"mfa.state": "ON"}, [], ""),
    ],
)
def test_what_identity_adds(
    then: dict[str, Any], now: dict[str, Any] | None, paths: list[str], said: str
) -> None:
    """Exactly what differs is set; never a secret, and no call of a function that is gone."""
    made = identities(then, now)

    assert [one["path"] for step in made.steps for one in step.goal["settings"]] == paths
    assert bool(made.reported) is bool(said)
    assert said in "\n".join(made.reported)


def test_the_functions_that_restored_settings_call() -> None:
    """The step waits for none, and is impossible without them."""
    [step] = identities(CALLS, {}).steps

    assert step.goal["functions"] == ("check",)


def test_every_portion_has_names_of_its_own() -> None:
    """Names of steps are names of documents, and no two are alike."""
    recorded = replace(
        in_force("a", "true"), sites=THEN.sites, indexes=index("carts"), identity={"mfa.state": 1}
    )
    live = replace(in_force("b", "false"), sites=site("v2").sites, indexes={}, identity={"mfa.state": 2})
    portions = (
        portion_of(InventoryPart.SITES, ResourceState(recorded, live, {("shop", "v1"): "FINALIZED"}), WITHIN),
        portion_of(InventoryPart.RULES, ResourceState(recorded, live), WITHIN),
        portion_of(InventoryPart.INDEXES, ResourceState(recorded, live), WITHIN),
        portion_of(InventoryPart.IDENTITY, ResourceState(recorded, live), WITHIN),
    )

    names = [step.name for one in portions for step in one.steps]

    assert len(names) == len(set(names)) == 4
    assert not [name for name in names if "/" in name]
