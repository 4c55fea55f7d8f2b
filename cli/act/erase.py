"""Keep a person erased in every copy of data: `rollback erase`."""

from typing import Annotated

import typer

from cli.support.command_sending import Reason, conclude_command, send
from cli.support.context import open_operations
from cli.support.exit_codes import REFUSED, create_exit
from cli.support.output import AsJson, System
from shared.domain.data.erasure.ledger import hash_person


def erase(
    person: Annotated[str, typer.Argument(metavar="ID", help="their id in the application")],
    reason: Reason,
    system: System = "",
    as_json: AsJson = False,
) -> None:
    """Keep a person erased in every copy of data that is opened from now on.

    What is sent and kept is a keyed hash of the id. The application's own data is left alone.
    """
    with open_operations() as ours:
        named = ours.policy(system).system
        ledger = ours.reading.erasure_ledger(named)
        if ledger is None:
            raise create_exit(
                REFUSED,
                f"{named} has no ledger: the clock makes one within a minute where its policy "
                "says what belongs to a person (erasure)",
            )
        said = {"command": "erase", "system": named, "person": hash_person(ledger.salt, person)}
        answer = send(ours, {**said, "reason": reason})
    conclude_command(answer, as_json=as_json)
