import zlib
from typing import Any

import pytest
from msgspec.structs import replace

from shared.core.codec import encode
from shared.core.errors import Moved
from shared.domain.deployments.inventory.inventory_parts import (
    HostingSite,
    Index,
    IndexField,
    RulesFile,
    RulesRelease,
    json_fingerprint,
)
from shared.domain.rollback.plan import Step
from shared.engine.steps.base import StepKind, StepVerdict, step_context
from shared.engine.steps.registry import STEPS
from shared.engine.steps.resources import (
    create_index,
    publish_remote_config,
    release_hosting,
    release_rules,
    set_auth_config,
)
from tests.support.fakes.resources import FakeEstate
from tests.support.fakes.run.platform import FakePlatform
from tests.support.fakes.runtime.clock import START
from tests.support.runtime.world import BOOKSHOP, FakePorts


def kind(estate: FakeEstate, name: str, functions: tuple[str, ...] = ()) -> StepKind:
    ports = FakePorts(BOOKSHOP)
    ports.world, ports.beside = FakePlatform(ports.clock, functions), estate
    return STEPS[name](step_context(ports, BOOKSHOP.system))


def step(name: str, goal: Any, origin: Any = None) -> Step:
    return Step(
        name=name, kind=name, target="any", goal=encode(goal), origin=encode(origin) if origin else {}
    )


RELEASE = step(
    release_hosting.KIND,
    release_hosting.HostingGoal("shop", "live", "v1"),
    release_hosting.HostingOrigin("v2"),
)
PREVIEW = replace(RELEASE, goal=encode(release_hosting.HostingGoal("shop", "next", "v1")))


@pytest.mark.parametrize(
    ("release", "live", "status", "verdict", "token"),
    [
        (RELEASE, "v1", "FINALIZED", StepVerdict.AT_GOAL, ""),
        (RELEASE, "v1", "EXPIRED", StepVerdict.AT_GOAL, ""),
        (RELEASE, "v2", "FINALIZED", StepVerdict.AT_ORIGIN, "v2"),
        (RELEASE, "v2", "EXPIRED", StepVerdict.IMPOSSIBLE, ""),
        (RELEASE, "v2", None, StepVerdict.IMPOSSIBLE, ""),
        (RELEASE, "v3", "FINALIZED", StepVerdict.ELSEWHERE, ""),
        (RELEASE, "v3", "EXPIRED", StepVerdict.ELSEWHERE, ""),
        (RELEASE, "", "FINALIZED", StepVerdict.ELSEWHERE, ""),
        (RELEASE, None, "FINALIZED", StepVerdict.IMPOSSIBLE, ""),
        (PREVIEW, "v2", "FINALIZED", StepVerdict.IMPOSSIBLE, ""),
    ],
)
def test_a_look_at_hosting(
    release: Step, live: str | None, status: str | None, verdict: StepVerdict, token: str
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
    return json_fingerprint({"colour": colour})


PUBLISH = step(
    publish_remote_config.KIND,
    publish_remote_config.RemoteConfigGoal(said("red"), zlib.compress(b'{"colour":"red"}')),
    publish_remote_config.RemoteConfigOrigin(said("blue")),
)


@pytest.mark.parametrize(
    ("colour", "verdict", "token"),
    [
        ("red", StepVerdict.AT_GOAL, ""),
        ("blue", StepVerdict.AT_ORIGIN, "etag-1"),
        ("green", StepVerdict.ELSEWHERE, ""),
    ],
)
def test_a_look_at_a_template(colour: str, verdict: StepVerdict, token: str) -> None:
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
    release_rules.KIND, release_rules.RulesGoal("cloud.firestore", "r1", OLD), release_rules.RulesOrigin("r2")
)
NO_COPY = replace(ENFORCE, goal=encode(release_rules.RulesGoal("cloud.firestore", "r1", ())))
NEW_RELEASE = replace(ENFORCE, origin=encode(release_rules.RulesOrigin("")))


