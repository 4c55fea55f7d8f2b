from datetime import datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from shared.core.codec import decode, encode
from shared.domain.deployments.deployment import (
    Deployment,
    DeploymentStatus,
    Inventory,
    LiveFunction,
    Placement,
)
from shared.domain.deployments.images import Cleanup, CleanupCondition, CleanupPolicy, StoredImage
from shared.domain.deployments.inventory.inventory_parts import (
    AccountState,
    Configuration,
    FunctionState,
    Generation,
    HostingSite,
    Index,
    IndexField,
    RevisionState,
    RulesRelease,
    SecretUse,
    SecretVersion,
    SourceObject,
    WholeInventory,
)
from shared.domain.deployments.inventory.traffic import Revision, Service
from shared.domain.deployments.restorability import (
    CheckedResources,
    check_restorability,
    find_rebuild_faults,
    list_secret_versions,
)
from tests.support.fakes.runtime.clock import START

PLACED = Placement("services/pay", (), {"pay-1": 100})
DEPLOYMENT = Deployment("v1", "bookshop", START, DeploymentStatus.STABLE, {"pay": PLACED})
BOUND = (SecretUse("KEY", "PAY", "3"), SecretUse("MAIL", "MAIL", "latest"))
REVISION = RevisionState(START, "image", Configuration(account="run@shop", secrets=BOUND))
INDEX = Index("(default)", "carts", "COLLECTION", (IndexField("at", "DESCENDING"),))
ENABLED, DISABLED = SecretVersion("ENABLED", START), SecretVersion("DISABLED", START)
SECRETS = {"PAY/3": ENABLED, "MAIL/1": DISABLED, "MAIL/2": ENABLED}
RECORD = WholeInventory(
    functions={"pay": FunctionState("pay", Generation.SECOND, revisions={"pay-1": REVISION})},
    secrets=SECRETS,
    accounts={"run@shop": ("roles/editor",)},
    indexes={INDEX.definition: INDEX},
)


def inventory(*revisions: tuple[str, bool]) -> Inventory:
    service = Service("services/pay", "etag", "pay-2", "pay-2", (), (), False, True)
    found = tuple(Revision(name, "services/pay", START, ready) for name, ready in revisions)
    return {"pay": LiveFunction("pay", service, found)}


NO_MAIL = "pay: secret MAIL/latest is DISABLED"
EDITS = ("roles/editor",)
NEEDED = "whether run@shop needs roles/editor, which it lost (if so, grant it again)"
NO_ROLE = "pay: account run@shop is gone, or has no role any more"
THERE = inventory(("pay-1", True), ("pay-2", True))


LIVE = HostingSite("v1", START)
RULES = RulesRelease("r1", START)


@pytest.mark.parametrize(
    ("beside", "faults", "unknown"),
    [
        (CheckedResources(), [], []),  # both are live: nobody asked
        (CheckedResources({"shop/v1": "FINALIZED"}, {"r1": True}), [], []),
        (CheckedResources({"shop/v1": "EXPIRED"}), ["site shop: version v1 is EXPIRED"], []),
        (CheckedResources({"shop/v1": ""}), ["site shop: version v1 is gone"], []),
        (CheckedResources({"shop/v1": None}, {"r1": None}), [], ["ruleset r1", "version shop/v1"]),
        (CheckedResources({}, {"r1": False}), ["rules cloud.firestore: ruleset r1 is gone"], []),
    ],
)  # fmt: skip
def test_what_is_released_no_more(beside: CheckedResources, faults: list[str], unknown: list[str]) -> None:
    """Versions and rulesets that cannot be released again stand in the way; silence does not."""
    record = replace(RECORD, sites={"shop": LIVE}, rules={"cloud.firestore": RULES})

    proof = check_restorability(DEPLOYMENT, record, RECORD, THERE, START, beside)

    assert (list(proof.faults), list(proof.unknown)) == (faults, [*unknown, "images"])


