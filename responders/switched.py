"""Whether a switch is set that what a command still has to do must wait for."""

from __future__ import annotations

from datetime import datetime

from shared.core.codec import decode
from shared.domain import system as systems
from shared.domain.policy.model import Policy
from shared.domain.system import GLOBAL, Controls, System, frozen
from shared.ports.world import Ports


def is_stopped(ports: Ports, policy: Policy, *, overrides: bool = False) -> bool:
    """Whether a pause or a freeze window says that nothing may be done now. Raises: Unavailable.

    Where a person overrides, no window does.
    """
    controls, system, now = switches(ports, policy)
    windows = () if overrides else (*controls.freezes, *system.freezes)
    paused = controls.pause or system.pause
    return bool(paused or frozen(windows, now, ordered=True))


def switches(ports: Ports, policy: Policy) -> tuple[Controls, System, datetime]:
    """What stands of all systems and of this one, and when that was read by the store's clock."""
    everywhere, here = ports.store.get(GLOBAL), ports.store.get(systems.path(policy.system))
    controls = decode(Controls, everywhere.fields) if everywhere.fields else Controls()
    system = systems.stored(here.fields, policy.system)
    return controls, system, here.read_at