@pytest.mark.parametrize(
    ("enforce", "released", "rulesets", "verdict"),
    [
        (ENFORCE, "r1", {"r1": OLD}, StepVerdict.AT_GOAL),
        (ENFORCE, "r2", {"r1": OLD, "r2": NEW}, StepVerdict.AT_ORIGIN),
        (ENFORCE, "r2", {"r2": NEW}, StepVerdict.AT_ORIGIN),
        (NO_COPY, "r2", {"r1": OLD, "r2": NEW}, StepVerdict.AT_ORIGIN),
        (NO_COPY, "r2", {"r2": NEW}, StepVerdict.IMPOSSIBLE),
        (ENFORCE, "r3", {"r3": OLD}, StepVerdict.AT_GOAL),
        (ENFORCE, "r3", {"r3": NEW}, StepVerdict.ELSEWHERE),
        (NO_COPY, "r3", {"r3": OLD}, StepVerdict.ELSEWHERE),
        (ENFORCE, "", {"r1": OLD}, StepVerdict.ELSEWHERE),
        (NEW_RELEASE, "", {"r1": OLD}, StepVerdict.AT_ORIGIN),
        (NEW_RELEASE, "r3", {"r3": NEW}, StepVerdict.ELSEWHERE),
    ],
)
def test_a_look_at_rules(
    enforce: Step, released: str, rulesets: dict[str, Any], verdict: StepVerdict
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
    set_auth_config.AuthSetting("mfa.state", '"ON"', '"OFF"'),
    set_auth_config.AuthSetting("smsRegionConfig", None, '{"allowlistOnly":{"regions":["DE"]}}'),
)
CONFIGURE = step(set_auth_config.KIND, set_auth_config.AuthConfigGoal(SETTINGS))
CALLING = step(set_auth_config.KIND, set_auth_config.AuthConfigGoal(SETTINGS[:1], ("check",)))
REGIONS = {"smsRegionConfig.allowlistOnly.regions": ["DE"]}


@pytest.mark.parametrize(
    ("configure", "live", "functions", "verdict"),
    [
        (CONFIGURE, {"mfa.state": "ON"}, (), StepVerdict.AT_GOAL),
        (CONFIGURE, {"mfa.state": "ON", "other": 1}, (), StepVerdict.AT_GOAL),
        (CONFIGURE, {"mfa.state": "OFF", **REGIONS}, (), StepVerdict.AT_ORIGIN),
        (CONFIGURE, {"mfa.state": "ON", **REGIONS}, (), StepVerdict.AT_ORIGIN),
        (CONFIGURE, {"mfa.state": "MUST", **REGIONS}, (), StepVerdict.ELSEWHERE),
        (CONFIGURE, REGIONS, (), StepVerdict.ELSEWHERE),
        (CALLING, {"mfa.state": "OFF"}, ("check",), StepVerdict.AT_ORIGIN),
        (CALLING, {"mfa.state": "OFF"}, (), StepVerdict.IMPOSSIBLE),
        (CALLING, {"mfa.state": "ON"}, (), StepVerdict.AT_GOAL),
    ],
)
def test_a_look_at_identity(
    configure: Step, live: dict[str, Any], functions: tuple[str, ...], verdict: StepVerdict
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
    assert configure.look(CONFIGURE).token == set_auth_config.describe_origin(SETTINGS)

    configure.set(CONFIGURE)

    assert estate.configured == {"mfa.state": "ON", "authorizedDomains": ["a"]}


CARTS = Index("(default)", "carts", "COLLECTION", (IndexField("a", "ASCENDING"),) * 2)
MAKE = step(create_index.KIND, CARTS)


@pytest.mark.parametrize(
    ("state", "verdict", "token"),
    [
        (None, StepVerdict.AT_ORIGIN, create_index.ABSENT_INDEX),
        ("CREATING", StepVerdict.UNDER_WAY, ""),
        ("READY", StepVerdict.AT_GOAL, ""),
        ("NEEDS_REPAIR", StepVerdict.IMPOSSIBLE, ""),
    ],
)
def test_a_look_at_an_index(state: str | None, verdict: StepVerdict, token: str) -> None:
    """It is there once queries can use it."""
    estate = FakeEstate()
    estate.declared = [replace(CARTS, state=state)] if state else []

    look = kind(estate, MAKE.kind).look(MAKE)

    assert (look.verdict, look.token) == (verdict, token)
