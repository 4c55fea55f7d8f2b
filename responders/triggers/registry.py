"""The registry of triggers: what receives the messages of each entry point of main.py."""

from collections.abc import Callable
from typing import Protocol

from responders.triggers.alerts import AlertsTrigger
from responders.triggers.clock import ClockTrigger
from responders.triggers.commands import CommandsTrigger
from responders.triggers.deployments import DeploymentsTrigger
from responders.triggers.notices import NoticesTrigger
from responders.triggers.override import OverrideTrigger
from responders.triggers.work import WorkTrigger
from shared.core.pubsub_message import PubSubMessage
from shared.domain.policy.system_policy import Policies
from shared.ports.groups import Ports


class Trigger(Protocol):
    """Acts on the messages of a topic."""

    def receive(self, message: PubSubMessage) -> None:
        """Return when all is committed and published."""


TRIGGERS: dict[str, Callable[[Ports, Policies], Trigger]] = {
    "on_alert": AlertsTrigger,
    "on_command": CommandsTrigger,
    "on_override": OverrideTrigger,
    "on_clock": ClockTrigger,
    "on_deployment": DeploymentsTrigger,
    "on_work": WorkTrigger,
    "on_notice": NoticesTrigger,
}
"""By the entry point. The console is none of them: browsers call it, and no topic."""
