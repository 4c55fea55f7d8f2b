"""notify: a test on every channel that is not for people outside."""

from __future__ import annotations

from responders.verbs import Asked, Effect
from shared.core.errors import Refused
from shared.domain import system as systems
from shared.domain.notices.notice import creates, trial


def notify(asked: Asked) -> Effect:
    """Each channel is told that it works, as it would be told of an incident."""
    command, policy = asked.command, asked.policy
    now = asked.ports.store.get(systems.path(policy.system)).read_at
    text = f"This is a test by {command.actor}: {command.reason}"
    said = trial(policy, f"test-{command.id}", text, now)
    if not said:
        raise Refused(f"{policy.system} has no channel for the team or the stakeholders")
    names = ", ".join(one.channel for one in said)
    return Effect(f"a test is on its way to {names}", tuple(creates(said)))
