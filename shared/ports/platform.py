"""Ports of the platform: functions, traffic, request counts (errors: shared/ports/groups.py)."""

from datetime import datetime
from typing import Protocol

from shared.core.codec import FrozenStruct
from shared.domain.deployments.build_recipe import BuiltFunction, Recipe, RunningDeployment
from shared.domain.deployments.deployment import Inventory
from shared.domain.deployments.inventory.inventory_parts import FunctionState
from shared.domain.deployments.inventory.traffic import Revision, Scaling, Service, Traffic
from shared.domain.deployments.source_copies import VariableValues
from shared.domain.policy.probes import Probe
from shared.domain.signals.health import ProbeAnswer, RouterRequests


class OperationState(FrozenStruct):
    """A long-running change of the platform as last seen."""

    done: bool
    error: str = ""


class Services(Protocol):
    """Every service that the account may see, whoever's it is, by its full name."""

    def service(self, name: str) -> Service:
        """One service by its full name. Raises: Gone."""

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


class Platform(Services, Protocol):
    """The functions of one protected system, and the traffic of the services behind them."""

    def inventory(self) -> Inventory:
        """What is live now, read whole."""

    def functions(self) -> dict[str, FunctionState]:
        """Every function of both generations, by name, as it would be recorded."""

    def values(self, function: str) -> VariableValues:
        """The values of a function's plain variables. Raises: Gone."""

    def invokers(self, service: str) -> tuple[str, ...]:
        """List roles on a service (full name), `MEMBER ROLE` each, in order. Raises: Gone."""

    def revision(self, service: str, revision: str) -> Revision:
        """One revision by its short name. Raises: Gone."""

    def operation(self, name: str) -> OperationState:
        """How far an operation has come. Raises: Rejected when it is not known any more."""


class Builder(Protocol):
    """The deployments of one protected system's functions: Cloud Functions."""

    def find_function(self, function: str) -> BuiltFunction | None:
        """The function of that short name as it is now; None: there is none."""

    def find_running_deployment(self, function: str) -> RunningDeployment | None:
        """The deployment of it that has not ended, anybody's; None: there is none."""

    def build(self, function: str, recipe: Recipe, *, create: bool) -> str:
        """Deploy a function, or create it; the operation's name, without waiting for it.

        No precondition protects an update; a creation is refused where there is one already.
        Triggers, traffic and who may call it stay as they are.
        Raises: Moved (another deployment runs, or it is there, or not there, after all), Throttled,
        Ambiguous, Rejected; Unavailable, when nothing was sent.
        """

    def operation(self, name: str) -> OperationState:
        """How far a deployment has come; done, where it is not known any more."""


class Metrics(Protocol):
    """What routers and logs counted. Points come up to 3 minutes late."""

    def requests(self, start: datetime, end: datetime) -> dict[str, RouterRequests]:
        """Per service (short name), over the points that lie whole within `start` and `end`."""

    def latencies(self, start: datetime, end: datetime) -> dict[str, float]:
        """Return the median seconds of a request per service (short name), over such points.

        A service without a request is left out.
        """

    def sign_ins(self, start: datetime, end: datetime) -> RouterRequests:
        """All that were tried in the system's project, over such points; none where none shows."""

    def count_matching(self, wanted: str, start: datetime, end: datetime) -> int | None:
        """What counters have counted over such points, all that a filter of Monitoring finds.

        None: there is no series, be it that nothing was counted or that nothing counts.
        Raises: Rejected, also for what is no filter, or finds no counter.
        """


class AlertStates(Protocol):
    """What Cloud Monitoring says of its alerts now, whatever it notified of."""

    def is_open(self, alert: str) -> bool:
        """Whether the alert of that id is open. Raises: Rejected when there is none."""


class Prober(Protocol):
    """A look from outside."""

    def ask(self, probe: Probe) -> ProbeAnswer:
        """One request, never a redirect, within the probe's time-out.

        Raises: Rejected for an address that must not be asked; Unavailable when we could not ask.
        """
