"""`rollback erase`: a person stays erased in every copy of data, and their id goes nowhere."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.screen import AsJson, System
from cli.sending import Reason, conclude, send
from cli.wired import NO, leaving, operations
from shared.erasure import hashed


def erase(
    person: Annotated[str, typer.Argument(metavar="ID", help="their id in the application")],
    reason: Reason,
    system: System = "",
    as_json: AsJson = False,
) -> None:
    """Keep a person erased in every copy of data that is opened from now on.

    What is sent and kept is a keyed hash of the id. The application's own data is left alone.
    """
    with operations() as ours:
        named = ours.policy(system).system
        ledger = ours.reading.ledger(named)
        if ledger is None:
            raise leaving(
                NO,
                f"{named} has no ledger: the clock makes one within a minute where its policy "
                "says what belongs to a person (erasure)",
            )
        said = {"command": "erase", "system": named, "person": hashed(ledger.salt, person)}
        answer = send(ours, {**said, "reason": reason})
    conclude(answer, as_json=as_json)
