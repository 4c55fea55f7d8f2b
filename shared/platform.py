"""The platform that a protected system runs on: functions, their traffic, what routers counted.

Kept by shared/gcp and by the fakes of the tests, as shared/ports.py says.
"""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from msgspec import Struct

from shared.build import Built, Recipe, Running
from shared.copies import Values
from shared.deployment import Inventory
from shared.health import Requests
from shared.inventory import FunctionState
from shared.stand import OnStand, Outcome, Template, Trial
from shared.traffic import Revision, Scaling, Service, Traffic


class OperationState(Struct, frozen=True):
    """A long-running change of the platform as last seen."""

    done: bool
    error: str = ""


class Services(Protocol):
    """Every service that the account may see, whoever's it is, by its full name."""

    def service(self, name: str) -> Service:
        """One service by its full name. Raises: Gone."""
        ...

    def shift(
        self,
        service: str,
        traffic: Traffic,
        etag: str,
        *,
        scaling: Scaling | None = None,
        dry_run: bool = False,
    ) -> str:
        """Replace the traffic list of a service that is still at `etag`; the operation's name.

        Its scaling changes with it, in the same request; None leaves that as it is.
        Raises: Moved on another etag, Throttled, Ambiguous.
        """
        ...


class Platform(Services, Protocol):
    """The functions of one protected system, and the traffic of the services behind them."""

    def inventory(self) -> Inventory:
        """What is live now, read whole."""
        ...

    def functions(self) -> dict[str, FunctionState]:
        """Every function of both generations, by name, as it would be recorded."""
        ...

    def values(self, function: str) -> Values:
        """The values of a function's plain variables. Raises: Gone."""
        ...

    def invokers(self, service: str) -> tuple[str, ...]:
        """Who holds which role on a service (full name), `MEMBER ROLE` each, in order.

        Raises: Gone.
        """
        ...

    def revision(self, service: str, revision: str) -> Revision:
        """One revision by its short name. Raises: Gone."""
        ...

    def operation(self, name: str) -> OperationState:
        """How far an operation has come. Raises: Rejected when it is not known any more."""
        ...


class Builder(Protocol):
    """The deployments of one protected system's functions: Cloud Functions."""

    def found(self, function: str) -> Built | None:
        """The function of that short name as it is now; None: there is none."""
        ...

    def running(self, function: str) -> Running | None:
        """The deployment of it that has not ended, anybody's; None: there is none."""
        ...

    def build(self, function: str, recipe: Recipe, *, create: bool) -> str:
        """Deploy a function, or create it; the operation's name, without waiting for it.

        No precondition protects an update; a creation is refused where there is one already.
        Triggers, traffic and who may call it stay as they are.
        Raises: Moved (another deployment runs, or it is there, or not there, after all), Throttled,
        Ambiguous, Rejected; Unavailable, when nothing was sent.
        """
        ...

    def operation(self, name: str) -> OperationState:
        """How far a deployment has come; done, where it is not known any more."""
        ...


class Trials(Protocol):
    """The stand of one protected system, on which copies of revisions are made to start."""

    def found(self) -> OnStand:
        """What stands there. Raises: Gone."""
        ...

    def template(self, trial: Trial) -> Template:
        """What the copy of the trial's revision is made of. Raises: Gone, when that is gone.

        It is in everything as its revision but in name, labels and the number of its instances.
        """
        ...

    def begin(self, trial: Trial, template: Template) -> None:
        """Put a copy there, under the trial's name, without waiting for it.

        One instance of it is started, without any request. Raises: Gone, when there is no stand;
        Moved (the stand is not at the trial's etag, or Google does not let it become so), Exists
        (that copy is there), Throttled, Ambiguous.
        """
        ...

    def outcome(self, name: str) -> Outcome | None:
        """What came of the copy of that name; None: nothing yet.

        Its words hold no value of a variable. Raises: Gone, when no such copy was put there.
        """
        ...


class Metrics(Protocol):
    """What routers and logs counted. Points come up to 3 minutes late."""

    def requests(self, start: datetime, end: datetime) -> dict[str, Requests]:
        """Per service (short name), over the points that lie whole within `start` and `end`."""
        ...

    def started(self, start: datetime, end: datetime) -> dict[str, datetime]:
        """When each revision (short name) was last seen to start: the end of that hour.

        Hours count back from the last whole minute before `end`, and lie whole after `start`. A
        revision that no instance started of is left out; one that serves all the time may be.
        """
        ...

    def sign_ins(self, start: datetime, end: datetime) -> Requests:
        """All that were tried in the system's project, over such points; none where none shows."""
        ...

    def counted(self, wanted: str, start: datetime, end: datetime) -> int | None:
        """What counters have counted over such points, all that a filter of Monitoring finds.

        None: there is no series, be it that nothing was counted or that nothing counts.
        Raises: Rejected, also for what is no filter, or finds no counter.
        """
        ...


class AlertStates(Protocol):
    """What Cloud Monitoring says of its alerts now, whatever it notified of."""

    def is_open(self, alert: str) -> bool:
        """Whether the alert of that id is open. Raises: Rejected when there is none."""
        ...
