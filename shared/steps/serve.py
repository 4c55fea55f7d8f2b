"""Traffic to the revision that a redeployment has made."""

from __future__ import annotations

from msgspec import Struct

from shared.documents import decode
from shared.errors import Rejected
from shared.plan import Step
from shared.platform import Builder, Platform
from shared.steps import Look, Verdict
from shared.traffic import Service, Traffic, moved_to, shares

KIND = "serve"


class Goal(Struct, frozen=True):
    """The newest deployment of the function takes every request."""

    function: str
    service: str
    """Full name of its Cloud Run service."""


class Origin(Struct, frozen=True):
    """The traffic lists from which nobody has moved it since the plan was made."""

    found: Traffic = ()
    """Verbatim; empty: there was no service."""
    asked: Traffic = ()
    """What the shift asked for that it stands in for; empty: it does for none."""


class Serve:
    """A function whose traffic is pinned gives a redeployed revision none: it is moved there.

    Conditional on the service's etag. Where traffic follows the newest revision, nothing is to do.
    """

    expected_seconds = 8.0
    unconditional_timeout_seconds: float | None = None

    def __init__(self, platform: Platform, builder: Builder) -> None:
        self._platform = platform
        self._builder = builder

    def look(self, step: Step) -> Look:
        """Compare asked-for and routed traffic with the revision of the newest deployment."""
        goal, origin = decode(Goal, step.goal), decode(Origin, step.origin)
        revision = self._revision(goal)
        try:
            service = self._platform.service(goal.service)
        except Rejected as gone:
            return Look(Verdict.IMPOSSIBLE, note=str(gone))
        wanted = {revision: 100}
        if shares(service.traffic, service.latest_ready) == wanted:
            arrived = shares(service.serving, service.latest_ready) == wanted
            if arrived and not service.reconciling:
                return Look(Verdict.AT_GOAL, note=f"served by {revision}")
            if service.reconciling or service.ready:
                return Look(Verdict.UNDER_WAY)
            return Look(Verdict.AT_ORIGIN, service.etag, "not ready")
        if service.latest_created != revision or service.traffic not in (
            origin.found,
            origin.asked,
        ):
            return Look(Verdict.ELSEWHERE, note=_described(service))
        if service.reconciling:
            return Look(Verdict.UNDER_WAY)
        return Look(Verdict.AT_ORIGIN, service.etag)

    def rehearse(self, step: Step) -> None:
        """Nothing to ask beforehand: a list changes in its percents alone."""

    def set(self, step: Step) -> str:
        """Ask for all traffic to the newest deployment, at the etag that the intent names."""
        goal = decode(Goal, step.goal)
        service = self._platform.service(goal.service)
        traffic = moved_to(service.traffic, {self._revision(goal): 100})
        return self._platform.shift(goal.service, traffic, step.seen)

    def _revision(self, goal: Goal) -> str:
        found = self._builder.found(goal.function)
        return found.revision if found is not None else ""


def _described(service: Service) -> str:
    lists = ", ".join(f"{one.percent} % {one.revision or 'LATEST'}" for one in service.traffic)
    return f"found {lists}; newest revision {service.latest_created}"
