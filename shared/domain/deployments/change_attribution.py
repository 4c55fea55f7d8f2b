"""Who has changed what differs from the last look: others, a rollback of ours, or a person."""

from collections.abc import Collection, Container, Iterable, Mapping
from datetime import datetime, timedelta

from shared.core.codec import FrozenStruct
from shared.domain.deployments.deployment import Deployment
from shared.domain.deployments.inventory.diff import ChangeKind, Difference
from shared.domain.deployments.inventory.inventory_parts import FunctionState, SourceObject, WholeInventory
from shared.domain.deployments.inventory.inventory_record import InventoryRecord
from shared.domain.deployments.inventory.products import PRODUCTS, InventoryPart
from shared.domain.deployments.inventory.traffic import Traffic, traffic_shares
from shared.domain.system_record import System

_SHIFTED = frozenset({"traffic", "revisions"})
"""What differs of a function when its requests are led elsewhere, and nothing was deployed."""


class OwnWrite(FrozenStruct):
    """What a rollback of ours has led, or may have led, a function's requests to."""

    rollback: str
    origin: Traffic
    goal: Traffic
    helped: bool = False
    """Whether the system was well, or not worse, once it was there."""
    source: SourceObject | None = None
    """Our copy that it was, or may have been, built from; None: it was not built."""
    chosen_at: datetime | None = None
    """When it was led there by an operator's choice, which is a deployment; None: by no such."""


class AttributedChanges(FrozenStruct):
    """What differs from the last look."""

    changes: tuple[Difference, ...] = ()
    """That others have made."""
    ours: dict[str, str] = {}
    """Functions, and `PART NAME` of others, that a rollback of ours changed, and which one."""
    by_hand: tuple[str, ...] = ()
    """What a person changed where automation works: functions, and `PART NAME` of others."""
    taken_back: dict[str, OwnWrite] = {}
    """Functions that others have deployed, and that we had led back before that was seen."""
    let_through: dict[str, datetime | None] = {}
    """Functions whose traffic operators moved after a rollback, and when; None: not known."""
    released: tuple[str, ...] = ()
    """Those of them whose requests now reach what the roll-out had deployed before."""

    @property
    def moved_functions(self) -> set[str]:
        """Those of which others have changed what serves, not what is deployed alone."""
        return {
            one.name
            for one in self.changes
            if one.part is InventoryPart.FUNCTIONS
            and (one.change is not ChangeKind.CHANGED or not _SHIFTED.isdisjoint(one.aspects))
        }


def attribute_changes(
    found: Iterable[Difference],
    stock: InventoryRecord,
    live: WholeInventory,
    wrote: Mapping[str, OwnWrite],
    system: System,
    *,
    rolling: Deployment | None = None,
    rolls_on: Collection[str] = (),
) -> AttributedChanges:
    """Attribute changes since the last look; `rolls_on`: what the roll-out went on to deploy."""
    ours, changes, by_hand, taken = {}, [], [], {}
    let_through: dict[str, datetime | None] = {}
    released = []
    for difference in found:
        function = difference.name
        mine = wrote.get(function) if difference.part is InventoryPart.FUNCTIONS else None
        if mine is not None and _is_own_change(difference, live, mine):
            ours[function] = mine.rollback
            if mine.chosen_at is not None:
                let_through[function] = mine.chosen_at
                changes.append(difference)
            elif not (_is_own_build(difference, live, mine) or is_shift(difference)):
                taken[function] = mine
                changes.append(difference)
            continue
        changes.append(difference)
        if function in stock.wrote and "traffic" in difference.aspects:
            let_through[function] = None
            if is_shift(difference) and _is_release(function, live, rolling):
                released.append(function)
        name = suspension_name(difference.part, function)
        if name in rolls_on and not is_shift(difference):
            continue
        if _is_manual_change(difference, stock, live, mine, system, function in released):
            by_hand.append(name)
    return AttributedChanges(tuple(changes), ours, tuple(by_hand), taken, let_through, tuple(released))


