"""What every part of the play has at hand, and what several of them show."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from local.application import Part
from local.demo.evidence import Evidence
from local.demo.screen import Screen
from local.demo.staging.faults import RollbackFault, select_fault_targets
from local.demo.staging.processes import DemoStage
from shared.core.durations import describe_duration
from shared.core.text import count_noun
from shared.domain.audit.chain import Event
from shared.domain.deployments.deployment import Inventory
from shared.domain.deployments.inventory.traffic import traffic_shares
from shared.domain.incidents.incident import Incident, PublicState
from shared.domain.policy.scenario_names import ScenarioName
from shared.domain.rollback.rollback import Rollback
from shared.domain.signals.labels import signal_label

MINUTE = timedelta(minutes=1)
FAILING_PARTS = {ScenarioName.COMPLETE: Part.SITE, ScenarioName.AUTH: Part.SIGN_INS}
"""What the bad release of a scenario breaks; in the others it breaks functions."""
METRICS_DELAY_MINUTES = 5
"""More minutes than metrics ever come late."""


class Scene:
    """The stage, the evidence of what happens on it, and the screen that shows it."""

    def __init__(
        self,
        stage: DemoStage,
        evidence: Evidence,
        screen: Screen,
        *,
        scenario: ScenarioName = ScenarioName.FUNCTIONS,
        kills: bool = False,
        fault: RollbackFault = RollbackFault.NONE,
    ) -> None:
        self.stage = stage
        self.evidence = evidence
        self.screen = screen
        self.scenario = scenario
        """Which way back is played."""
        self.kills = kills
        """Whether the worker is killed in the middle of it."""
        self.refuses = fault is RollbackFault.QUOTA
        """Whether Cloud Run refuses writes in the middle of it."""
        self.lost = select_fault_targets(fault, stage.policy)
        """What there is no image of to go back to."""

    @property
    def is_notified(self) -> bool:
        """Whether Cloud Monitoring tells of it: a person has, or it is over before."""
        return self.scenario not in (ScenarioName.AUTH, ScenarioName.FEATURE)

    def rollback(self, name: str) -> Rollback | None:
        """The rollback as it is kept now."""
        return next((one for one in self.evidence.rollbacks() if one.id == name), None)

    def notes(self, rollback: str, event: str) -> Iterator[tuple[datetime, str]]:
        """When an event of a rollback's trail happened, and what it said."""
        for one in self.events(rollback, event):
            yield datetime.fromisoformat(one.at), str(one.facts["note"])

    def events(self, rollback: str, name: str) -> Iterator[Event]:
        """The events of that name in a rollback's trail."""
        for entry in self.evidence.trail(rollback):
            yield from (one for one in entry.events if one.name == name)

    def show_application(self) -> None:
        """Show what the application answered in the last minute; metrics show it later."""
        now, measured = self.stage.now(), self.stage.measured()
        part = FAILING_PARTS.get(self.scenario)
        counts = [measured["parts"][part]] if part else measured["functions"].values()
        total, failed = (sum(one[name] for one in counts) for name in ("requests", "failed"))
        name = part.replace("_", "-") if part else "functions"
        text = f"application, last 60 s, {name}: {total:,} requests, {failed / (total or 1):.0%} failed"
        self.screen.say(text, now, "red" if failed else "")

    def show_requests(self) -> None:
        """Show the newest minute that the metrics have: they arrive late."""
        now = self.stage.now()
        this = now.replace(second=0, microsecond=0)
        for minute in (this - back * MINUTE for back in range(1, METRICS_DELAY_MINUTES)):
            counts = self.evidence.requests(minute, minute + MINUTE).values()
            total, failed = sum(one.total for one in counts), sum(one.failed for one in counts)
            if total:
                rate = f"{total:,} requests, {failed / total:.0%} failed"
                text = f"routers, minute of {minute:%H:%M}: {rate}"
                self.screen.say(text, now, "red" if failed else "")
                return

    def alert_lines(self, restored_at: datetime | None = None) -> Iterator[tuple[datetime, str]]:
        """Yield one line for each signal and state, with the time of the last alert of it.

        An alert soon after `restored_at` is said to be late: metrics may still be from before it.
        """
        received: dict[tuple[str, str, bool], list[datetime]] = {}
        for one in self.evidence.alerts():
            after = one.received_at - restored_at if restored_at else timedelta()
            is_late = one.is_open and timedelta() < after <= METRICS_DELAY_MINUTES * MINUTE
            received.setdefault((one.signal, one.state, is_late), []).append(one.received_at)
        for (signal, state, is_late), times in received.items():
            verb = "opened" if state == "open" else state
            late = " after the last shift, on metrics that are minutes old" if is_late else ""
            yield max(times), f"{count_noun(len(times), 'alert')} {verb}{late}: {signal_label(signal)}"

    def show_page(self, incident: Incident, published_at: datetime) -> None:
        """Show what the status page says, and how long after the detection it was written."""
        public = self.evidence.public()
        if public is not None:
            took = describe_duration(published_at - incident.detected_at)
            self.screen.say(f"{self.describe_public(public)}, written {took} after detection")

    def describe_public(self, public: PublicState) -> str:
        """Return what is public of the incident, on the status page and in its feeds."""
        return f"status page: {public.display_name}: {public.word} ({public.incident}, {public.severity})"


class DemoAct:
    """One part of the play, with what it has at hand."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._stage = scene.stage
        self._evidence = scene.evidence
        self._screen = scene.screen


def newest_serving_revision_at(inventory: Inventory) -> datetime:
    """When the newest revision that serves was made."""
    return max(
        revision.created_at
        for live in inventory.values()
        for revision in live.revisions
        if revision.name in traffic_shares(live.service.serving, live.service.latest_ready)
    )
