"""on_command: what a person asks for is checked whole, done once by its id, and recorded."""

from __future__ import annotations

from collections.abc import Mapping

from responders import answering, holding, ordering, switching
from responders.verbs import Asked, Verb
from shared import command as commands
from shared import handover
from shared.audit import event
from shared.command import Command, CommandRecord
from shared.documents import encode
from shared.envelope import Message
from shared.errors import Moved, Refused, Unavailable
from shared.outside import EVERYWHERE, write_down
from shared.policy import Policy
from shared.ports import Create, Ports
from shared.rollback import KEPT_FOR
from shared.tenure import SKEW

VERBS: dict[str, Verb] = {
    "rollback": ordering.order,
    "retry": ordering.retry,
    "cancel": ordering.cancel,
    "approve": answering.approve,
    "reject": answering.reject,
    "ack": answering.ack,
    "accept": answering.accept,
    "hold": holding.hold,
    "release": holding.release,
    "pause": switching.pause,
    "resume": switching.resume,
    "freeze": switching.freeze,
    "unfreeze": switching.unfreeze,
    "promote": switching.promote,
}
TOO_LATE_AFTER_A_WHILE = frozenset({"rollback", "retry", "approve", "accept", "promote"})
"""What lets something happen is not done in another hour; what stops something always is."""
COMMIT_ATTEMPTS = 20
RETRY_SECONDS = 0.1


class Commands:
    """Carries out what people ask for. Who may publish on the topic may command."""

    def __init__(self, ports: Ports, policies: Mapping[str, Policy]) -> None:
        self._ports = ports
        self._policies = policies

    def receive(self, message: Message) -> None:
        """Return once the command is committed with its effects, and their work published.

        A redelivery, or another message with the same id, changes nothing and republishes what is
        due. Raises: Refused, with every fault; Unavailable.
        """
        command = commands.parse(message.data, message.id, self._policies)
        said_at = message.published_at or self._ports.clock.now()
        asked = Asked(command, said_at, self._ports, self._policies)
        for _ in range(COMMIT_ATTEMPTS):
            if not self._is_done(command):
                try:
                    self._refuse_stale(asked)
                    self._carry_out(asked)
                except Moved:  # somebody wrote first, perhaps this very command: look again
                    self._ports.clock.sleep(RETRY_SECONDS)
                    continue
                except Refused:
                    if not self._is_done(command):  # a copy of it was faster
                        raise
            self._republish()
            return
        raise Unavailable(f"command {command.id}: its documents change too fast")

    def _is_done(self, command: Command) -> bool:
        """Whether this command, by its id, was carried out."""
        return self._ports.store.get(commands.path(command.id)).fields is not None

    def _refuse_stale(self, asked: Asked) -> None:
        """Raises: Refused, for what is not to happen in another hour."""
        if asked.command.command not in TOO_LATE_AFTER_A_WHILE:
            return
        late = self._ports.clock.now() - asked.said_at
        if late > asked.policy.gates.stale_after:
            raise Refused(f"said {late} ago: too late for a {asked.command.command}")

    def _carry_out(self, asked: Asked) -> None:
        """Commit the command's record together with its effect. Raises: Moved, Refused."""
        command = asked.command
        effect = VERBS[command.command](asked)
        goes_on = effect.goes_on or effect.rehearses is not None
        now = self._ports.clock.now()
        record = CommandRecord(
            id=command.id,
            command=command.command,
            system=command.system or EVERYWHERE,
            actor=command.actor,
            reason=command.reason,
            received_at=now,
            result=effect.result,
            incident=effect.incident or command.incident,
            order=effect.rehearses,
            due_at=now if goes_on else None,
            expires_at=None if goes_on else now + KEPT_FOR,
        )
        told = event(f"command.{command.command}", now, command.actor, command=encode(command))
        self._ports.store.commit(
            [
                Create(commands.path(command.id), encode(record)),
                write_down(record.system, f"command:{command.id}", told),
                *effect.writes,
            ]
        )
        if effect.tells:
            switching.tell_running(asked, effect.tells)

    def _republish(self) -> None:
        """Hand over what the command made due, by the store's clock, and whatever else is."""
        ports, now = self._ports, self._ports.clock.now() + SKEW
        for kind in handover.COLLECTIONS:
            handover.publish_due(ports.store, ports.bus, kind, now, self._policies)
