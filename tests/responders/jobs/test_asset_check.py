"""Assets are looked at once a day: what does not hold is told, what is unseen is unknown."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from shared.core.errors import Rejected, Unavailable
from shared.core.store import Query
from shared.domain.data.asset_protection import (
    ABSENT_TOPIC_COUNT,
    AssetProtectionStatus,
    ObservedAssets,
    assets_path,
    evaluate_assets,
)
from shared.domain.policy.data_rules import Collection, Derived
from shared.domain.policy.resources import AssetRules, StaticAsset
from shared.domain.signals.health import ProbeAnswer
from tests.support.fakes.runtime.clock import START
from tests.support.fakes.runtime.hooks import no_hook, raise_error
from tests.support.notices import system_events
from tests.support.notices.system_events import tick_clock
from tests.support.runtime.world import BOOKSHOP, World

HOUR = timedelta(hours=1)
ICON = StaticAsset("icon", "https://shop.example/icon", "https://icons.example/icon")
POLICY = replace(
    BOOKSHOP,
    assets=AssetRules((ICON,), ("covers",), ("previews",)),
    collections={"previews": Collection(derived=(Derived("draw-again"), Derived("draw-again")))},
)
GOOD, BAD = ProbeAnswer(True, 200, digest="icon"), ProbeAnswer(False, 503)
WELL = ObservedAssets({"icon": GOOD}, {"icon": GOOD}, {"covers": "dual-region"}, {"draw-again": 1})
STATIC, COVERS, PREVIEWS = "static icon", "replicated covers", "regenerated previews"


@pytest.mark.parametrize(
    ("seen", "faults", "unseen"),
    [
        (WELL, {}, ()),
        (replace(WELL, places={"covers": "multi-region"}), {}, ()),
        (replace(WELL, places={"covers": "region"}), {COVERS: "it lies in one place (region)"}, ()),
        (replace(WELL, places={"covers": ""}), {COVERS: "there is no such bucket"}, ()),
        (replace(WELL, places={"covers": None}), {}, (COVERS,)),
        (replace(WELL, first={"icon": BAD}), {STATIC: "its first origin answers 503"}, ()),
        (
            replace(WELL, first={"icon": None}, fallback={"icon": BAD}),
            {STATIC: "its fallback answers 503"},
            (),
        ),
        (
            replace(WELL, fallback={"icon": ProbeAnswer(False, None)}),
            {STATIC: "its fallback answers nothing"},
            (),
        ),
        (
            replace(WELL, fallback={"icon": ProbeAnswer(True, 204)}),
            {STATIC: "its first origin answers 200, its fallback 204"},
            (),
        ),
        (
            replace(WELL, fallback={"icon": replace(GOOD, digest="another")}),
            {STATIC: "its fallback serves something else than its first origin"},
            (),
        ),
        (replace(WELL, first={"icon": None}), {}, (STATIC,)),
        (
            replace(WELL, listeners={"draw-again": 0}),
            {PREVIEWS: "nobody hears that it is asked for: no subscription of draw-again"},
            (),
        ),
        (
            replace(WELL, listeners={"draw-again": ABSENT_TOPIC_COUNT}),
            {PREVIEWS: "nobody can be asked for it: there is no topic draw-again"},
            (),
        ),
        (replace(WELL, listeners={"draw-again": None}), {}, (PREVIEWS,)),
        (ObservedAssets({}, {}, {}, {}), {}, (STATIC, COVERS, PREVIEWS)),
    ],
)
def test_what_does_not_hold(seen: ObservedAssets, faults: dict[str, str], unseen: tuple[str, ...]) -> None:
    """Each asset by what was seen of it; no answer is neither a fault nor well."""
    status = evaluate_assets(POLICY, seen, None, START)

    assert (status.faults, status.unseen, status.unknown) == (faults, unseen, ())
    assert status.due_at == START + (HOUR if unseen else 24 * HOUR)


@pytest.mark.parametrize(
    ("before", "amiss"),
    [
        (AssetProtectionStatus("bookshop", START), set()),
        (AssetProtectionStatus("bookshop", START, unseen=(COVERS,)), {(COVERS, "unknown")}),
        (AssetProtectionStatus("bookshop", START, {COVERS: "it lies in one place"}), {(COVERS, "fault")}),
        (
            AssetProtectionStatus("bookshop", START, {STATIC: "its fallback answers 503"}),
            {(COVERS, "unknown")},
        ),
    ],
)
def test_what_is_not_seen_any_more(before: AssetProtectionStatus, amiss: set[tuple[str, str]]) -> None:
    """A fault stays one; what stays unseen is told, at once where all would be called well."""
    status = evaluate_assets(POLICY, replace(WELL, places={"covers": None}), before, START + HOUR)

    assert status.notified_faults == amiss


def world() -> World:
    """A system whose assets are as its policy declares them."""
    shop = World(policy=POLICY)
    shop.ports.provisions.buckets["covers"] = "dual-region"
    shop.ports.provisions.topics[f"projects/{POLICY.project}/topics/draw-again"] = 1
    return shop


def told(shop: World) -> list[str]:
    """What people were told of assets, once each, oldest first."""
    notices = shop.store.query(Query("notices", order_by="created_at"))
    texts = [str(one.fields["text"]) for one in notices if one.fields]
    return list(dict.fromkeys(one for one in texts if ": assets " in one))


def pass_hours(shop: World, hours: int) -> None:
    for _ in range(hours):
        tick_clock(shop)
        shop.start_instances()
        shop.advance_clock(HOUR)


def test_a_fallback_that_is_gone_is_told_once_and_again_when_it_is_back() -> None:
    """Within a day, however often and by whichever instance, and on record."""
    shop = world()
    pass_hours(shop, 3)
    assert told(shop) == []

    del shop.ports.provisions.buckets["covers"]
    pass_hours(shop, 50)
    gone = "bookshop: assets are not as declared\nreplicated covers: there is no such bucket"
    assert told(shop) == [gone]

    shop.ports.provisions.buckets["covers"] = "multi-region"
    pass_hours(shop, 25)
    assert told(shop) == [gone, "bookshop: assets are as declared again"]
    assert system_events.system_event_names(shop, "assets.") == ["assets.amiss", "assets.kept"]


@pytest.mark.parametrize("failure", [Unavailable("no answer"), Rejected("forbidden")])
def test_what_cannot_be_seen_is_looked_at_each_hour_and_told(failure: Exception) -> None:
    """One look without an answer is a moment's trouble, two are not."""
    shop = world()
    shop.ports.provisions.hook = raise_error("provisions.listeners", failure)
    pass_hours(shop, 1)
    assert told(shop) == []

    pass_hours(shop, 3)
    unseen = "bookshop: assets cannot be read\nregenerated previews: not known, there is no answer"
    assert told(shop) == [unseen]

    shop.ports.provisions.hook = no_hook
    pass_hours(shop, 2)
    assert told(shop) == [unseen, "bookshop: assets are as declared again"]


def test_a_policy_without_assets_asks_nothing() -> None:
    """No call is made for it, and nothing is kept."""
    shop = World()
    asked: list[str] = []
    shop.ports.provisions.hook = lambda verb, side: asked.append(verb)

    tick_clock(shop)

    assert asked == []
    assert shop.store.get(assets_path("bookshop")).fields is None
