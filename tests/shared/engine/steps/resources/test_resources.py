from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from shared.core.codec import encode
from shared.core.errors import Moved
from shared.domain.deployments.inventory.state import (
    HostingSite,
    Index,
    IndexField,
    RulesFile,
    RulesRelease,
    fingerprint,
)
from shared.domain.rollback.plan import Step
from shared.engine.steps.base import Kind, Verdict
from shared.engine.steps.resources import (
    create_index,
    publish_remote_config,
    registry,
    release_hosting,
    release_rules,
    set_auth_config,
)
from tests.support.fakes.resources import FakeEstate
from tests.support.fakes.run.platform import FakePlatform
from tests.support.fakes.runtime.clock import START, FakeClock


def kind(estate: FakeEstate, name: str, functions: tuple[str, ...] = ()) -> Kind:
    return registry.kinds(estate, FakePlatform(FakeClock(), functions))[name]


def step(name: str, goal: Any, origin: Any = None) -> Step:
    return Step(
        name=name,
        kind=name,
        target="any",
        goal=encode(goal),
        origin=encode(origin) if origin else {},
    )


RELEASE = step(
    release_hosting.KIND,
    release_hosting.Goal("shop", "live", "v1"),
    release_hosting.Origin("v2"),
)
PREVIEW = replace(RELEASE, goal=encode(release_hosting.Goal("shop", "next", "v1")))


@pytest.mark.parametrize(
    ("release", "live", "status", "verdict", "token"),
    [
        (RELEASE, "v1", "FINALIZED", Verdict.AT_GOAL, ""),
        (RELEASE, "v1", "EXPIRED", Verdict.AT_GOAL, ""),
        (RELEASE, "v2", "FINALIZED", Verdict.AT_ORIGIN, "v2"),
        (RELEASE, "v2", "EXPIRED", Verdict.IMPOSSIBLE, ""),
        (RELEASE, "v2", None, Verdict.IMPOSSIBLE, ""),
        (RELEASE, "v3", "FINALIZED", Verdict.ELSEWHERE, ""),
        (RELEASE, "v3", "EXPIRED", Verdict.ELSEWHERE, ""),
        (RELEASE, "", "FINALIZED", Verdict.ELSEWHERE, ""),
        (RELEASE, None, "FINALIZED", Verdict.IMPOSSIBLE, ""),
        (PREVIEW, "v2", "FINALIZED", Verdict.IMPOSSIBLE, ""),
    ],
)
def test_a_look_at_hosting(
    release: Step, live: str | None, status: str | None, verdict: Verdict, token: str
) -> None:
    """By what is live; the version must be there to go back to, and the channel, too."""
    estate = FakeEstate()
    if live is not None:
        estate.sites["shop"] = HostingSite(live)
    if status is not None:
        estate.statuses["shop", "v1"] = status

    look = kind(estate, release.kind).look(release)

    assert (look.verdict, look.token) == (verdict, token)


def said(colour: str) -> str:
    return fingerprint({"colour": colour})


PUBLISH = step(
    publish_remote_config.KIND,
    publish_remote_config.Goal(said("red"), publish_remote_config.packed('{"colour":"red"}')),
    publish_remote_config.Origin(said("blue")),
)


@pytest.mark.parametrize(
    ("colour", "verdict", "token"),
    [
        ("red", Verdict.AT_GOAL, ""),
        ("blue", Verdict.AT_ORIGIN, "etag-1"),
        ("green", Verdict.ELSEWHERE, ""),
    ],
)
def test_a_look_at_a_template(colour: str, verdict: Verdict, token: str) -> None:
    """By what it says, whichever version that is."""
    estate = FakeEstate()
    estate.land_template(f'{{"colour":"{colour}"}}')

    look = kind(estate, PUBLISH.kind).look(PUBLISH)

    assert (look.verdict, look.token) == (verdict, token)


def test_a_template_since_the_look() -> None:
    """Neither the rehearsal nor the effect takes an etag that is not the intent's."""
    estate = FakeEstate()
    estate.land_template('{"colour":"blue"}')
    publish = kind(estate, PUBLISH.kind)
    begun = replace(PUBLISH, seen=publish.look(PUBLISH).token)
    publish.rehearse(begun)
    estate.land_template('{"colour":"green"}')

    for call in (publish.rehearse, publish.set):
        with pytest.raises(Moved):
            call(begun)

    assert estate.published.hash == said("green")


OLD, NEW = (RulesFile("rules", "old"),), (RulesFile("rules", "new"),)
ENFORCE = step(
    release_rules.KIND,
    release_rules.Goal("cloud.firestore", "r1", OLD),
    release_rules.Origin("r2"),
)
NO_COPY = replace(ENFORCE, goal=encode(release_rules.Goal("cloud.firestore", "r1", ())))
NEW_RELEASE = replace(ENFORCE, origin=encode(release_rules.Origin("")))


