"""What must hold of each commit, whatever it is of."""

from collections.abc import Mapping

from shared.core import topics
from shared.core.codec import decode
from shared.domain.incidents import incident as incidents
from shared.domain.rollback.rollback import RollbackStatus
from tests.simulation.invariants.observations import SYSTEM_PATH, Fields, Seen
from tests.simulation.invariants.rollbacks import RollbackLaws
from tests.simulation.scenes.bookshop import SYSTEM

IN_EFFECT = frozenset({RollbackStatus.RUNNING, RollbackStatus.VERIFYING})
COMMAND = f"topics publish {topics.COMMANDS} "
"""What a line has by which a person does something about an incident."""
STEP_MAY_FOLLOW = {
    "PENDING": {"BEGUN", "SKIPPED", "UNNEEDED"},
    "BEGUN": {"DONE", "STOPPED", "FAILED", "PENDING"},
}


class CommitLaws:
    """Steps, alerts, incidents and the system, as they are committed."""

    def __init__(self, seen: Seen, rollbacks: RollbackLaws) -> None:
        self._seen = seen
        self._world = seen.world
        self._break = seen.broke
        self._rollback_laws = rollbacks
        self._judged: tuple[Fields, Fields] = ({}, {})
        """The newest incident and what the public is told, as they were compared last."""
        self._asked: set[str] = set()
        """Incidents of which people were told that they wait for them, and how to answer."""

    def committed(self, before: Mapping[str, Fields | None]) -> None:
        """A commit has landed: judge what it has made of each document."""
        peek = self._world.store.peek
        after = {path: peek(path) or {} for path in before}
        for path, fields in after.items():
            kind, _, rest = path.partition("/")
            if kind == "rollbacks" and "/" not in rest:
                self._rollback_laws.judge(rest, before[path], fields, after)
            elif kind == "rollbacks" and "/steps/" in rest:
                self._judge_step(rest, before[path], fields, after)
            elif kind == "alerts":
                self._judge_alert(path, before[path], fields)
            elif kind == "incidents":
                self._judge_incident(before[path], fields, after)
        self._judge_system()

    def _judge_step(
        self, path: str, before: Fields | None, after: Fields, commit: Mapping[str, Fields]
    ) -> None:
        key, _, name = path.partition("/steps/")
        steps = self._seen.steps.setdefault(key, {})
        steps[name] = after
        status = after["status"]
        if before is None:
            self._seen.frozen[path] = self._seen.now
            return
        was = before["status"]
        if status == was:
            return
        rollback = commit.get(f"rollbacks/{key}")
        if rollback is None:
            self._break(4, f"{key} {name} was written without its rollback")
            return
        entry = commit.get(f"rollbacks/{key}/audit/{rollback['sequence']:06d}", {"events": []})
        told = [event["facts"].get("step") for event in entry["events"]]
        if name not in told:
            self._break(5, f"{key} {name} became {status} without its event")
        if status not in STEP_MAY_FOLLOW.get(was, ()):
            self._break(3, f"{key} {name} went from {was} to {status}")
        if status == "BEGUN" and rollback["cancel_requested"]:
            self._break(7, f"{key} {name} was begun though a person wants it to stop")
        if status == "DONE" and after["kind"] == "shift" and not self._arrived(after):
            self._break(3, f"{key} {name} is called done, and is not")

    def _arrived(self, step: Fields) -> bool:
        """Whether the routers do what the step wants, or a person has been there since."""
        function = step["target"]
        if self._seen.by_hand.get(function, -1.0) >= 0:
            return True
        newest = self._world.platform.services()[function].latest_ready
        goal = {
            one["revision"] or newest: one["percent"] for one in step["goal"]["traffic"] if one["percent"]
        }
        return self._world.platform.live(function) == goal

    def _judge_alert(self, path: str, before: Fields | None, after: Fields) -> None:
        twins = [
            other
            for other, fields in self._world.store.documents_of("alerts")
            if (fields["monitoring_id"], fields["state"]) == (after["monitoring_id"], after["state"])
        ]
        if len(twins) > 1:
            self._break(2, f"the same alert is kept twice: {twins}")
        if before and before["absorbed_by"] not in ("", after["absorbed_by"]):
            self._break(2, f"{path} was judged by {before['absorbed_by']} and {after['absorbed_by']}")

    def _judge_incident(self, before: Fields | None, after: Fields, commit: Mapping[str, Fields]) -> None:
        escalated = incidents.IncidentStatus.ESCALATED
        if after["status"] == escalated and (before or {}).get("status") != escalated:
            said = [one["text"] for path, one in commit.items() if path.startswith("notices/")]
            is_told = any(COMMAND in text for text in said)
            if not is_told and after["id"] not in self._asked:  # people know how to answer since then
                self._break(8, f"{after['id']} waits for a person, and no command is told")
            self._asked.add(after["id"])
        if before is not None:
            return
        kinds = {path.partition("/")[0] for path in commit}
        if not {"public", "notices", "rollbacks", "systems"} <= kinds:
            self._break(12, f"{after['id']} was detected without all that goes with it")

    def _judge_system(self) -> None:
        peek = self._world.store.peek
        system = peek(SYSTEM_PATH) or {}
        active = [key for key, one in self._seen.rollbacks.items() if one["status"] in IN_EFFECT]
        if len(active) > 1:
            self._break(1, f"{active} have effects in flight together")
        if active and system.get("slot") != active[0]:
            self._break(1, f"{active[0]} has effects in flight without the slot")
        if system.get("slot") and system["slot"] not in active:
            self._break(1, f"{system['slot']} holds the slot, and has nothing in flight")
        current = peek(incidents.incident_path(system["incident"])) if system.get("incident") else None
        public = peek(f"{incidents.public_history_path(SYSTEM)}/{system.get('incident')}") or {}
        if current and (current is not self._judged[0] or public is not self._judged[1]):
            self._judged = current, public
            word = incidents.public_status_changes(decode(incidents.Incident, current))[-1].word
            if (public.get("incident"), public.get("word")) != (current["id"], word):
                self._break(12, f"the public is told {public.get('word')} while it is {word}")
