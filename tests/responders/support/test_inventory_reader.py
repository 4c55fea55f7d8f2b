"""The whole inventory is read beside each other; what gives no answer is unknown."""

from random import Random
from typing import Any

import pytest
from msgspec.structs import replace

from responders.support.inventory_reader import CLIENT_TEMPLATE_NAMESPACE, read_inventory
from shared.core.errors import Rejected, Unavailable
from shared.domain.deployments.inventory.inventory_parts import (
    HostingSite,
    Index,
    IndexField,
    RulesFile,
    RulesRelease,
    SchedulerJob,
    SecretVersion,
    WholeInventory,
    stored_text,
)
from shared.domain.policy.resources import Resources
from shared.domain.policy.system_policy import Policy
from tests.support.fakes.run.platform import DEFAULT
from tests.support.fakes.runtime.clock import START
from tests.support.runtime.world import BOOKSHOP, FakePorts

EVERYTHING = Resources(
    hosting_sites=("shop", "gone"),
    remote_config=True,
    databases=("(default)", "orders"),
    storage_buckets=("pictures",),
    identity=True,
    secrets="PAY",
    schedules="nightly-",
    accounts=True,
    invokers=True,
)
SHOP = replace(BOOKSHOP, resources=EVERYTHING)
BARE = replace(BOOKSHOP, resources=Resources())
SITE = HostingSite("v1", START, {"next": "v2"})
INDEX = Index("orders", "carts", "COLLECTION", (IndexField("at", "DESCENDING"),))
RELEASE = RulesRelease("r1", START, (RulesFile("rules", "closed"),))
RELEASES = ("cloud.firestore", "firebase.storage/pictures", "cloud.x")
JOB = SchedulerJob("0 3 * * *", "https://shop.example/", "ENABLED", "hash")
VERSION = SecretVersion("ENABLED", START)


def ports() -> FakePorts:
    """A system with everything, and with things beside it that are not its own."""
    ports = FakePorts(SHOP)
    estate = ports.beside
    estate.sites = {"shop": SITE, "another": SITE}
    estate.released = dict.fromkeys(RELEASES, replace(RELEASE, source=()))
    estate.rulesets = {"r1": RELEASE.source}
    estate.configured = {"mfa.state": "DISABLED"}
    estate.declared = [INDEX]
    estate.kept = {"PAYMENT": {"1": VERSION, "2": VERSION}, "MAIL": {"1": VERSION}}
    estate.scheduled = {"nightly-report": JOB, "hourly": JOB}
    estate.granted = {DEFAULT.account: ("roles/editor",), "ci@demo": ("roles/owner",)}
    return ports


def taken(policy: Policy, found: FakePorts, hook: Any = None) -> WholeInventory:
    if hook is not None:
        found.beside.hook = found.world.hook = hook
    return read_inventory(found, policy)


def test_everything_that_the_policy_names() -> None:
    """Each part holds what is there of what is protected, and nothing else."""
    stock = taken(SHOP, ports())

    assert stock.functions is not None
    assert set(stock.functions) == set(SHOP.functions)
    assert stock.sites == {"shop": SITE}
    assert stock.remote_config is not None
    assert set(stock.remote_config) == {CLIENT_TEMPLATE_NAMESPACE}
    assert stock.rules == {"cloud.firestore": RELEASE, "firebase.storage/pictures": RELEASE}
    assert stock.identity == {"mfa.state": "DISABLED"}
    assert stock.indexes == {INDEX.definition: INDEX}
    assert stock.secrets == {"PAYMENT/1": VERSION, "PAYMENT/2": VERSION}
    assert stock.schedules == {"nightly-report": JOB}
    assert stock.accounts == {DEFAULT.account: ("roles/editor",)}
    assert stock.invokers == dict.fromkeys(SHOP.functions, ("allUsers roles/run.invoker",))


def test_a_policy_that_names_nothing() -> None:
    """What is not protected is not asked for: it is empty, never unknown."""
    asked: list[str] = []

    stock = taken(BARE, ports(), lambda verb, side: asked.append(verb))

    assert set(asked) == {"platform.functions"}
    parts = [getattr(stock, name) for name in stock.__struct_fields__ if name != "functions"]
    assert all(part == {} for part in parts)


@pytest.mark.parametrize(
    ("verb", "unknown"),
    [
        ("platform.functions", {"functions", "accounts", "invokers"}),
        ("platform.invokers", {"invokers"}),
        ("hosting.site", {"sites"}),
        ("remote_config.template", {"remote_config"}),
        ("rules.releases", {"rules"}),
        ("rules.ruleset", {"rules"}),
        ("identity.settings", {"identity"}),
        ("indexes.of", {"indexes"}),
        ("secrets.names", {"secrets"}),
        ("secrets.versions", {"secrets"}),
        ("schedules.jobs", {"schedules"}),
        ("accounts.roles", {"accounts"}),
    ],
)
@pytest.mark.parametrize("error", [Unavailable("no answer"), Rejected("not permitted")])
def test_a_part_that_gives_no_answer(verb: str, unknown: set[str], error: Exception) -> None:
    """It is unknown; so is what cannot be understood without it; the rest is known."""

    def hook(asked: str, side: str) -> None:
        if (asked, side) == (verb, "before"):
            raise error

    stock = taken(SHOP, ports(), hook)

    assert {name for name in stock.__struct_fields__ if getattr(stock, name) is None} == unknown


def test_one_of_several_that_gives_no_answer() -> None:
    """A part of which one thing is unknown is unknown whole: what is missing is not gone."""
    found = ports()
    versions = found.beside.versions

    def failing(secret: str) -> dict[str, SecretVersion]:
        if secret == "PAYMENT":
            raise Unavailable("no answer")
        return versions(secret)

    found.beside.versions = failing  # type: ignore[method-assign]
    policy = replace(SHOP, resources=replace(EVERYTHING, secrets=""))

    assert taken(policy, found).secrets is None


def test_a_ruleset_that_is_gone_already() -> None:
    """Which one is in force is known, and that no copy of it is kept."""
    found = ports()
    found.beside.rulesets = {}

    rules = taken(SHOP, found).rules

    assert rules is not None
    assert rules["cloud.firestore"] == replace(RELEASE, source=())


@pytest.mark.parametrize(("characters", "is_kept"), [(1_000, True), (200_000, False)])
def test_a_text_that_may_be_too_large(characters: int, is_kept: bool) -> None:
    """A record has the room for what becomes small enough, and for nothing else."""
    text = Random(1).randbytes(characters).hex()

    assert stored_text(text) == (text if is_kept else "")
    assert stored_text("a" * 1_000_000)


def test_an_account_without_any_role() -> None:
    """An account that lost every role is there with none, it is not gone."""
    found = ports()
    found.beside.granted = {}

    assert taken(SHOP, found).accounts == {DEFAULT.account: ()}


def test_what_is_wrong_here() -> None:
    """A fault of our own is no unknown part."""

    def hook(asked: str, side: str) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        taken(SHOP, ports(), hook)
