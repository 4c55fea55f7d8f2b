"""Compare what is live with the pins: moved by hand, not served, or older than the policy wants."""

from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime

from msgspec.structs import replace

from responders.rollback.pins import read_pins
from shared.core.codec import FrozenStruct
from shared.core.durations import format_duration
from shared.core.errors import Exists
from shared.core.store import Create, Store, Write
from shared.core.text import MAX_LINES, count_noun, first_lines
from shared.domain.audit.chain import Event, create_event
from shared.domain.audit.system_chain import system_event
from shared.domain.deployments.inventory.inventory_parts import FunctionState
from shared.domain.deployments.rollout import RolloutObservation
from shared.domain.notices.notice import Notice
from shared.domain.notices.recipients import create_notices
from shared.domain.policy.severity import Severity
from shared.domain.policy.system_policy import Policy
from shared.domain.retention import RECORD_RETENTION
from shared.domain.rollback.pins import Pin, end_pin, pins_older_than, unpin_line
from shared.domain.system_record import System
from shared.ports.groups import Ports
from shared.state import work_queue
from shared.state.reader import StateReader

MANUAL_CHANGE_ACTOR = "somebody, manually"


class PinCheckResult(FrozenStruct):
    """What a look makes of the pins of its system."""

    writes: tuple[Write, ...] = ()
    events: tuple[tuple[str, Event], ...] = ()
    """Each with what it is known by."""
    notices: tuple[Notice, ...] = ()


def check_pins(store: Store, situation: RolloutObservation, actor: str) -> PinCheckResult:
    """Check the pins; while a rollback has effects in flight, its own commit tells of them."""
    live = situation.live.functions
    if situation.system.slot or live is None:
        return PinCheckResult()
    now, writes = situation.now, list[Write]()
    moved, unserved = list[Pin](), list[Pin]()
    for document, pin in read_pins(store, situation.policy.system).values():
        # A shift that was done after the look began may be missing from what it has read.
        judged = pin.ended_at is None and pin.since < now
        after = _update_pin(pin, live.get(pin.function), now) if judged else pin
        if after != pin:
            writes.append(document.build_write(after))
            (unserved if after.ended_at is None else moved).append(after)
    told = tuple(
        (f"pins-{word}", create_event(f"pin.{word}", now, actor, functions=[one.function for one in some]))
        for word, some in (("moved", moved), ("unserved", unserved))
        if some
    )
    said = tuple(_build_notices(store, situation, unserved)) if unserved else ()
    return PinCheckResult(tuple(writes), told, said)


def _update_pin(pin: Pin, state: FunctionState | None, now: datetime) -> Pin:
    """The pin as this look leaves it; of a newest revision that is not served it knows."""
    if state is None:
        return end_pin(pin, "its function was deleted", now)
    if not pin.is_in_force(state.traffic):
        return end_pin(pin, MANUAL_CHANGE_ACTOR, now)
    if state.latest in pin.revisions:
        return pin
    return replace(pin, newest=state.latest)


def _build_notices(store: Store, situation: RolloutObservation, unserved: list[Pin]) -> Iterator[Notice]:
    """Told once for each revision that is not served."""
    policy, now = situation.policy, situation.now
    text = "\n".join(
        (
            f"{policy.system}: deployed but not served, because a rollback pins the traffic:",
            *format_pin_lines(store, unserved, situation.system),
        )
    )
    key = f"unserved-{now:%Y%m%dT%H%M%S%f}-{policy.system}"
    functions = [one.function for one in unserved]
    yield from create_notices(policy, key, Severity.HIGH, "unserved", text, now, functions=functions)


def format_pin_lines(store: Store, held: list[Pin], system: System) -> Iterator[str]:
    """Each pin, as far as people read, and the one line that lifts them; of many, all there are."""
    told = [
        f"{one.function}: pinned to {', '.join(one.revisions)} since "
        f"{one.since:%Y-%m-%d %H:%M} UTC by {one.owner} ({one.rollback})"
        for one in held
    ]
    yield from first_lines(told)
    names = [one.function for one in held] if len(held) <= MAX_LINES else []
    yield unpin_line(system.name, names, StateReader(store).pin_keeper(system, held))


def send_reminder(ports: Ports, policy: Policy, now: datetime) -> None:
    """Tell of a system's old pins what nobody has told today (UTC). Raises: Unavailable."""
    span = policy.deployments.pinned_for
    marker = f"ticks/{now:%Y%m%d}-pins-{policy.system}"
    if ports.store.get(marker).fields is not None:
        return
    old = pins_older_than(StateReader(ports.store).pins(policy.system), span, now)
    said, told = [], []
    if old:
        system = StateReader(ports.store).system(policy.system)
        key = f"pins-{now:%Y%m%d}-{policy.system}"
        text = "\n".join(
            (
                f"{policy.system}: {count_noun(len(old), 'function')} pinned for longer than "
                f"{format_duration(span)}, and later deployments get no requests there:",
                *format_pin_lines(ports.store, old, system),
            )
        )
        functions = [one.function for one in old]
        said = create_notices(policy, key, Severity.MEDIUM, "pinned", text, now, functions=functions)
        key = f"old-pins:{now:%Y%m%d}"
        told = [system_event(policy.system, key, "pin.old", now, "on_clock", functions=functions)]
    done = Create(marker, {"at": now, "expires_at": now + RECORD_RETENTION})
    with suppress(Exists):  # another instance has told it
        work_queue.commit_with_notices(ports, [done, *told], said)
