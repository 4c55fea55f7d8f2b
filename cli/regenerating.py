"""`rollback regenerate`: has the application make again what it makes from its data."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.screen import AsJson, System
from cli.sending import Reason, conclude, send
from cli.wired import operations


def regenerate(
    collection: Annotated[
        str, typer.Argument(metavar="COLLECTION", help="one with `derived` in the policy")
    ],
    reason: Reason,
    document: Annotated[
        list[str] | None,
        typer.Option(metavar="PATH", help="one that is meant, such as jobs/1; left out: all"),
    ] = None,
    system: System = "",
    as_json: AsJson = False,
) -> None:
    """Ask the application to make again what it makes from a collection.

    By a message on each topic that the policy declares for it.
    """
    with operations() as ours:
        said = {
            "command": "regenerate",
            "system": ours.policy(system).system,
            "collection": collection,
            "reason": reason,
        }
        answer = send(ours, {**said, "documents": document} if document else said)
    conclude(answer, as_json=as_json)
