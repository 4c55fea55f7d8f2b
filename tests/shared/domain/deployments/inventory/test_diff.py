"""From what was recorded to what is live."""

from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from shared.core.codec import decode, encode
from shared.domain.deployments.inventory.diff import ChangeKind, Difference, differences
from shared.domain.deployments.inventory.inventory_parts import (
    Configuration,
    FunctionState,
    Generation,
    HostingSite,
    Index,
    IndexField,
    RemoteConfigTemplate,
    RevisionState,
    RulesRelease,
    SchedulerJob,
    SecretUse,
    SecretVersion,
    SourceObject,
    WholeInventory,
    build_configuration,
    flatten_settings,
)
from shared.domain.deployments.inventory.products import InventoryPart
from shared.domain.deployments.inventory.traffic import LATEST_REVISION, TrafficTarget
from tests.support.fakes.runtime.clock import START

LATER = START + timedelta(hours=1)
CONFIGURATION = build_configuration(
    {"B": "1", "A": "2"}, iter([SecretUse("KEY", "PAYMENT", "3")]), account="run@shop"
)
REVISION = RevisionState(START, "image@sha256:1", CONFIGURATION)
FUNCTION = FunctionState(
    "pay",
    Generation.SECOND,
    "nodejs20",
    "pay",
    SourceObject("sources", "pay.zip", 7),
    CONFIGURATION,
    "projects/p/locations/r/services/pay",
    (TrafficTarget(LATEST_REVISION, 100),),
    {"pay-00001": REVISION},
    definition={"labels": {"a": "b"}},
)
KEPT = SourceObject("ours", "pay.json", 7)
SITE = HostingSite("v1", START, {"next": "v2"})
TEMPLATE = RemoteConfigTemplate("7", "etag-7", "hash")
RELEASE = RulesRelease("r1", START)
INDEX = Index("(default)", "carts", "COLLECTION", (IndexField("at", "DESCENDING"),))
VERSION = SecretVersion("ENABLED", START)
JOB = SchedulerJob("0 3 * * *", "https://shop.example/", "ENABLED", "hash")
WHOLE = WholeInventory(
    functions={"pay": FUNCTION},
    sites={"shop": SITE},
    remote_config={"firebase": TEMPLATE},
    rules={"cloud.firestore": RELEASE},
    identity={"mfa.state": "DISABLED"},
    indexes={INDEX.definition: INDEX},
    secrets={"PAYMENT/3": VERSION},
    schedules={"nightly": JOB},
    accounts={"run@shop": ("roles/editor",)},
    invokers={"pay": ("allUsers roles/run.invoker",)},
)


def with_part(part: InventoryPart, value: Any) -> WholeInventory:
    return replace(WHOLE, **{part: value})


def function(**changes: Any) -> dict[str, FunctionState]:
    return {"pay": replace(FUNCTION, **changes)}


def revision(**changes: Any) -> dict[str, RevisionState]:
    return {"pay-00001": replace(REVISION, **changes)}


def changed(part: InventoryPart, name: str, *aspects: str) -> tuple[Difference, ...]:
    return (Difference(part, name, ChangeKind.CHANGED, aspects),)


OTHER_SECRET = replace(CONFIGURATION, secrets=(SecretUse("KEY", "PAYMENT", "4"),))
PINNED = (TrafficTarget("pay-00001", 100),)


@pytest.mark.parametrize(
    ("part", "live", "aspects"),
    [
        (InventoryPart.FUNCTIONS, function(runtime="nodejs22"), ["runtime"]),
        (InventoryPart.FUNCTIONS, function(generation=Generation.FIRST), ["generation"]),
        (InventoryPart.FUNCTIONS, function(source=SourceObject("sources", "pay.zip", 8)), ["source"]),
        (InventoryPart.FUNCTIONS, function(configuration=OTHER_SECRET), ["configuration"]),
        (InventoryPart.FUNCTIONS, function(revisions={"pay-00002": REVISION}), ["revisions"]),
        (InventoryPart.FUNCTIONS, function(revisions=revision(image="x")), ["revisions"]),
        (InventoryPart.FUNCTIONS, function(traffic=PINNED), ["traffic"]),
        (InventoryPart.FUNCTIONS, function(definition={"labels": {"a": "c"}}), ["definition"]),
        (InventoryPart.FUNCTIONS, function(build_variables_hash="x"), ["build_variables_hash"]),
        (InventoryPart.SITES, {"shop": replace(SITE, version="v3")}, ["version"]),
        (InventoryPart.SITES, {"shop": replace(SITE, channels={})}, ["channels"]),
        (InventoryPart.REMOTE_CONFIG, {"firebase": replace(TEMPLATE, hash="other")}, ["hash"]),
        (InventoryPart.RULES, {"cloud.firestore": replace(RELEASE, ruleset="r2")}, ["ruleset"]),
        (InventoryPart.IDENTITY, {"mfa.state": "ENABLED"}, []),
        (InventoryPart.SECRETS, {"PAYMENT/3": replace(VERSION, state="DISABLED")}, ["state"]),
        (InventoryPart.SCHEDULES, {"nightly": replace(JOB, state="PAUSED")}, ["state"]),
        (InventoryPart.SCHEDULES, {"nightly": replace(JOB, hash="other")}, ["hash"]),
        (InventoryPart.ACCOUNTS, {"run@shop": ()}, []),
        (InventoryPart.INVOKERS, {"pay": ()}, []),
    ],
)
def test_what_is_changed(part: InventoryPart, live: dict[str, Any], aspects: list[str]) -> None:
    """It is told with what of it differs, once, and nothing else is."""
    (name,) = live

    assert differences(WHOLE, with_part(part, live)) == changed(part, name, *aspects)


