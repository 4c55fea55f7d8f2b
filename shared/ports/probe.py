"""The port to probes: send one HTTP request and measure it."""

from typing import Protocol

from shared.domain.policy.probes import Probe
from shared.domain.signals.health import ProbeAnswer


class Prober(Protocol):
    """A look from outside."""

    def ask(self, probe: Probe) -> ProbeAnswer:
        """One request, never a redirect, within the probe's time-out.

        Raises: Rejected for an address that must not be asked; Unavailable when we could not ask.
        """
