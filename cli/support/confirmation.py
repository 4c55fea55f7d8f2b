"""An order at the prompt: what was shown is asked about, said, and followed to its end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer
from msgspec import Struct

from cli.support.context import NO, Operations, leaving
from cli.support.follow import as_told, follow
from cli.support.output import print_json, say
from cli.support.publishing import conclude, require_sender, send

DryRun = Annotated[bool, typer.Option("--dry-run", help="show what would be done, and do nothing")]
Yes = Annotated[bool, typer.Option("--yes", help="do not ask here")]
Follow = Annotated[bool, typer.Option("--follow/--no-follow", help="stay until it has ended")]


class Manner(Struct, frozen=True):
    """How an order is to be gone through at the prompt."""

    dry_run: bool
    yes: bool
    follow: bool
    as_json: bool


def go_through(ours: Operations, content: Mapping[str, Any], manner: Manner, question: str) -> None:
    """Ask, say it, follow it; nothing in a dry run. Exits where it did not go well."""
    if manner.dry_run:
        return
    require_sender()
    if not manner.yes and not typer.confirm(question, err=manner.as_json):
        raise leaving(NO, "nothing was done")
    answer = send(ours, content)
    if not answer.accepted or not manner.follow:
        conclude(answer, as_json=manner.as_json)
        return
    if not manner.as_json:
        say(answer.text)
    seen = follow(ours, answer.incident, quietly=manner.as_json)
    if manner.as_json:
        print_json({"answer": answer, **as_told(seen)})
    if not seen.went_well:
        raise typer.Exit(NO)
