"""Firebase Hosting as the embedded cloud plays it."""

from datetime import datetime, timedelta
from urllib.parse import quote

import pytest

from local.application import Part
from local.cloud import Cloud
from local.services.firebase.hosting import HOST
from local.services.firebase.identity import HOST as IDENTITY
from local.system_resources import FAILURE_RATE_LABEL
from tests.local.support.rest import Product, product_at

SITE = "/v1beta1/sites/shop"


hosting = product_at(HOST)


def live(hosting: Product) -> str:
    """The version that the live channel serves."""
    return str(hosting.get(f"{SITE}/channels/live")["release"]["version"]["name"])


def uploaded(hosting: Product, *, finalized: bool = True) -> str:
    """A new version's name."""
    name = str(hosting.done("POST", f"{SITE}/versions", {"config": {}})["name"])
    if finalized:
        hosting.done("PATCH", f"/v1beta1/{name}?updateMask=status", {"status": "FINALIZED"})
    return name


def release(hosting: Product, version: str, channel: str = "") -> str:
    """The type of the release that was made."""
    where = f"{SITE}/channels/{channel}" if channel else SITE
    return str(hosting.done("POST", f"{where}/releases?versionName={version}", {})["type"])


def test_a_new_site(hosting: Product) -> None:
    """A site serves a finalised version from its beginning."""
    (site,) = hosting.get("/v1beta1/projects/shop/sites")["sites"]
    (channel,) = hosting.get(f"{SITE}/channels")["channels"]

    assert site["name"] == "projects/shop/sites/shop"
    assert channel["name"] == "sites/shop/channels/live"
    assert channel["release"]["version"]["status"] == "FINALIZED"
    assert channel["release"]["type"] == "DEPLOY"


def test_a_deploy_and_the_way_back(cloud: Cloud, hosting: Product) -> None:
    """The type of a release is the server's: a version that was live before is a rollback."""
    first = live(hosting)
    second = uploaded(hosting)

    assert release(hosting, second) == "DEPLOY"
    cloud.clock.advance(timedelta(minutes=1))
    assert release(hosting, first) == "ROLLBACK"

    assert live(hosting) == first
    history = hosting.get(f"{SITE}/releases")["releases"]
    assert [one["version"]["name"] for one in history] == [first, second, first]


def test_releases_at_one_moment(hosting: Product) -> None:
    """The last one asked for is live, also when the clock stands still."""
    for _ in range(3):
        newest = uploaded(hosting)
        release(hosting, newest)

        assert live(hosting) == newest


def test_versions_that_cannot_be_released(hosting: Product) -> None:
    """Only what is finalised, of this site and not live already can be released."""
    unfinished, deleted = uploaded(hosting, finalized=False), uploaded(hosting)
    hosting.done("DELETE", f"/v1beta1/{deleted}")
    before = live(hosting)

    def refused(version: str, body: dict[str, str] | None = None) -> str:
        path = f"{SITE}/releases?versionName={version}"
        return hosting.refused("POST", path, body or {})

    assert refused(unfinished) == "FAILED_PRECONDITION"
    assert refused(deleted) == "FAILED_PRECONDITION"
    assert refused(before) == "FAILED_PRECONDITION"
    assert refused("sites/shop/versions/none") == "NOT_FOUND"
    assert refused("sites/other/versions/none") == "INVALID_ARGUMENT"
    assert refused(uploaded(hosting), {"type": "ROLLBACK"}) == "INVALID_ARGUMENT"
    assert live(hosting) == before


def test_versions_beyond_what_is_retained(hosting: Product) -> None:
    """A version that only older releases show expires, and cannot be released any more."""
    first = live(hosting)
    hosting.done("PATCH", f"{SITE}/channels/live", {"retainedReleaseCount": 2})
    second, third = uploaded(hosting), uploaded(hosting)
    release(hosting, second)
    release(hosting, third)

    states = {one["name"]: one["status"] for one in hosting.get(f"{SITE}/versions")["versions"]}

    assert states == {first: "EXPIRED", second: "FINALIZED", third: "FINALIZED"}
    path = f"{SITE}/releases?versionName={first}"
    assert hosting.refused("POST", path, {}) == "FAILED_PRECONDITION"


def test_a_preview_channel(hosting: Product) -> None:
    """A channel serves what is released to it, and leaves the live one alone."""
    before = live(hosting)
    hosting.done("POST", f"{SITE}/channels?channelId=next", {})
    version = uploaded(hosting)

    release(hosting, version, "next")

    channels = hosting.get(f"{SITE}/channels")["channels"]
    shown = {one["name"]: one["release"]["version"]["name"] for one in channels}
    assert shown == {"sites/shop/channels/live": before, "sites/shop/channels/next": version}
    assert hosting.refused("POST", f"{SITE}/channels?channelId=next", {}) == "ALREADY_EXISTS"


