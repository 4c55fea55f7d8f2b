"""`SCENARIO=database`: a release writes damage into the data, and two people have it brought back.

The application goes on all the time: what it writes before the damage, after it and while documents
are written back is compared with what is there in the end, document by document.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from local.demo.act import DemoAct, Scene
from local.demo.acts.headings import Heading
from local.demo.acts.monitoring import MonitoringAct
from local.demo.acts.outcome import OutcomeAct
from local.demo.screen import mark
from local.demo.staging import documents as shelves
from local.demo.staging import operators
from shared.core.codec import decode
from shared.core.durations import describe_duration
from shared.core.store import Query
from shared.domain.data.isolation import write_fence as fences
from shared.domain.data.isolation.write_fence import Fence
from shared.domain.data.repair import quarantine
from shared.domain.data.repair.quarantine import JournalEntry
from shared.domain.incidents.incident import Incident
from shared.domain.policy.document_scope import Scope
from shared.domain.rollback.rollback import ENDED_ROLLBACK_STATUSES, Rollback, RollbackStatus

DOCUMENTS = 1000
"""Of each declared collection."""
CORRUPTED_EVERY_NTH = 10
CHANGED_EVERY_NTH = 45
"""Of the others: the writes take real time, in which the cloud's clock runs ten times as fast."""
MINUTE = timedelta(minutes=1)
MAX_SHOWN_LINES = 8
REPAIR_DONE_STATUSES = (RollbackStatus.WATCHING, *ENDED_ROLLBACK_STATUSES)


