"""on_command: execute an operator command once by its id, and publish its work."""

from dataclasses import dataclass

from responders.commands.execution import execute
from responders.commands.switches import audit_events
from shared.core.pubsub_message import PubSubMessage
from shared.domain.commands.command import parse_command
from shared.domain.policy.system_policy import Policies
from shared.engine.lease import DUE_TIME_SKEW_TOLERANCE
from shared.ports.groups import Ports
from shared.state import work_queue


@dataclass
class CommandsTrigger:
    """Decodes a command and has it executed for an operator who is authenticated."""

    needs_token = True

    _ports: Ports
    _policies: Policies

    def receive(self, message: PubSubMessage) -> None:
        """Return once the command is committed and published. Raises: Refused, Unavailable."""
        ports, policies = self._ports, self._policies
        command = parse_command(message.data, message.first_id, policies)
        execute(ports, policies, command, message, needs_token=self.needs_token)
        audit_events.record_control_change_in_rollbacks(ports, policies, command.id)
        now = ports.clock.now() + DUE_TIME_SKEW_TOLERANCE
        for kind in work_queue.COLLECTION_BY_KIND:
            work_queue.publish_due_items(ports.store, ports.bus, kind, now, policies)
