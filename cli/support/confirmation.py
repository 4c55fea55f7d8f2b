"""A command that is confirmed at the prompt, sent, and followed to its end."""

from typing import Annotated

import typer
from msgspec.structs import asdict

from cli.support.command_sending import CommandContent, conclude_command, require_sender, send
from cli.support.context import Operations
from cli.support.exit_codes import REFUSED, create_exit
from cli.support.incident_follower import follow_incident
from cli.support.output import print_json, print_line
from cli.support.parameters import flag
from shared.core.codec import FrozenStruct

DryRun = Annotated[bool, flag("--dry-run", "show the plan and change nothing")]
Yes = Annotated[bool, flag("--yes", "skip the confirmation")]
Follow = Annotated[bool, flag("--follow/--no-follow", "wait until the rollback has ended")]


class Manner(FrozenStruct):
    """How a command is gone through at the prompt."""

    dry_run: bool
    yes: bool
    follow: bool
    as_json: bool


def confirm_and_send(ours: Operations, content: CommandContent, manner: Manner, question: str) -> None:
    """Ask, send the command and follow it; do nothing in a dry run. Exits where it fails."""
    if manner.dry_run:
        return
    require_sender()
    if not manner.yes and not typer.confirm(question, err=manner.as_json):
        raise create_exit(REFUSED, "nothing was done")
    answer = send(ours, content)
    if not (answer.accepted and answer.incident and manner.follow):
        conclude_command(answer, manner.as_json)
        return
    if not manner.as_json:
        print_line(answer.text)
    seen = follow_incident(ours, answer.incident, quietly=manner.as_json)
    if manner.as_json:
        print_json({"answer": answer, **asdict(seen)})
    if not seen.is_successful:
        raise typer.Exit(REFUSED)
