"""What one look at all that is live finds of the pins: moved away by hand, deployed but not served.

Judged by what is there, not by what has just changed: whichever look comes first after it tells.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from responders.rollback.pins import known
from shared.core import text as shortened
from shared.core.codec import encode
from shared.core.store import Store, Write, written
from shared.domain.audit.chain import Event, event
from shared.domain.deployments.inventory.state import FunctionState
from shared.domain.deployments.rollout import Situation
from shared.domain.notices.notice import Notice, notices
from shared.domain.policy.model import Policy
from shared.domain.policy.severity import Severity
from shared.domain.rollback import pins
from shared.domain.rollback.pins import Pin

SOMEBODY = "somebody, by hand"


class Found(Struct, frozen=True):
    """What a look makes of the pins of its system."""

    writes: tuple[Write, ...] = ()
    events: tuple[tuple[str, Event], ...] = ()
    """Each with what it is known by."""
    notices: tuple[Notice, ...] = ()


def found(store: Store, situation: Situation, actor: str) -> Found:
    """The pins that do not hold any more, and the deployments that those which hold keep back.

    While a rollback has effects in flight nothing is judged: its own commit tells of its pins.
    """
    live = situation.live.functions
    if situation.system.slot or live is None:
        return Found()
    now, writes = situation.now, list[Write]()
    moved, unserved = list[Pin](), list[Pin]()
    for document, pin in known(store, situation.policy.system).values():
        # A shift that was done after the look began may be missing from what it has read.
        judged = pin.ended_at is None and pin.since < now
        after = _after(pin, live.get(pin.function), now) if judged else pin
        if after != pin:
            writes.append(written(document, encode(after)))
            (unserved if after.ended_at is None else moved).append(after)
    told = tuple(
        (f"pins-{word}", event(f"pin.{word}", now, actor, functions=[one.function for one in some]))
        for word, some in (("moved", moved), ("unserved", unserved))
        if some
    )
    return Found(tuple(writes), told, tuple(_said(situation, unserved)) if unserved else ())


def _after(pin: Pin, state: FunctionState | None, now: datetime) -> Pin:
    """The pin as this look leaves it; of a newest revision that is not served it knows."""
    if state is None:
        return pins.ended(pin, "its function is gone", now)
    if not pin.holds(state.traffic):
        return pins.ended(pin, SOMEBODY, now)
    if state.latest in pin.revisions:
        return pin
    return replace(pin, newest=state.latest)


def _said(situation: Situation, unserved: list[Pin]) -> Iterator[Notice]:
    """Told once for each revision that is not served."""
    policy, now = situation.policy, situation.now
    text = "\n".join(
        (
            f"{policy.system}: deployed but not served, because a rollback pins the traffic:",
            *pin_lines(unserved, policy),
        )
    )
    key = f"unserved-{now:%Y%m%dT%H%M%S%f}-{policy.system}"
    functions = [one.function for one in unserved]
    yield from notices(policy, key, Severity.HIGH, "unserved", text, now, functions=functions)


def pin_lines(held: list[Pin], policy: Policy) -> Iterator[str]:
    """Each pin, as far as people read, and the one line that lifts them; of many, all there are."""
    told = [
        f"{one.function}: pinned to {', '.join(one.revisions)} since "
        f"{one.since:%Y-%m-%d %H:%M} UTC by {one.owner} ({one.rollback})"
        for one in held
    ]
    yield from shortened.first_lines(told)
    names = [one.function for one in held] if len(held) <= shortened.LINES else []
    yield pins.command(policy.system, names)