def rollout_changes(
    found: Iterable[Difference],
    stock: InventoryRecord,
    live: WholeInventory,
    wrote: Container[str],
    system: System,
    rolling: Deployment | None,
    quiet: timedelta,
) -> set[str]:
    """What belongs to a roll-out that began before the open incident was detected.

    Beside functions that is all that changes before it has settled. It goes on as long as each
    deployment follows the one before within `quiet`. `rolling` is what was known of it before this
    look; None: it may have begun since the last one. What a rollback of ours has led back was
    deployed before the detection, at a time that is not seen any more.
    """
    detected = system.incident_detected_at
    if detected is None:
        return set()
    before, after = stock.live.function_states, live.function_states
    moments = []
    for one in found:
        if one.part is InventoryPart.FUNCTIONS and not is_shift(one):
            made = new_revision_times(before.get(one.name), after.get(one.name))
            at = detected if one.name in wrote else min(made, default=None)
            moments += [(at, one.name)] if at else []
    last = None
    reached = set()
    if rolling is not None and rolling.at <= detected:
        reached |= {suspension_name(one.part, one.name) for one in found if PRODUCTS[one.part].is_restored}
        seen = (at for one in before.values() for at in new_revision_times(None, one))
        last = max(seen, default=rolling.at)
    for at, function in sorted(moments):
        if at <= detected or (last is not None and at - last <= quiet):
            last = at if last is None else max(last, at)
            reached.add(function)
    return reached


def suspension_name(part: InventoryPart, name: str) -> str:
    """What a thing is called when it is left to a person: of functions its name alone."""
    return name if part is InventoryPart.FUNCTIONS else f"{part} {name}"


def is_shift(difference: Difference) -> bool:
    """Whether requests were led elsewhere, and nothing was deployed."""
    return difference.change is ChangeKind.CHANGED and _SHIFTED.issuperset(difference.aspects)


def is_same_traffic(one: Traffic, other: Traffic, latest: str) -> bool:
    """Whether two lists lead the same requests and the same tags to the same revisions."""
    return traffic_shares(one, latest) == traffic_shares(other, latest) and _tags(one, latest) == _tags(
        other, latest
    )


def _tags(traffic: Traffic, latest: str) -> set[tuple[str, str]]:
    return {(entry.tag, entry.revision or latest) for entry in traffic if entry.tag}


def _is_own_build(difference: Difference, live: WholeInventory, wrote: OwnWrite) -> bool:
    """Whether a function is built from our copy: changed so, or created again."""
    if wrote.source is None or difference.change is ChangeKind.DELETED:
        return False
    return live.function_states[difference.name].source == wrote.source


def _is_own_change(difference: Difference, live: WholeInventory, wrote: OwnWrite) -> bool:
    if _is_own_build(difference, live, wrote):
        return True
    if difference.change is not ChangeKind.CHANGED or "traffic" not in difference.aspects:
        return False
    function = live.function_states[difference.name]
    return is_same_traffic(function.traffic, wrote.goal, function.latest)


def _is_manual_change(
    difference: Difference,
    stock: InventoryRecord,
    live: WholeInventory,
    wrote: OwnWrite | None,
    system: System,
    is_released: bool,
) -> bool:
    """Whether a person has changed something where automation works, or has worked.

    That is, of a function: led its requests away from where we led them, other than to what the
    roll-out deployed, or anywhere while a rollback is to lead them. Or changed anything surely
    after the open incident was detected; what may have been changed before was perhaps its cause.
    """
    if difference.part is not InventoryPart.FUNCTIONS:
        at = min(reported_change_times(difference, live), default=stock.read_at)
        return PRODUCTS[difference.part].is_restored and _is_during_incident(system, at)
    before = stock.live.function_states.get(difference.name)
    now = live.function_states.get(difference.name)
    shifted = is_shift(difference)
    if shifted and difference.name in stock.wrote and not is_released:
        return True
    if shifted and wrote is not None and now is not None:
        return not is_same_traffic(now.traffic, wrote.origin, now.latest)
    return _is_during_incident(system, max(new_revision_times(before, now), default=stock.read_at))


def _is_release(function: str, live: WholeInventory, rolling: Deployment | None) -> bool:
    deployed = rolling.changes if rolling is not None else ()
    now = live.function_states.get(function)
    return (
        now is not None
        and traffic_shares(now.traffic, now.latest).get(now.latest, 0) > 0
        and any(one.name == function and not is_shift(one) for one in deployed)
    )


def _is_during_incident(system: System, changed_at: datetime) -> bool:
    detected = system.incident_detected_at
    return bool(system.open_incident) and detected is not None and changed_at > detected


def new_revision_times(before: FunctionState | None, now: FunctionState | None) -> list[datetime]:
    """When the revisions were made that were not reached before."""
    known = before.revisions if before else {}
    reached = now.revisions if now else {}
    return [one.created_at for name, one in reached.items() if name not in known]


def reported_change_times(change: Difference, live: WholeInventory) -> list[datetime]:
    """When the platform says that something beside the functions was changed; most do not say."""
    thing = (getattr(live, change.part) or {}).get(change.name)
    dated = PRODUCTS[change.part].dated
    if thing is None or dated is None or dated[0] not in change.aspects:
        return []
    at: datetime | None = getattr(thing, dated[1])
    return [at] if at is not None else []
