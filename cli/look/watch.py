"""The command `rollback watch`: follow an incident until it ends."""

import typer

from cli.support.command_sending import Incident
from cli.support.context import open_operations
from cli.support.exit_codes import REFUSED
from cli.support.incident_follower import follow_incident
from cli.support.output import AsJson, print_json


def watch(incident: Incident, as_json: AsJson = False) -> None:
    """Follow an incident with its progress beside the targets, until its rollback has ended.

    Ctrl-C stops following, with exit code 130; the rollback goes on.

    Exit code 0 when it succeeded, or nothing had to be done; 1 when it failed, was cancelled, or
    was left to a person.
    """
    with open_operations() as ours:
        seen = follow_incident(ours, incident, quietly=as_json)
    if as_json:
        print_json(seen)
    if not seen.is_successful:
        raise typer.Exit(REFUSED)
