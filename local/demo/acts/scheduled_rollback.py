"""A feature that a person takes back at a stated time: told of beforehand, and begun then."""

from datetime import datetime, timedelta

from local.demo.act import MINUTE, DemoAct
from local.demo.staging import operators
from shared.domain.incidents.incident import Incident

LEAD_TIME = 20 * MINUTE
SECOND = timedelta(seconds=1)


class ScheduledRollbackAct(DemoAct):
    """Makes it, and skips the time until it is kept."""

    def schedule_rollback(self) -> datetime:
        """When the rollback is to begin: a person has said so, and people were told."""
        self._screen.act("Scheduled")
        begins_at = (self._stage.now() + LEAD_TIME).replace(microsecond=0)
        said = {
            "version": 1,
            "command": "rollback",
            "system": self._stage.policy.system,
            "scenario": "feature",
            "severity": "MEDIUM",
            "at": begins_at.isoformat(),
            "reason": "fewer orders since the new checkout",
        }
        operators.publish_command(self._stage, said)
        self._show("planned")
        return begins_at

    def await_start(self, begins_at: datetime) -> Incident:
        """The incident that it opens; people are told again before it begins."""
        self._skip_to(begins_at - self._stage.policy.gates.notice_before)
        self._show("planned-soon")
        self._skip_to(begins_at)
        with self._screen.waiting("waiting for the sweep that starts the scheduled rollback"):
            found = self._stage.wait_for("the scheduled rollback", self._evidence.incidents)
        self._screen.act("Started")
        [incident] = found
        text = f"{incident.id} {incident.severity}: {incident.timeline[0].note}"
        self._screen.say(text, incident.detected_at, "bold")
        return incident

    def _skip_to(self, moment: datetime) -> None:
        left = moment + SECOND - self._stage.now()
        if left > timedelta():
            self._stage.skip_time(left)

    def _show(self, event: str) -> None:
        """Print the notice of an event as one channel got it, once no channel waits for it."""

        def told() -> list[tuple[datetime, str]]:
            said = [one for one in self._evidence.notices() if one.event == event]
            is_unsent = any(one.is_waiting for one in said)
            return [] if is_unsent else [(one.sent_at, one.text) for one in said if one.sent_at is not None]

        sent_at, text = self._stage.wait_for(f"the notification of {event}", told)[0]
        for line in text.split("\n"):
            self._screen.say(line, sent_at)
