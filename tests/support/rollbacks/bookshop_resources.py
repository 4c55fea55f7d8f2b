"""A shop with more than functions: what it has, and what a bad release makes of that."""

from datetime import timedelta
from typing import Any

from msgspec.structs import replace

from shared.domain.deployments.inventory.inventory_parts import (
    HostingSite,
    Index,
    IndexField,
    RemoteConfigTemplate,
    RulesFile,
    RulesRelease,
    json_fingerprint,
)
from shared.domain.deployments.restorability import FINALIZED
from shared.domain.policy.resources import Resources
from shared.domain.policy.scenario_names import Mode, ScenarioName
from shared.domain.policy.severity import Severity
from shared.domain.policy.signals import Signal
from shared.domain.policy.system_policy import Policy
from tests.support.decision.outages import set_failure_rate
from tests.support.fakes.resources import FakeEstate
from tests.support.fakes.runtime.clock import START
from tests.support.fakes.runtime.hooks import Hook, no_hook
from tests.support.faults.fault_injection import shorten_watch
from tests.support.runtime.world import BOOKSHOP, World

CARTS = Index("(default)", "carts", "COLLECTION", (IndexField("a", "ASCENDING"),) * 2)
SIGNING_IN = BOOKSHOP.groups["storefront"].functions


def _signal(scenario: ScenarioName) -> Signal:
    return Signal(Severity.CRITICAL, scenario, Mode.ACT)


SHOP = replace(
    shorten_watch(BOOKSHOP),
    resources=Resources(hosting_sites=("shop",), remote_config=True, databases=("(default)",), identity=True),
    group_aliases={"authentication": ("storefront",)},
    scenarios=dict.fromkeys(ScenarioName, Mode.ACT),
    gates=replace(BOOKSHOP.gates, configuration_barrier=False),
    signals={
        **BOOKSHOP.signals,
        "frontend_unavailable": _signal(ScenarioName.COMPLETE),
        "authentication_failure": _signal(ScenarioName.AUTH),
        "database_failure_rate": _signal(ScenarioName.DATABASE),
        "performance_degraded": _signal(ScenarioName.FEATURE),
        "security_breach": replace(_signal(ScenarioName.COMPLETE), mode=Mode.ASK),
    },
)
ASKING_SHOP = replace(SHOP, gates=replace(SHOP.gates, configuration_barrier=True))
"""The shop with the default: automation asks before it passes over changed rules or indexes."""


def add_healthy_resources(estate: FakeEstate) -> None:
    """All that is there while everything is well."""
    estate.sites = {"shop": HostingSite("v1", START)}
    estate.statuses = dict.fromkeys((("shop", "v1"), ("shop", "v2")), FINALIZED)
    said = {"parameters": {"colour": "red"}}
    content = '{"parameters":{"colour":"red"}}'
    estate.published = RemoteConfigTemplate("1", "etag-1", json_fingerprint(said), content)
    estate.rulesets = {"r1": (RulesFile("rules", "closed"),), "r2": (RulesFile("rules", "open"),)}
    estate.released = {"cloud.firestore": RulesRelease("r1", START)}
    estate.configured = {"mfa.state": "ENABLED", "authorizedDomains": ["a", "b"]}
    estate.declared = [CARTS]


def build_healthy_shop(hook: Hook = no_hook, policy: Policy = SHOP, **signals: dict[str, Any]) -> World:
    """The shop, well; `signals`: what its policy says of them in place of what it says above."""
    changed = {name: replace(policy.signals[name], **fields) for name, fields in signals.items()}
    policy = replace(policy, signals={**policy.signals, **changed})
    return World(hook, policy, furnish=add_healthy_resources)


def deploy_bad_release(world: World, *parts: str) -> None:
    """A release makes these parts bad, is told of, and is live for ten minutes."""
    estate = world.ports.beside
    world.ports.clock.advance(timedelta(minutes=10))
    if "sites" in parts:
        estate.sites["shop"] = replace(estate.sites["shop"], version="v2")
    if "remote_config" in parts:
        estate.land_template('{"parameters":{"colour":"blue"}}')
    if "rules" in parts:
        estate.released["cloud.firestore"] = RulesRelease("r2", START)
    if "identity" in parts:
        estate.configured = {"mfa.state": "DISABLED", "authorizedDomains": ["a"]}
    if "indexes" in parts:
        estate.declared = []
    if "functions" in parts:
        world.ports.world.deploy(None, failure_rate=0.8)
    if "signing in" in parts:
        world.ports.world.deploy(SIGNING_IN, failure_rate=0.8)
    world.announce("bad")
    world.settle()
    world.ports.clock.advance(timedelta(minutes=10))


def build_shop_with_bad_resources() -> World:
    """A release of a site and a template makes the requests of every function fail."""
    world = build_healthy_shop(function_failure_rate={"scenario": ScenarioName.COMPLETE})
    set_failure_rate(world, 0.8)
    deploy_bad_release(world, "sites", "remote_config")
    return world
