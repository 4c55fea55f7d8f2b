"""Firebase Rules as the embedded cloud plays it."""

from datetime import timedelta

from local.cloud import Cloud
from local.services.firebase.rules import HOST
from tests.local.support.rest import Product, product_at

PROJECT = "/v1/projects/shop"
RELEASE = "projects/shop/releases/cloud.firestore"
SOURCE = {"source": {"files": [{"name": "firestore.rules", "content": "service x {}"}]}}


rules = product_at(HOST)


def made(rules: Product) -> str:
    return str(rules.done("POST", f"{PROJECT}/rulesets", SOURCE)["name"])


def patch(ruleset: str) -> dict[str, object]:
    return {"release": {"name": RELEASE, "rulesetName": ruleset}}


def test_the_releases_of_a_system(rules: Product) -> None:
    """Each database and each bucket has its own; the default database's has no second part."""
    releases = rules.get(f"{PROJECT}/releases")["releases"]

    assert [one["name"].partition("/releases/")[2] for one in releases] == [
        "cloud.firestore",
        "cloud.firestore/orders",
        "firebase.storage/shop.appspot.com",
    ]
    for one in releases:
        assert rules.get(f"/v1/{one['name']}") == one
        assert rules.get(f"/v1/{one['rulesetName']}")["source"]["files"]


def test_new_rules_and_the_way_back(cloud: Cloud, rules: Product) -> None:
    """A release is moved from one ruleset to another; the rulesets stay as they are."""
    old = rules.get(f"/v1/{RELEASE}")
    cloud.clock.advance(timedelta(minutes=1))
    new = made(rules)

    rules.done("PATCH", f"/v1/{RELEASE}", patch(new))

    moved = rules.get(f"/v1/{RELEASE}")
    assert moved["rulesetName"] == new
    assert moved["createTime"] == old["createTime"] < moved["updateTime"]
    rules.done("PATCH", f"/v1/{RELEASE}", patch(old["rulesetName"]))
    assert rules.get(f"/v1/{RELEASE}")["rulesetName"] == old["rulesetName"]


def test_a_ruleset_that_was_deleted(rules: Product) -> None:
    """It cannot be released any more; one that is released cannot be deleted."""
    gone, in_force = made(rules), rules.get(f"/v1/{RELEASE}")["rulesetName"]
    rules.done("DELETE", f"/v1/{gone}")

    assert rules.refused("PATCH", f"/v1/{RELEASE}", patch(gone)) == "NOT_FOUND"
    assert rules.refused("DELETE", f"/v1/{in_force}") == "FAILED_PRECONDITION"
    assert rules.get(f"/v1/{RELEASE}")["rulesetName"] == in_force


def test_too_many_rulesets(cloud: Cloud, rules: Product) -> None:
    """A project has room for so many; one has to go before another comes."""
    first = made(rules)
    cloud.surroundings.rules.most_rulesets = 4

    assert rules.refused("POST", f"{PROJECT}/rulesets", SOURCE) == "RESOURCE_EXHAUSTED"
    rules.done("DELETE", f"/v1/{first}")
    made(rules)


def test_a_release_of_a_new_database(rules: Product) -> None:
    """A release is made once, of a ruleset that is there."""
    asked = {"name": f"{RELEASE}/carts", "rulesetName": made(rules)}

    rules.done("POST", f"{PROJECT}/releases", asked)

    assert rules.get(f"/v1/{RELEASE}/carts")["rulesetName"] == asked["rulesetName"]
    assert rules.refused("POST", f"{PROJECT}/releases", asked) == "ALREADY_EXISTS"


def test_a_release_changes_its_ruleset_alone(rules: Product) -> None:
    """A mask that names something else is refused."""
    before, new = rules.get(f"/v1/{RELEASE}"), made(rules)

    refused = rules.refused("PATCH", f"/v1/{RELEASE}", {**patch(new), "updateMask": "createTime"})

    assert refused == "INVALID_ARGUMENT"
    assert rules.get(f"/v1/{RELEASE}") == before
    rules.done("PATCH", f"/v1/{RELEASE}", {**patch(new), "updateMask": "ruleset_name"})
    assert rules.get(f"/v1/{RELEASE}")["rulesetName"] == new


def test_a_file_has_what_google_s_has_and_no_more(rules: Product) -> None:
    """A field that nobody stores is refused."""
    source = {"files": [{"name": "rules", "content": "x", "foo": 1}]}

    assert rules.refused("POST", f"{PROJECT}/rulesets", {"source": source}) == "INVALID_ARGUMENT"
