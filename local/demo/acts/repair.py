"""`SCENARIO=database`: a release writes damage into the data, and two people have it brought back.

The application goes on all the time: what it writes before the damage, after it and while documents
are written back is compared with what is there in the end, document by document.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from local.demo.screen import Screen, mark
from local.demo.staging import documents as shelves
from local.demo.staging import operators
from local.demo.staging.processes import DemoStage
from shared.core.codec import decode
from shared.core.store import Query
from shared.domain.data.isolation import write_fence as fences
from shared.domain.data.isolation.write_fence import Fence
from shared.domain.data.repair import quarantine
from shared.domain.data.repair.quarantine import JournalEntry
from shared.domain.policy.document_scope import Scope
from shared.domain.rollback.rollback import ENDED_ROLLBACK_STATUSES, Rollback, RollbackStatus

DOCUMENTS = 1000
"""Of each declared collection."""
CORRUPTED_EVERY_NTH = 10
MINUTE = timedelta(minutes=1)
MAX_SHOWN_LINES = 8
REPAIR_DONE_STATUSES = (RollbackStatus.WATCHING, *ENDED_ROLLBACK_STATUSES)


class RepairAct:
    """The data of a system that somebody spoils, and what there should be of them."""

    def __init__(self, stage: DemoStage, screen: Screen) -> None:
        self._stage = stage
        self._screen = screen
        self._store = stage.wiring.store
        self._policy = stage.policy
        self._wanted: dict[str, Mapping[str, Any]] = {}
        name, collection, field = shelves.find_referencing_collection(stage.policy)
        self._fields = {
            f"{name}/{number}": shelves.build_valid_fields(collection, number) for number in range(DOCUMENTS)
        }
        self._field = field
        self._spoilt = [path for n, path in enumerate(self._fields) if n % CORRUPTED_EVERY_NTH == 0]

    def play(self) -> bool:
        """Whether everything is as it should be in the end. Raises: Broken."""
        self._screen.act("A database in use")
        self._application(dict(shelves.build_valid_documents(self._policy, DOCUMENTS)))
        self._screen.say(f"{len(self._wanted)} documents, all of them valid", self._stage.now())
        self._stage.skip_time(10 * MINUTE)
        self._application(self._changed(self._spoilt[1::3], 1))
        self._stage.skip_time(2 * MINUTE)
        self._screen.act("A release writes damage, and the application goes on")
        spoilt = {path: {**self._fields[path], self._field: "nobody"} for path in self._spoilt}
        shelves.write_documents(self._stage, spoilt.items())
        self._screen.say(f"{len(spoilt)} documents name nobody that is there", style="red")
        self._stage.skip_time(MINUTE)
        others = [path for path in self._fields if path not in spoilt]
        self._application(self._changed(others[::7], 2))
        self._stage.skip_time(self._policy.integrity.quiet)
        self._screen.act("An order, and a question to a second person")
        parked = self._asked()
        self._screen.act("Brought back, while the application goes on")
        self._application(self._changed(self._spoilt[2:3], 3))
        self._say("approve", operators.OPERATOR_EMAILS[1], incident=parked.incident)
        self._application(self._changed(others[1:2], 4))
        ended = self._rollback("the data to be looked through again", REPAIR_DONE_STATUSES)
        return self._judged(parked, ended)

    def _asked(self) -> Rollback:
        self._say("rollback", operators.OPERATOR_EMAILS[0], scenario="database", select="invalid")
        with self._screen.waiting("the data are looked through until their writer has stopped"):
            parked = self._rollback("the question", (RollbackStatus.PARKED, *ENDED_ROLLBACK_STATUSES))
        question = parked.question
        self._screen.say(question.reason if question else parked.outcome, self._stage.now())
        for line in (question.plan.reported if question else ())[:MAX_SHOWN_LINES]:
            self._screen.say(line)
        return parked

    def _judged(self, parked: Rollback, ended: Rollback) -> bool:
        """Compared by reading everything, which nobody of the responders does for this."""
        there = dict(self._everything())
        named = {one.path for entry in self._journal(ended.id) for one in entry.landed}
        meanwhile = set(self._spoilt[2:3])
        took = (ended.shifted_at or self._stage.now()) - (ended.started_at or self._stage.now())
        self._screen.say(f"{len(named)} documents written in {took.total_seconds():.0f} s")
        held = [
            ("nothing was moved before two people had agreed", parked.started_at is None),
            ("every document is as the application wants it", there == self._wanted),
            ("written were just the invalid ones", named == set(self._spoilt) - meanwhile),
            ("in less than a quarter of an hour", took < self._policy.targets.database),
            ("and the data were looked through again", ended.verified_at is not None),
        ]
        if self._policy.fence is not None:
            held.append(("behind a fence, which falls then", self._was_fenced(ended)))
        self._screen.act("What is there now")
        self._screen.table(("", "what must hold"), [(mark(holds), text) for text, holds in held])
        return all(holds for _, holds in held)

    def _was_fenced(self, ended: Rollback) -> bool:
        """Whether a fence stood from before the first document until it was let fall."""

        def look() -> Fence | None:
            fence = decode(Fence, self._store.get(fences.fence_path(self._policy.system)).fields)
            return fence if fence.falls_at is not None else None

        fence = self._stage.wait_for("the fence to fall", look)
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
        operators.publish_command(self._stage, {**said, "reason": "documents name nobody"}, person)

    def _rollback(self, what: str, statuses: tuple[RollbackStatus, ...]) -> Rollback:
        """The newest rollback, once it has come so far."""

        def look() -> Rollback | None:
            found = [decode(Rollback, one.fields) for one in self._store.query(Query("rollbacks"))]
            newest = max(found, key=lambda one: one.created_at, default=None)
            return newest if newest is not None and newest.status in statuses else None

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
