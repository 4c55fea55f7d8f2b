"""What copies and proofs share: a database that is filled from what is kept, a step each minute."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeVar

from msgspec.structs import replace

from responders.asking import ask
from shared import log
from shared.backup import Restores, Restoring
from shared.copying import Copy
from shared.errors import Moved, Rejected, Unavailable
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
