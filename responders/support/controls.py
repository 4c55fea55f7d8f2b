"""Whether a switch is set that what a command still has to do must wait for."""

from msgspec.structs import replace

from responders.support.command_handler import CommandRequest
from shared.core.codec import decode
from shared.core.store import Write
from shared.domain.policy.system_policy import Policy
from shared.domain.system_record import (
    GLOBAL_CONTROLS_PATH,
    Controls,
    System,
    active_freeze,
    decode_system,
    system_path,
)
from shared.ports.groups import Ports
from shared.state.reader import StateReader


class ControlChange:
    """The document that a command switches: of one system, or of all."""

    def __init__(self, asked: CommandRequest) -> None:
        name = asked.command.system
        self.document = asked.ports.store.get(system_path(name) if name else GLOBAL_CONTROLS_PATH)
        empty: System | Controls = System(name=name) if name else Controls()
        kind = type(empty)
        fields = self.document.fields
        self.value: System | Controls = empty if fields is None else decode(kind, fields)

    def build_write(self, **changes: object) -> Write:
        """The write that changes it, unless somebody has written since."""
        return self.document.build_write(replace(self.value, **changes))


def is_change_blocked(ports: Ports, policy: Policy, *, overrides: bool = False) -> bool:
    """Return whether a pause, or a freeze unless overridden, is set. Raises: Unavailable."""
    controls = StateReader(ports.store).controls()
    document = ports.store.get(system_path(policy.system))
    system = decode_system(document.fields, policy.system)
    windows = () if overrides else (*controls.freezes, *system.freezes)
    return bool(controls.pause or system.pause or active_freeze(windows, document.read_at, ordered=True))