SOURCE, COPY = SourceObject("sources", "pay.zip", 7), SourceObject("ours", "pay.zip", 1)
WHOLE = FunctionState("pay", Generation.SECOND, source=SOURCE, definition={"a": 1}, copy=COPY)
NO_COPY, NO_VALUES = "pay: no copy of its source", "pay: the values of its variables are not stored"


@pytest.mark.parametrize(
    ("function", "unkept", "told"),
    [
        (WHOLE, {"copy pay": "stale"}, []),
        (replace(WHOLE, copy=None), {}, [NO_COPY]),
        (replace(WHOLE, copy=None), {"copy pay": "403"}, [f"{NO_COPY}: 403"]),
        (replace(WHOLE, build_variables=("A",)), {"values pay": "403"}, [f"{NO_VALUES}: 403"]),
        (replace(WHOLE, source=None, copy=None), {}, ["pay: its source is not in Cloud Storage"]),
    ],
)
def test_what_stands_in_the_way_of_building_again(
    function: FunctionState, unkept: dict[str, str], told: list[str]
) -> None:
    """It is said with its reason, and is no fault as long as the revision is there."""
    record = replace(RECORD, functions={"pay": function})

    proof = check_restorability(DEPLOYMENT, record, record, THERE, START, CheckedResources(unkept=unkept))

    assert list(proof.rebuild) == told
    assert proof.faults == ()


def test_many_reasons_are_counted() -> None:
    """A deployment's document has room for the first of them."""
    many = {f"f{n}": FunctionState(f"f{n}", Generation.SECOND) for n in range(100)}

    told = find_rebuild_faults(WholeInventory(functions=many), {})

    assert len(told) == 51
    assert told[-1] == "and 50 more"


DAY = timedelta(days=1)
PLACE = "europe-west1-docker.pkg.dev/shop/gcf-artifacts"
IMAGE = f"{PLACE}/pay@sha256:1"
NO_RUNTIME = "pay: runtime nodejs16 is decommissioned"
NO_IMAGE = "pay: the image of pay-1 is gone, and it cannot be built again"


@pytest.mark.parametrize(
    ("image", "stored", "buildable", "faults", "unknown"),
    [
        (IMAGE, {PLACE: {IMAGE: StoredImage(IMAGE, START)}}, False, [], []),
        (IMAGE, {PLACE: {}}, False, [NO_IMAGE], []),
        (IMAGE, {PLACE: {}}, True, [], []),  # image or source is enough
        (IMAGE, {PLACE: None}, False, [], ["images"]),
        (IMAGE, {}, False, [], ["images"]),
        ("gcr.io/shop/pay@sha256:1", {PLACE: {}}, False, [], ["images"]),
    ],
)  # fmt: skip
def test_an_image_that_is_cleaned_up(
    image: str,
    stored: dict[str, dict[str, StoredImage] | None],
    buildable: bool,
    faults: list[str],
    unknown: list[str],
) -> None:
    """It stands in the way where nothing can be built in its place; silence is no fault."""
    function = replace(
        WHOLE if buildable else FunctionState("pay", Generation.SECOND),
        revisions={"pay-1": replace(REVISION, image=image)},
    )
    record = replace(RECORD, functions={"pay": function})

    proof = check_restorability(DEPLOYMENT, record, RECORD, THERE, START, CheckedResources(images=stored))

    assert (list(proof.faults), list(proof.unknown)) == (faults, unknown)


ONE_DAY = Cleanup({"firebase": CleanupPolicy("DELETE", CleanupCondition(older_than="86400s"))})