class RepairAct(DemoAct):
    """The data of a system that somebody spoils, and what there should be of them."""

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self._store = scene.stage.wiring.store
        self._policy = scene.stage.policy
        self._wanted: dict[str, Mapping[str, Any]] = {}
        name, collection, field = shelves.find_referencing_collection(self._policy)
        self._fields = {
            f"{name}/{number}": shelves.build_valid_fields(collection, number) for number in range(DOCUMENTS)
        }
        self._field = field
        self._spoilt = [path for n, path in enumerate(self._fields) if n % CORRUPTED_EVERY_NTH == 0]

    def play(self) -> bool:
        """Whether everything is as it should be in the end. Raises: Broken."""
        self._screen.act("A database in use")
        self._application(dict(shelves.build_valid_documents(self._policy, DOCUMENTS)))
        self._screen.say(f"{len(self._wanted)} documents, all valid", self._stage.now())
        self._stage.skip_time(10 * MINUTE)
        self._application(self._changed(self._spoilt[1::3], 1))
        self._stage.skip_time(2 * MINUTE)
        self._screen.act("A release corrupts documents while the application writes")
        spoilt = {path: {**self._fields[path], self._field: "nobody"} for path in self._spoilt}
        shelves.write_documents(self._stage, spoilt.items())
        struck_at = self._stage.now()
        self._screen.say(f"{len(spoilt)} documents refer to a document that does not exist", struck_at, "red")
        self._stage.skip_time(MINUTE / 2)
        others = [path for path in self._fields if path not in spoilt]
        self._application(self._changed(others[::CHANGED_EVERY_NTH], 2))
        detected = self._detected()
        self._screen.act("A manual rollback request, and the approval of a second person")
        parked = self._asked()
        self._screen.act("Restoring documents while the application writes")
        self._application(self._changed(self._spoilt[2:3], 3))
        self._say("approve", operators.OPERATOR_EMAILS[1], incident=parked.incident)
        self._application(self._changed(others[1:2], 4))
        ended = self._rollback("the check of the restored documents", REPAIR_DONE_STATUSES)
        holds = self._judged(parked, ended, detected.detected_at)
        MonitoringAct(self._scene).follow(ended.id)
        OutcomeAct(self._scene).show_times(ended.id, struck_at)
        return holds

    def _detected(self) -> Incident:
        """Return the incident of the alert that a data check raises, once it is published."""
        self._say("check", operators.OPERATOR_EMAILS[0])
        with self._screen.waiting("the data are checked"):
            found = self._stage.wait_for("the alert", self._evidence.incidents)
        self._screen.act(Heading.DETECTED)
        for at, text in self._scene.alert_lines():
            self._screen.say(text, at)
        text = f"{found[0].id} {found[0].severity}: {found[0].timeline[0].note}"
        self._screen.say(text, found[0].detected_at, "bold red")
        name = found[0].id
        with self._screen.waiting("the status page is written"):
            published_at = self._stage.wait_for("the status page", lambda: self._evidence.published_at(name))
        self._scene.show_page(found[0], published_at)
        return found[0]

    def _asked(self) -> Rollback:
        self._say("rollback", operators.OPERATOR_EMAILS[0], scenario="database", select="invalid")
        with self._screen.waiting("the worker checks the documents until no more of them become invalid"):
            parked = self._rollback("the question", (RollbackStatus.PARKED, *ENDED_ROLLBACK_STATUSES))
        question = parked.question
        self._screen.say(question.reason if question else parked.outcome, self._stage.now())
        for line in (question.plan.reported if question else ())[:MAX_SHOWN_LINES]:
            self._screen.say(line)
        return parked

    def _judged(self, parked: Rollback, ended: Rollback, detected_at: datetime) -> bool:
        """Compared by reading everything, which nobody of the responders does for this."""
        there = dict(self._everything())
        named = {one.path for entry in self._journal(ended.id) for one in entry.landed}
        meanwhile = set(self._spoilt[2:3])
        restored_at, verified_at = ended.shifted_at or self._stage.now(), ended.verified_at
        writing = restored_at - (ended.started_at or restored_at)
        took = (verified_at or self._stage.now()) - detected_at
        text = f"{len(named)} documents written in {describe_duration(writing)}"
        self._screen.say(f"{text}; the application itself corrected {len(meanwhile)} more", restored_at)
        self._screen.say(f"{describe_duration(took)} from detection to verification", verified_at, "bold")
        held = [
            ("no document was changed before two people approved", parked.started_at is None),
            ("every document is as the application last wrote it", there == self._wanted),
            ("only invalid documents were written", named == set(self._spoilt) - meanwhile),
            ("verified in less than 15 minutes after detection", took < self._policy.targets.database),
            ("the documents were checked again after the repair", verified_at is not None),
        ]
        if self._policy.fence is not None:
            held.append(
                ("a write fence was active during the repair and is lifted now", self._was_fenced(ended))
            )
        self._screen.act("Result")
        self._screen.table(("", "what must hold"), [(mark(holds), text) for text, holds in held])
        return all(holds for _, holds in held)

    def _was_fenced(self, ended: Rollback) -> bool:
        """Whether a fence stood from before the first document until it was let fall."""

        def look() -> Fence | None:
            fence = decode(Fence, self._store.get(fences.fence_path(self._policy.system)).fields)
            return fence if fence.falls_at is not None else None

        fence = self._stage.wait_for("the write fence to be lifted", look)
        times = [fence.stood_at, ended.started_at, ended.shifted_at, fence.falls_at]
        known = [one for one in times if one is not None]
        return len(known) == len(times) and known == sorted(known)

    def _changed(self, paths: list[str], number: int) -> dict[str, Mapping[str, Any]]:
        return {path: {**self._fields[path], "number": -number} for path in paths}

    def _application(self, documents: Mapping[str, Mapping[str, Any]]) -> None:
        """What the application writes is wanted so."""
        self._wanted |= documents
        shelves.write_documents(self._stage, documents.items())

    def _say(self, verb: str, person: str, **more: Any) -> None:
        said = {"version": 1, "command": verb, "system": self._policy.system, **more}
        operators.publish_command(
            self._stage, {**said, "reason": "documents with a broken reference"}, person
        )

    def _rollback(self, what: str, statuses: tuple[RollbackStatus, ...]) -> Rollback:
        """Return the rollback that a person ordered, once it has come so far."""

        def look() -> Rollback | None:
            ordered = [one for one in self._evidence.rollbacks() if one.order is not None]
            return next((one for one in ordered if one.status in statuses), None)

        return self._stage.wait_for(what, look)

    def _journal(self, rollback: str) -> list[JournalEntry]:
        found = self._store.query(Query(quarantine.journal_path(rollback)))
        return [decode(JournalEntry, one.fields) for one in found]

    def _everything(self) -> dict[str, Mapping[str, Any]]:
        documents = self._stage.wiring.system(self._policy.system).documents
        database = self._policy.integrity.database
        return {
            one.path: one.fields
            for name in self._policy.collections
            for one in documents.stream(database, Scope(name), None)
        }
