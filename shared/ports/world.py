"""What the product needs of the world: Protocols of a few verbs each.

Real adapters are in shared/adapters/gcp; the fakes of the tests pass the same contract suites.
Every verb answers within a deadline of its adapter, or raises Unavailable (nothing is known),
Rejected (the answer is no) or Moved (a precondition failed).
"""

from __future__ import annotations

from typing import Protocol

from shared.core.runtime import Clock, Ids, Pool
from shared.core.store import Objects, Store
from shared.ports.backups import Backups, Exports, Mirrors, Restores
from shared.ports.documents import Documents, Rewrites
from shared.ports.identity import Entrance, TokenVerifier, Voice
from shared.ports.messaging import Bus, Forms, Sender
from shared.ports.platform import AlertStates, Builder, Metrics, Platform, Services
from shared.ports.probe import Prober
from shared.ports.resources import Estate
from shared.ports.storage import Media, Pages, Provisions, Vault


class Ports(Protocol):
    """All of them, each built when it is first asked for."""

    @property
    def store(self) -> Store:
        """Where state is kept."""
        ...

    @property
    def bus(self) -> Bus:
        """How work is handed on."""
        ...

    @property
    def clock(self) -> Clock:
        """The time."""
        ...

    @property
    def ids(self) -> Ids:
        """Where new ids come from."""
        ...

    @property
    def prober(self) -> Prober:
        """Looks from outside."""
        ...

    @property
    def sender(self) -> Sender:
        """Tells people."""
        ...

    @property
    def identity(self) -> TokenVerifier:
        """Verifies who speaks."""
        ...

    @property
    def console(self) -> str:
        """The address of the account that speaks for operators; "": nobody does."""
        ...

    @property
    def entrance(self) -> Entrance:
        """Where operators sign in."""
        ...

    @property
    def voice(self) -> Voice:
        """How the console says that it speaks."""
        ...

    @property
    def anchors(self) -> Objects | None:
        """Where heads of audit chains are anchored; None: nowhere."""
        ...

    @property
    def sources(self) -> Vault | None:
        """Where our copies of the functions' sources are; None: nowhere."""
        ...

    @property
    def values(self) -> Vault | None:
        """Where values of plain variables are, for on_work alone to read; None: nowhere."""
        ...

    @property
    def quarantine(self) -> Vault | None:
        """Where documents are kept that a repair changes, as they were before; None: nowhere."""
        ...

    @property
    def forms(self) -> Forms:
        """The templates of notices."""
        ...

    @property
    def pages(self) -> Pages | None:
        """Where the status pages stand; None: nowhere."""
        ...

    def application_bus(self, system: str) -> Bus:
        """The topics of one protected system, as far as its policy declares them."""
        ...

    @property
    def services(self) -> Services:
        """Every service that the account may see, of systems without a policy as well."""
        ...

    def platform(self, system: str) -> Platform:
        """The platform of one protected system."""
        ...

    def builder(self, system: str) -> Builder:
        """The deployments of one protected system's functions."""
        ...

    def estate(self, system: str) -> Estate:
        """What one protected system has beside its functions."""
        ...

    def metrics(self, system: str) -> Metrics:
        """The metrics of one protected system."""
        ...

    def alert_states(self, system: str) -> AlertStates:
        """The alerts of one protected system."""
        ...

    def exports(self, system: str) -> Exports:
        """The exports of one protected system's databases."""
        ...

    def backups(self, system: str) -> Backups:
        """The native backups of one protected system's databases."""
        ...

    def restores(self, system: str) -> Restores:
        """The databases that are made of one protected system's backups."""
        ...

    @property
    def mirrors(self) -> Mirrors:
        """The buckets that exports lie in."""
        ...

    def documents(self, system: str) -> Documents:
        """The documents of one protected system's databases."""
        ...

    def rewrites(self, system: str) -> Rewrites:
        """The same, for writing back."""
        ...

    @property
    def media(self) -> Media:
        """The files of the protected systems."""
        ...

    @property
    def provisions(self) -> Provisions:
        """What the assets of the protected systems rely on."""
        ...

    def pool(self) -> Pool:
        """A pool of its own for one invocation, closed by who asked for it."""
        ...