@pytest.mark.parametrize(
    ("enforce", "released", "rulesets", "verdict"),
    [
        (ENFORCE, "r1", {"r1": OLD}, Verdict.AT_GOAL),
        (ENFORCE, "r2", {"r1": OLD, "r2": NEW}, Verdict.AT_ORIGIN),
        (ENFORCE, "r2", {"r2": NEW}, Verdict.AT_ORIGIN),
        (NO_COPY, "r2", {"r1": OLD, "r2": NEW}, Verdict.AT_ORIGIN),
        (NO_COPY, "r2", {"r2": NEW}, Verdict.IMPOSSIBLE),
        (ENFORCE, "r3", {"r3": OLD}, Verdict.AT_GOAL),
        (ENFORCE, "r3", {"r3": NEW}, Verdict.ELSEWHERE),
        (NO_COPY, "r3", {"r3": OLD}, Verdict.ELSEWHERE),
        (ENFORCE, "", {"r1": OLD}, Verdict.ELSEWHERE),
        (NEW_RELEASE, "", {"r1": OLD}, Verdict.AT_ORIGIN),
        (NEW_RELEASE, "r3", {"r3": NEW}, Verdict.ELSEWHERE),
    ],
)
def test_a_look_at_rules(
    enforce: Step, released: str, rulesets: dict[str, Any], verdict: Verdict
) -> None:
    """Rules that say the same are the same; a deleted ruleset needs our copy."""
    estate = FakeEstate()
    estate.rulesets = rulesets
    if released:
        estate.released["cloud.firestore"] = RulesRelease(released, START)

    assert kind(estate, enforce.kind).look(enforce).verdict is verdict


@pytest.mark.parametrize(
    ("enforce", "released", "rulesets", "made"),
    [
        (ENFORCE, "r2", {"r1": OLD, "r2": NEW}, 0),
        (ENFORCE, "r2", {"r2": NEW}, 1),
        (NO_COPY, "r2", {"r1": OLD, "r2": NEW}, 0),
        (NEW_RELEASE, "", {"r1": OLD}, 0),
        (NEW_RELEASE, "", {}, 1),
    ],
)
def test_rules_are_set(enforce: Step, released: str, rulesets: dict[str, Any], made: int) -> None:
    """The recorded ruleset is in force; one more is made only where it is gone."""
    estate = FakeEstate()
    estate.rulesets = dict(rulesets)
    if released:
        estate.released["cloud.firestore"] = RulesRelease(released, START)

    rules = kind(estate, enforce.kind)
    rules.set(replace(enforce, seen=rules.look(enforce).token))

    assert estate.rulesets[estate.released["cloud.firestore"].ruleset] == OLD
    assert len(estate.rulesets) == len(rulesets) + made


SETTINGS = (
    set_auth_config.Setting("mfa.state", '"ON"', '"OFF"'),
    set_auth_config.Setting("smsRegionConfig", None, '{"allowlistOnly":{"regions":["DE"]}}'),
)
CONFIGURE = step(set_auth_config.KIND, set_auth_config.Goal(SETTINGS))
CALLING = step(set_auth_config.KIND, set_auth_config.Goal(SETTINGS[:1], ("check",)))
REGIONS = {"smsRegionConfig.allowlistOnly.regions": ["DE"]}


@pytest.mark.parametrize(
    ("configure", "live", "functions", "verdict"),
    [
        (CONFIGURE, {"mfa.state": "ON"}, (), Verdict.AT_GOAL),
        (CONFIGURE, {"mfa.state": "ON", "other": 1}, (), Verdict.AT_GOAL),
        (CONFIGURE, {"mfa.state": "OFF", **REGIONS}, (), Verdict.AT_ORIGIN),
        (CONFIGURE, {"mfa.state": "ON", **REGIONS}, (), Verdict.AT_ORIGIN),
        (CONFIGURE, {"mfa.state": "MUST", **REGIONS}, (), Verdict.ELSEWHERE),
        (CONFIGURE, REGIONS, (), Verdict.ELSEWHERE),
        (CALLING, {"mfa.state": "OFF"}, ("check",), Verdict.AT_ORIGIN),
        (CALLING, {"mfa.state": "OFF"}, (), Verdict.IMPOSSIBLE),
        (CALLING, {"mfa.state": "ON"}, (), Verdict.AT_GOAL),
    ],
)
def test_a_look_at_identity(
    configure: Step, live: dict[str, Any], functions: tuple[str, ...], verdict: Verdict
) -> None:
    """Field by field: one that is neither as then nor as found is a person's."""
    estate = FakeEstate()
    estate.configured = live

    assert kind(estate, configure.kind, functions).look(configure).verdict is verdict


def test_identity_is_set() -> None:
    """Exactly the fields of the step; what was not set then is cleared."""
    estate = FakeEstate()
    estate.configured = {"mfa.state": "OFF", **REGIONS, "authorizedDomains": ["a"]}
    configure = kind(estate, CONFIGURE.kind)
    assert configure.look(CONFIGURE).token == set_auth_config.seen(SETTINGS)

    configure.set(CONFIGURE)

    assert estate.configured == {"mfa.state": "ON", "authorizedDomains": ["a"]}


CARTS = Index("(default)", "carts", "COLLECTION", (IndexField("a", "ASCENDING"),) * 2)
MAKE = step(create_index.KIND, CARTS)


@pytest.mark.parametrize(
    ("state", "verdict", "token"),
    [
        (None, Verdict.AT_ORIGIN, create_index.ABSENT),
        ("CREATING", Verdict.UNDER_WAY, ""),
        ("READY", Verdict.AT_GOAL, ""),
        ("NEEDS_REPAIR", Verdict.IMPOSSIBLE, ""),
    ],
)
def test_a_look_at_an_index(state: str | None, verdict: Verdict, token: str) -> None:
    """It is there once queries can use it."""
    estate = FakeEstate()
    estate.declared = [replace(CARTS, state=state)] if state else []

    look = kind(estate, MAKE.kind).look(MAKE)

    assert (look.verdict, look.token) == (verdict, token)
