"""export: whoever takes a copy of the audit trail is on record before anything is read."""

from __future__ import annotations

from responders.verbs import Asked, Effect
from shared.domain.system import EVERYWHERE


def export(asked: Asked) -> Effect:
    """The record is all there is to do: who exports reads the trail themselves."""
    command = asked.command
    return Effect(f"{command.format} of {command.system or EVERYWHERE}")
