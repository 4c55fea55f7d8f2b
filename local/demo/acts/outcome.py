"""The last part: how it ended, how long each phase took, and whether every invariant holds."""

from datetime import datetime, timedelta
from operator import itemgetter

from local.demo import invariants
from local.demo.act import DemoAct
from local.demo.acts.headings import Heading
from local.demo.invariants import StateBefore
from local.demo.screen import mark
from local.demo.staging.processes import DemoFailed
from shared.domain.incidents.recovery_times import measure_recovery
from shared.domain.reports.phases import all_notified_at, incident_totals, rollback_phases
from shared.domain.signals.labels import status_label


class OutcomeAct(DemoAct):
    """Shows what is left when all is over."""

    def show_end(self, incident: str) -> None:
        """Show in the order of time what became of the incident, its rollbacks and its alerts."""
        self._stage.wait_for("every notification to be sent", self._all_is_said)
        self._screen.act(Heading.END)
        rollbacks = self._evidence.rollbacks()
        restored_at = max((one.shifted_at for one in rollbacks if one.shifted_at), default=None)
        lines = [(at, text, "") for at, text in self._scene.alert_lines(restored_at)]
        for one in rollbacks:
            text = f"{one.id} {status_label(one.status)}: {one.outcome}"
            lines.append((one.ended_at or self._stage.now(), text, "bold"))
        for ended in self._evidence.incidents():
            if ended.id == incident:
                lines += [
                    (turn.at, f"{status_label(turn.status)}: {turn.note}", "") for turn in ended.timeline
                ]
        public = self._evidence.public()
        if public is not None:
            lines.append((public.updated_at, self._scene.describe_public(public), ""))
        for at, text, style in sorted(lines, key=itemgetter(0)):
            self._screen.say(text, at, style)
        if not self._scene.lost.broken:  # else the incident stays open
            self._stage.wait_for("the last status page", self._page_is_calm)
        self._scene.show_requests()

    def show_times(self, name: str, struck_at: datetime) -> None:
        """Each phase of a rollback beside its target; the bad release was there at `struck_at`."""
        evidence = self._evidence
        rollback = self._scene.rollback(name)
        if rollback is None:
            raise DemoFailed(f"rollback {name} does not exist any more")
        ended = next(one for one in evidence.incidents() if one.id == rollback.incident)
        self._screen.act(Heading.TIMES)
        self._screen.say(
            "Probes run every 30 s. Metrics are 1 minute late here, up to 3 minutes late at Google."
        )
        policy = self._stage.policy
        said = [one for one in evidence.notices() if one.incident == ended.id]
        mine = [one for one in evidence.rollbacks() if one.incident == ended.id]
        alerts = [one for one in evidence.alerts() if one.incident == ended.id]
        times = measure_recovery(policy, ended, mine, evidence.page_record(ended.id))
        took = (
            *rollback_phases(
                ended, rollback, evidence.trail(rollback.id), struck_at, all_notified_at(said), policy
            ),
            *incident_totals(times, alerts, policy),
        )
        rows = [
            (
                mark(phase.is_within_target) if phase.target else "",
                phase.name,
                _format_span(phase.duration),
                f"< {_format_span(phase.target)}" if phase.target else "",
            )
            for phase in took
        ]
        self._screen.table(("", "phase", "took", "target"), rows)
        if not self._scene.lost.broken:  # else nobody recovers it in time
            self._screen.missed += [
                phase.name for phase in took if phase.target and not phase.is_within_target
            ]

    def show_laws(self, before: StateBefore) -> bool:
        """Whether every invariant holds; each is shown, with what breaks it."""
        self._screen.act(Heading.LAWS)
        found = invariants.check_invariants(
            self._evidence,
            before,
            self._stage.application_state(),
            self._evidence.read_resources(self._stage.policy),
            scenario=self._scene.scenario,
            disturbed=self._scene.kills,
        )
        self._screen.table(("", "invariant"), [(mark(law.holds), law.text) for law in found])
        for law in found:
            for fault in law.faults[: invariants.SHOWN_FAULTS]:
                self._screen.say(f"{law.text}: {fault}", style="red")
        return all(law.holds for law in found)

    def _page_is_calm(self) -> bool:
        return "All parts work." in self._evidence.page()

    def _all_is_said(self) -> bool:
        return not any(notice.is_waiting for notice in self._evidence.notices())


def _format_span(span: timedelta | None) -> str:
    if span is None:
        return "never"
    minutes, seconds = divmod(round(span.total_seconds()), 60)
    return f"{minutes} min {seconds:02d} s" if minutes else f"{seconds} s"