@pytest.mark.parametrize(
    ("stored", "cleanup", "buildable", "lines", "warns"),
    [
        ({IMAGE: START}, Cleanup(), True, [], False),
        (
            {IMAGE: START},
            ONE_DAY,
            True,
            ["images stored until 2026-03-03 12:00 UTC, then functions are rebuilt, about 90 s each"],
            True,
        ),
        (
            {IMAGE: START + 7 * DAY},
            ONE_DAY,
            False,
            ["images stored until 2026-03-10 12:00 UTC, then it cannot be restored completely"],
            False,
        ),
        ({}, ONE_DAY, True, ["1 function to rebuild, about 90 s each: images deleted"], False),
    ],
)
def test_until_when_images_are_stored(
    stored: dict[str, datetime], cleanup: Cleanup, buildable: bool, lines: list[str], warns: bool
) -> None:
    """Runbook: "Last 30 deployments maintained with instant access", until an image is deleted.

    What a restoration takes then is known now; a warning comes seven days before.
    """
    copied = WHOLE if buildable else replace(WHOLE, copy=None)
    function = replace(copied, revisions={"pay-1": replace(REVISION, image=IMAGE)})
    images = {name: StoredImage(name, at) for name, at in stored.items()}
    beside = CheckedResources(images={PLACE: images}, cleanup={PLACE: cleanup})

    record = replace(RECORD, functions={"pay": function})
    proof = check_restorability(DEPLOYMENT, record, RECORD, THERE, START, beside)

    assert list(proof.image_lines) == lines
    assert proof.image_warning == (lines[-1] if warns else "")
    assert proof.faults == ()


def test_policies_that_give_no_answer() -> None:
    """It is said that nobody knows for how long the images stay."""
    record = replace(
        RECORD, functions={"pay": replace(WHOLE, revisions={"pay-1": replace(REVISION, image=IMAGE)})}
    )
    beside = CheckedResources(images={PLACE: {IMAGE: StoredImage(IMAGE, START)}}, cleanup={PLACE: None})

    proof = check_restorability(DEPLOYMENT, record, RECORD, THERE, START, beside)

    assert (proof.images_until, proof.unknown) == (None, (f"clean-up policies of {PLACE}",))


@pytest.mark.parametrize(
    ("offered", "faults", "unknown"),
    [
        (frozenset({(Generation.SECOND, "nodejs16")}), [], []),
        (frozenset({(Generation.FIRST, "nodejs16")}), [NO_RUNTIME], []),
        (None, [], ["runtimes"]),
    ],
)  # fmt: skip
def test_a_runtime_that_is_decommissioned(
    offered: frozenset[tuple[Generation, str]] | None, faults: list[str], unknown: list[str]
) -> None:
    """Of its own generation; silence is no fault, and is said."""
    record = replace(RECORD, functions={"pay": replace(WHOLE, runtime="nodejs16")})

    proof = check_restorability(DEPLOYMENT, record, RECORD, THERE, START, CheckedResources(runtimes=offered))

    assert (list(proof.faults), list(proof.unknown)) == (faults, unknown)


@pytest.mark.parametrize(
    ("roles", "faults"), [({}, [NO_ROLE]), ({"run@shop": ("roles/viewer",)}, []), (None, [])]
)
def test_an_account_that_nothing_live_runs_as(
    roles: dict[str, tuple[str, ...]] | None, faults: list[str]
) -> None:
    """It is asked for by itself; without an answer it is not known to be gone."""
    live = replace(RECORD, accounts={"other@shop": ("roles/editor",)})

    proof = check_restorability(DEPLOYMENT, RECORD, live, THERE, START, CheckedResources(roles=roles))

    assert list(proof.faults) == faults