@pytest.mark.parametrize(
    ("part", "live"),
    [
        (InventoryPart.FUNCTIONS, function(copy=KEPT)),
        (InventoryPart.FUNCTIONS, function(configuration=replace(CONFIGURATION, values=KEPT))),
        (InventoryPart.SITES, {"shop": replace(SITE, released_at=LATER)}),
        (InventoryPart.REMOTE_CONFIG, {"firebase": RemoteConfigTemplate("9", "etag-9", "hash")}),
        (InventoryPart.RULES, {"cloud.firestore": replace(RELEASE, updated_at=LATER)}),
        (InventoryPart.INDEXES, {INDEX.definition: replace(INDEX, state="CREATING")}),
    ],
)
def test_what_is_the_same_although_it_was_written_again(part: InventoryPart, live: dict[str, Any]) -> None:
    """Times, etags and progress are no difference."""
    assert differences(WHOLE, with_part(part, live)) == ()


@pytest.mark.parametrize("part", InventoryPart)
def test_what_comes_and_goes(part: InventoryPart) -> None:
    """What only one side has is created or deleted."""
    (name,) = getattr(WHOLE, part)
    without = with_part(part, {})

    assert differences(without, WHOLE) == (Difference(part, name, ChangeKind.CREATED),)
    assert differences(WHOLE, without) == (Difference(part, name, ChangeKind.DELETED),)


@pytest.mark.parametrize("part", InventoryPart)
def test_what_could_not_be_looked_at(part: InventoryPart) -> None:
    """Unknown, on either side or both, is no difference."""
    unknown = with_part(part, None)

    for recorded, live in ((WHOLE, unknown), (unknown, WHOLE), (unknown, unknown)):
        assert differences(recorded, live) == ()


def test_what_is_the_same() -> None:
    """Nothing differs from itself, kept as a document and read again."""
    again = decode(WholeInventory, encode(WHOLE))

    assert again == WHOLE
    assert differences(WHOLE, again) == ()
    assert set(InventoryPart) == set(WholeInventory.__struct_fields__)


def test_every_difference_in_order() -> None:
    """By part, then by name."""
    live = replace(
        WHOLE, secrets={"PAYMENT/3": replace(VERSION, state="DESTROYED"), "MAIL/1": VERSION}, functions={}
    )

    assert [(one.part, one.name) for one in differences(WHOLE, live)] == [
        (InventoryPart.FUNCTIONS, "pay"),
        (InventoryPart.SECRETS, "MAIL/1"),
        (InventoryPart.SECRETS, "PAYMENT/3"),
    ]


def test_values_of_variables_leave_no_trace() -> None:
    """A configuration holds names, and one hash that tells values apart."""
    other = build_configuration({"A": "2", "B": "changed"}, iter(()), account="run@shop")

    assert CONFIGURATION.variables == other.variables == ("A", "B")
    assert CONFIGURATION.variables_hash != other.variables_hash
    assert "changed" not in repr(other)
    assert build_configuration({}, iter(())) == Configuration()


def test_settings_by_their_paths() -> None:
    """A nested configuration is one value per path; secrets are left out wherever they stand."""
    config = {
        "signIn": {
            "email": {"enabled": True, "passwordRequired": False},
            "hashConfig": {"algorithm": "SCRYPT", "signerKey": "s3cret"},
            "phoneNumber": {"enabled": True, "testPhoneNumbers": {"+15550100": "123456"}},
        },
        "notification": {"sendEmail": {"smtp": {"host": "h", "password": "s3cret"}}},
        "client": {"apiKey": "s3cret"},
        "authorizedDomains": ["shop.example"],
        "blockingFunctions": {},
    }

    assert flatten_settings(config) == {
        "signIn.email.enabled": True,
        "signIn.email.passwordRequired": False,
        "signIn.hashConfig.algorithm": "SCRYPT",
        "signIn.phoneNumber.enabled": True,
        "notification.sendEmail.smtp.host": "h",
        "authorizedDomains": ["shop.example"],
        "blockingFunctions": {},
    }
