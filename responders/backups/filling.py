"""What copies and proofs share: a database that is filled from what is kept, a step each minute."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import TypeVar

from msgspec.structs import replace

from responders.asking import ask
from responders.examining import Examining
from shared import integrity, log
from shared.backup import Restores, Restoring
from shared.copying import Copy
from shared.errors import Moved, Rejected, Unavailable
from shared.policy import Policy
from shared.ports import Ports
from shared.proving import Proof

One = TypeVar("One", Copy, Proof)


def stepped(one: One, step: Callable[[One], One], name: str, event: str) -> One:
    """The record a step further; or as it was, with the answer that it waits for another of."""
    try:
        return step(one)
    except (Unavailable, Rejected, Moved) as failure:
        severity = "ERROR" if isinstance(failure, Rejected) else "WARNING"
        log.write(severity, f"{name}: {failure}", event=event)
        return replace(one, waiting=str(failure))


def found(ports: Ports, restores: Restores, one: Copy | Proof, database: str) -> Restoring | None:
    """What fills the database, once it was asked for; None: nothing does, as far as is known.

    Raises: Unavailable, Rejected.
    """
    answer: Restoring | None = None
    if one.operation:
        answer = ask(ports, partial(restores.look, one.operation))
    elif one.asked_at is not None:
        answer = ask(ports, partial(restores.find, database))
    return answer


def of_database(policy: Policy, database: str) -> Policy:
    """The policy as if that were the database whose data it declares."""
    return replace(policy, integrity=replace(policy.integrity, database=database))


def examined(
    examining: Examining,
    one: One,
    what: str,
    filled_at: datetime | None,
    now: datetime,
    seconds: float,
) -> tuple[One, bool]:
    """The record with more of its database looked through, and whether that is all of it.

    Nobody writes to it, and it has no past beyond an hour: each piece is read as of now.
    """
    at = integrity.minute(now)
    if one.run is None:
        if filled_at is not None and at < filled_at:
            return one, False  # no whole minute has passed since it was filled
        return replace(one, run=examining.begin(what, at), waiting=""), False
    run, failure = examining.advance(replace(one.run, at=at), seconds)
    return replace(one, run=run, waiting=str(failure or "")), failure is None and run.is_over