@pytest.mark.parametrize(
    ("state", "roles", "faults", "unknown"),
    [
        (AccountState.ENABLED, EDITS, [], []),
        (AccountState.DISABLED, EDITS, ["pay: account run@shop is disabled"], []),
        (AccountState.GONE, EDITS, ["pay: account run@shop is gone"], []),
        (None, EDITS, [], ["account run@shop"]),
        (AccountState.ENABLED, (), ["pay: account run@shop has no role any more"], []),
        (AccountState.GONE, (), ["pay: account run@shop is gone"], []),
        (None, (), [NO_ROLE], ["account run@shop"]),
        (AccountState.ENABLED, ("roles/viewer",), [], [NEEDED]),
        (AccountState.ENABLED, (*EDITS, "roles/viewer"), [], []),
    ],
)  # fmt: skip
def test_an_account_that_functions_run_as(
    state: AccountState | None, roles: tuple[str, ...], faults: list[str], unknown: list[str]
) -> None:
    """Disabled, gone or without any role it stands in the way; what it may miss is unknown."""
    live = replace(RECORD, accounts={"run@shop": roles})
    beside = CheckedResources(accounts={"run@shop": state})

    proof = check_restorability(DEPLOYMENT, RECORD, live, THERE, START, beside)

    assert (list(proof.faults), list(proof.unknown)) == (faults, [*unknown, "images"])


@pytest.mark.parametrize(
    ("changes", "found", "faults", "unknown"),
    [
        ({}, THERE, [], []),
        ({}, inventory(("pay-1", False)), ["pay: revision pay-1 is not ready"], []),
        ({}, inventory(("pay-2", True)), ["pay: revision pay-1 is gone"], []),
        ({}, {}, ["pay is gone"], []),
        ({}, None, [], ["revisions"]),
        ({"secrets": {**SECRETS, "PAY/3": DISABLED}}, THERE, ["pay: secret PAY/3 is DISABLED"], []),
        ({"secrets": {"MAIL/2": ENABLED}}, THERE, ["pay: secret PAY/3 is gone"], []),
        ({"secrets": {**SECRETS, "MAIL/2": DISABLED}}, THERE, [NO_MAIL], []),
        ({"secrets": None}, THERE, [], ["secrets"]),
        ({"accounts": {"run@shop": ()}}, THERE, [NO_ROLE], []),
        ({"accounts": {}}, THERE, [], []),  # nothing runs as it now: nobody asked
        ({"accounts": None}, THERE, [], ["accounts"]),
        ({"indexes": {}}, THERE, [f"index {INDEX.definition} is gone"], []),
        ({"indexes": None}, THERE, [], ["indexes"]),
    ],
)  # fmt: skip
def test_what_stands_in_the_way_of_going_back(
    changes: dict[str, Any], found: Inventory | None, faults: list[str], unknown: list[str]
) -> None:
    """Whatever it needs and is not there; what gave no answer is no fault, and is said."""
    proof = check_restorability(DEPLOYMENT, RECORD, replace(RECORD, **changes), found, START)

    assert list(proof.faults) == faults
    assert list(proof.unknown) == [*unknown, "images"]
    assert proof.checked_at == START


def test_a_proof_of_before_start_tests_were_removed() -> None:
    """What it says of starts is passed over, and all else is read as it was."""
    proof = check_restorability(DEPLOYMENT, RECORD, RECORD, {}, START)
    kept = encode(replace(DEPLOYMENT, restorable=proof))
    tried = {"pay-1": {"started_at": None, "failed_at": START, "words": "exit(1)"}}
    kept["restorable"] |= {"started": {"pay-1": START}, "tried": tried}

    assert decode(Deployment, kept).restorable == proof


def test_secrets_that_are_not_watched() -> None:
    """What the policy does not name is not known to be gone, and that is said."""
    record = replace(RECORD, secrets={})

    proof = check_restorability(DEPLOYMENT, record, record, THERE, START + timedelta(1))

    assert proof.faults == ()
    assert proof.unknown == ("secret MAIL/latest", "secret PAY/3", "images")


def test_the_versions_of_secrets_that_a_deployment_used() -> None:
    """Each by its number; of `latest` that which was the newest then, whatever its state."""
    assert list_secret_versions(RECORD) == ["MAIL/2", "PAY/3"]
    ten = {**SECRETS, "MAIL/10": DISABLED}
    assert list_secret_versions(replace(RECORD, secrets=ten)) == ["MAIL/10", "PAY/3"]