def test_a_long_history_in_pages(hosting: Product) -> None:
    """Every version comes once, whatever the size of the pages."""
    made = {live(hosting), *(uploaded(hosting) for _ in range(4))}
    found: list[str] = []
    token = ""
    while True:
        page = hosting.get(f"{SITE}/versions?pageSize=2&pageToken={token}")
        found += [one["name"] for one in page["versions"]]
        token = page.get("nextPageToken", "")
        if not token:
            break

    assert len(found) == len(made)
    assert set(found) == made


def test_a_site_that_is_not_there(hosting: Product) -> None:
    """Nothing is invented for a name."""
    for path in ("/v1beta1/sites/none/channels", "/v1beta1/projects/shop/sites/none"):
        assert hosting.refused("GET", path) == "NOT_FOUND"


def test_a_site_fares_as_the_version_that_it_serves(cloud: Cloud, hosting: Product) -> None:
    """A bad version fails from its release on, and no longer than it is live."""
    first = live(hosting)
    said = {"config": {}, "labels": {FAILURE_RATE_LABEL: "0.5"}}
    bad = str(hosting.done("POST", f"{SITE}/versions", said)["name"])
    hosting.done("PATCH", f"/v1beta1/{bad}?updateMask=status", {"status": "FINALIZED"})
    parts = cloud.application("bookshop").parts

    rates = [parts.now(Part.SITE).failure_rate]
    for version in (bad, first):
        release(hosting, version)
        rates.append(parts.now(Part.SITE).failure_rate)

    assert rates == [0.0, 0.5, 0.0]


def test_sign_ins_fare_as_they_are_configured(cloud: Cloud) -> None:
    """Nobody signs in by e-mail while that is switched off."""
    platform = Product(cloud, IDENTITY)
    where = "/admin/v2/projects/shop/config?updateMask=signIn.email.enabled"
    parts = cloud.application("bookshop").parts

    rates = []
    for enabled in (False, True):
        platform.done("PATCH", where, {"signIn": {"email": {"enabled": enabled}}})
        rates.append(parts.now(Part.SIGN_INS).failure_rate)

    assert rates == [1.0, 0.0]


def test_what_a_channel_is_created_with(cloud: Cloud, hosting: Product) -> None:
    """Its labels, its number of releases and its expiry are stored, and changed by a mask."""
    asked = {"ttl": "600s", "labels": {"team": "web"}, "retainedReleaseCount": 5}
    made = hosting.done("POST", f"{SITE}/channels?channelId=next", asked)
    path = f"{SITE}/channels/next"

    changed = hosting.done("PATCH", f"{path}?updateMask=labels,ttl", {"ttl": "1200s"})

    expiry = cloud.clock.now() + timedelta(seconds=600)
    assert made["labels"] == {"team": "web"}
    assert made["retainedReleaseCount"] == 5
    assert datetime.fromisoformat(made["expireTime"]) == expiry
    assert datetime.fromisoformat(changed["expireTime"]) == expiry + timedelta(seconds=600)
    assert "labels" not in changed
    assert hosting.get(path) == changed
    for wrong in ({"retainedReleaseCount": 0}, {"retainedReleaseCount": 101}, {"ttl": "a week"}):
        assert hosting.refused("PATCH", path, wrong) == "INVALID_ARGUMENT"


@pytest.mark.parametrize("channel", ["", "A B", "-next", "next-", "a_b", "x" * 64])
def test_a_channel_with_a_name_that_cannot_be(hosting: Product, channel: str) -> None:
    """Letters, digits and hyphens, which stand inside."""
    path = f"{SITE}/channels?channelId={quote(channel)}"

    assert hosting.refused("POST", path, {}) == "INVALID_ARGUMENT"


def test_a_version_as_firebase_tools_makes_it(hosting: Product) -> None:
    """It is configured when it is finalised, and not afterwards."""
    asked = {"status": "CREATED", "labels": {"deployment-tool": "cli-firebase"}}
    name = hosting.done("POST", f"{SITE}/versions", asked)["name"]
    path, config = f"/v1beta1/{name}", {"cleanUrls": True}

    done = hosting.done(
        "PATCH", f"{path}?updateMask=status,config", {"status": "FINALIZED", "config": config}
    )

    assert done["status"] == "FINALIZED"
    assert done["config"] == config
    assert done["labels"] == asked["labels"]
    later = {"config": {"cleanUrls": False}}
    assert hosting.refused("PATCH", f"{path}?updateMask=config", later) == "FAILED_PRECONDITION"
    assert hosting.refused("POST", f"{SITE}/versions", {"status": "FINALIZED"}) == "INVALID_ARGUMENT"
