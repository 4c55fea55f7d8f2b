"""What a person may say about an incident now, as lines for the prompt."""

from __future__ import annotations

from cli.screen import say
from shared.choices import choices
from shared.incident import Incident
from shared.rollback import Rollback


def prompt_lines(incident: Incident, rollback: Rollback | None) -> list[str]:
    """Each verb that does something about the incident; a rollback that failed has its ends alone.

    `ack` is not among them: it changes who is called, not what becomes of the incident.
    """
    return [
        f"rollback {verb} {incident.id} --reason WHY"
        for verb in choices(incident, rollback)
        if verb != "ack"
    ]


def show_choices(incident: Incident, rollback: Rollback | None) -> None:
    """Print them; nothing where nothing is to be said any more."""
    lines = prompt_lines(incident, rollback)
    if lines:
        say("  what a person may say:")
    for line in lines:
        say(f"    {line}")
