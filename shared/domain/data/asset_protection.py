"""Whether an application's assets would outlast the loss of where they come from. Pure."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

from shared.core.codec import FrozenStruct, StoredDocument, documents_of
from shared.domain.policy.system_policy import Policy
from shared.domain.signals.health import ProbeAnswer

CHECK_INTERVAL = timedelta(days=1)
RETRY_INTERVAL = timedelta(hours=1)
"""So long after a look that did not see everything there is another one."""
ABSENT_TOPIC_COUNT = -1
"""In the place of how many listen to a topic that is not there."""
REPLICATED_LOCATION_TYPES = ("dual-region", "multi-region")
"""Location types of buckets that lie in more than one region
(https://cloud.google.com/storage/docs/locations, read 2026-11)."""
assets_path = documents_of("assets")


class ObservedAssets(FrozenStruct):
    """What a look has seen; None stands where there was no answer."""

    first: Mapping[str, ProbeAnswer | None]
    fallback: Mapping[str, ProbeAnswer | None]
    places: Mapping[str, str | None]
    """The location type of each bucket; empty: there is no such bucket."""
    listeners: Mapping[str, int | None]
    """How many subscriptions each topic has; -1: there is no such topic."""


class AssetProtectionStatus(StoredDocument):
    """What was found the last time, `assets/{system}`."""

    system: str
    looked_at: datetime
    faults: dict[str, str] = {}
    """What does not hold of each asset; of one without an answer, what was seen of it last."""
    unseen: tuple[str, ...] = ()
    """Assets without an answer at this look."""
    unknown: tuple[str, ...] = ()
    """Those of them that people are told of: once may be a moment's trouble."""

    @property
    def due_at(self) -> datetime:
        """When the next look is due."""
        return self.looked_at + (RETRY_INTERVAL if self.unseen else CHECK_INTERVAL)

    @property
    def notified_faults(self) -> frozenset[tuple[str, str]]:
        """What people are told of, without the details that change by themselves."""
        faulty = {(name, "fault") for name in self.faults}
        return frozenset(faulty | {(name, "unknown") for name in self.unknown})

    @property
    def lines(self) -> tuple[str, ...]:
        """What is wrong and what is not known, each in words."""
        faults = (f"{name}: {what}" for name, what in self.faults.items())
        return (*faults, *(f"{name}: not known, there is no answer" for name in self.unseen))


def regeneration_topics(policy: Policy, collection: str) -> tuple[str, ...]:
    """The topics where a message asks for what a collection has to be made again."""
    return tuple(dict.fromkeys(one.topic for one in policy.collections[collection].derived))


def evaluate_assets(
    policy: Policy, seen: ObservedAssets, before: AssetProtectionStatus | None, now: datetime
) -> AssetProtectionStatus:
    """The posture after a look: what is unseen is unknown, and stays what it was known to be."""
    known = before.faults if before else {}
    missed = before.unseen if before else ()
    found = dict(_find_asset_faults(policy, seen))
    faults = {name: known.get(name, "") if what is None else what for name, what in found.items()}
    faults = {name: what for name, what in faults.items() if what}
    unseen = tuple(name for name, what in found.items() if what is None)
    recovering = before is not None and bool(before.notified_faults) and not faults
    unknown = tuple(name for name in unseen if recovering or name in missed)
    return AssetProtectionStatus(policy.system, now, faults, unseen, unknown)


def _find_asset_faults(policy: Policy, seen: ObservedAssets) -> Iterator[tuple[str, str | None]]:
    """What is wrong with each declared asset; empty: nothing, None: not known."""
    for one in policy.assets.static:
        answers = (seen.first.get(one.name), seen.fallback.get(one.name))
        yield f"static {one.name}", _static_asset_fault(*answers)
    for bucket in policy.assets.replicated:
        yield f"replicated {bucket}", _replication_fault(seen.places.get(bucket))
    for name in policy.assets.regenerated:
        asked = {topic: seen.listeners.get(topic) for topic in regeneration_topics(policy, name)}
        yield f"regenerated {name}", _regeneration_fault(asked)


def _static_asset_fault(first: ProbeAnswer | None, fallback: ProbeAnswer | None) -> str | None:
    bad = [
        f"{name} answers {one.status or 'nothing'}"
        for name, one in {"its first origin": first, "its fallback": fallback}.items()
        if one is not None and not one.passed
    ]
    if bad:
        return ", ".join(bad)
    if first is None or fallback is None:
        return None
    if first.status != fallback.status:
        return f"its first origin answers {first.status}, its fallback {fallback.status}"
    if first.digest != fallback.digest:
        return "its fallback serves something else than its first origin"
    return ""


def _replication_fault(place: str | None) -> str | None:
    if not place:
        return place if place is None else "there is no such bucket"
    return "" if place in REPLICATED_LOCATION_TYPES else f"it lies in one place ({place})"


def _regeneration_fault(asked: Mapping[str, int | None]) -> str | None:
    absent, deaf = _topics_with_answer(asked, ABSENT_TOPIC_COUNT), _topics_with_answer(asked, 0)
    if absent:
        return f"nobody can be asked for it: there is no topic {', '.join(absent)}"
    if deaf:
        return f"nobody hears that it is asked for: no subscription of {', '.join(deaf)}"
    return None if _topics_with_answer(asked, None) else ""


def _topics_with_answer(asked: Mapping[str, int | None], answer: int | None) -> list[str]:
    return [topic for topic, listeners in asked.items() if listeners == answer]
