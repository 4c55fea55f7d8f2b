"""`SCENARIO=backups`: a day of exports, copies, proofs and looks at the data, time-scaled.

Most of the day is skipped; around what is due the cloud's time runs fast, and everything is done by
the responders as they are: an export that fails late is begun anew, one document of many that is
not valid is found with the minute in which that began.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from local.demo.screen import Screen, mark
from local.demo.staging import documents
from local.demo.staging.processes import DemoStage
from shared.core.codec import decode
from shared.core.durations import describe_duration
from shared.core.store import Query
from shared.domain.data.backups import restore_test as proofs
from shared.domain.data.backups.export import Backup, ExportStatus, backup_id, slot_start
from shared.domain.data.backups.filled_database import FillStatus
from shared.domain.data.backups.restore_test import RestoreTest
from shared.domain.data.integrity import damage
from shared.domain.data.integrity.damage import DamageFinding, IntegrityRecord
from shared.domain.policy.system_policy import Policy

FAST_SCALE = 30.0
"""Cloud seconds per second around what is due."""
DOCUMENTS = 200
"""Of each declared collection."""
MINUTE = timedelta(minutes=1)
EXPORT_FAILURE_TEXT = "the disk of the exporter is full"


def build_backup_policy_fields(policy: Policy) -> dict[str, Any]:
    """What a policy file says of backups beside its own, so that its database is backed up."""
    return {
        "bucket": f"{policy.project}-exports",
        "second": f"{policy.project}-exports-second",
        "collections": [*policy.collections],
        "proof": {"samples": 5},
    }


class BackupDayAct:
    """A day in the life of a database."""

    def __init__(self, stage: DemoStage, screen: Screen) -> None:
        self._stage = stage
        self._screen = screen
        self._store = stage.wiring.store
        self._policy = stage.policy
        self._system = stage.policy.system

    def play(self) -> bool:
        """Whether the day ends as it should. Raises: Broken."""
        self._screen.act("The start of the day")
        documents.write_documents(self._stage, documents.build_valid_documents(self._policy, DOCUMENTS))
        counted = f"{DOCUMENTS} documents in each of {', '.join(self._policy.collections)}"
        self._screen.say(counted, self._stage.now())
        self._next_slot()  # all that is to come has a whole slot before it, whatever hour it is
        self._stage.rescale(FAST_SCALE)
        self._screen.act("Export, copy to another continent, and comparison")
        first = self._backup()
        self._screen.act("Restore test in a scratch database")
        self._show_proof(self._stage.wait_for("the restore test", self.proofs)[0])
        self._screen.act("An export that fails after its start")
        self._stage.install_fault_plan(self._failing())
        self._next_slot()
        second = self._backup()
        self._stage.remove_fault_plan()
        self._screen.act("One invalid document")
        path, spoilt_at = self._spoil()
        self._next_slot()
        third = self._backup()
        finding = self._stage.wait_for("the corruption to be found", self._damage)
        self._show_damage(finding)
        proved = self._stage.wait_for("the last restore test", self.proofs)  # after midnight: a second one
        return self._judged((first, second, third), proved, finding, path, spoilt_at)

    def _judged(
        self,
        backups: tuple[Backup, ...],
        proved: Sequence[RestoreTest],
        finding: DamageFinding,
        path: str,
        spoilt_at: datetime,
    ) -> bool:
        left = proofs.leftover_databases(
            self._system, self._stage.wiring.system(self._system).restores.names()
        )
        found, attempts = {one.path for one in finding.samples}, [one.attempt for one in backups]
        held = [
            ("each slot has one complete backup", all(one.status is ExportStatus.KEPT for one in backups)),
            ("each backup is stored on two continents", all(len(one.places) == 2 for one in backups)),
            ("the export that failed was started again", attempts == [1, 2, 1]),
            (
                "each day's newest backup passed its restore test",
                all(one.status is FillStatus.PROVEN for one in proved),
            ),
            ("no scratch database is left", left == []),
            ("only the corrupted document is found", found == {path}),
            ("the minute of the corruption is found", _same_minute(finding.onset_at, spoilt_at)),
        ]
        self._screen.act("The end of the day")
        self._screen.table(("", "what must hold"), [(mark(holds), text) for text, holds in held])
        return all(holds for _, holds in held)

    def _next_slot(self) -> None:
        """Skip what is left of this one; a proof under way would be late then."""
        self._stage.wait_for("the restore test in progress", lambda: self.proofs() is not None)
        now, every = self._stage.now(), self._policy.backups.every
        self._stage.skip_time(slot_start(every, now) + every + MINUTE - now)

    def _backup(self) -> Backup:
        """The backup of this slot, once it is over."""
        name = backup_id(self._system, slot_start(self._policy.backups.every, self._stage.now()))

        def look() -> Backup | None:
            fields = self._store.get(f"backups/{name}").fields
            found = decode(Backup, fields) if fields else None
            return found if found is not None and found.is_over else None

        with self._screen.waiting("the clock exports, copies and compares"):
            found = self._stage.wait_for(f"backup {name}", look)
        self._screen.say(f"{found.id}: {found.status}, attempt {found.attempt}", found.ended_at)
        self._screen.say(f"{found.documents} documents, {found.objects} files")
        for place in found.places:
            self._screen.say(place)
        return found

    def proofs(self) -> Sequence[RestoreTest] | None:
        """Return the proof of each day, the oldest first; None while one is under way."""
        found = [decode(RestoreTest, one.fields) for one in self._store.query(Query("proofs"))]
        found.sort(key=lambda proof: proof.id)
        return found if all(one.is_over for one in found) else None

    def _show_proof(self, proof: RestoreTest) -> None:
        took = describe_duration(proof.duration) if proof.duration else "unknown time"
        self._screen.say(f"{proof.backup}: {proof.status}, restored in {took}", proof.ended_at)
        counted = sum(proof.counts.values())
        said = f"{counted} documents counted, {proof.compared} compared field by field"
        self._screen.say(said)
        for line in (*proof.faults, *proof.unknown):
            self._screen.say(line, style="red")

    def _damage(self) -> DamageFinding | None:
        fields = self._store.get(damage.damage_path(self._system)).fields
        record = decode(IntegrityRecord, fields) if fields else None
        return record.open_findings.get(damage.CORRUPTION_SIGNAL) if record is not None else None

    def _show_damage(self, finding: DamageFinding) -> None:
        self._screen.say(f"{finding.signal}: {finding.reason}", style="red")
        self._screen.say(f"since {finding.onset_at:%H:%M:%S}, {finding.onset}")
        for sample in finding.samples:
            self._screen.say(f"{sample.path}: {sample.reason}")
        for suspect in finding.suspects:
            self._screen.say(f"changed before: {suspect}")

    def _failing(self) -> dict[str, Any]:
        database = f"projects/{self._policy.project}/databases/{self._policy.backups.database}"
        failing = {"service": f"{database}/exportDocuments", "failure": EXPORT_FAILURE_TEXT, "times": 1}
        return {"operations": [failing]}

    def _spoil(self) -> tuple[str, datetime]:
        """The path of a document that names nobody from now on, and when that began."""
        name, collection, field = documents.find_referencing_collection(self._policy)
        path, known = (f"{name}/{DOCUMENTS // 2}", documents.build_valid_fields(collection, DOCUMENTS // 2))
        documents.write_documents(self._stage, [(path, {**known, field: "nobody"})])
        spoilt_at = self._stage.now()
        self._screen.say(f"{path} refers to a document that does not exist", spoilt_at, "red")
        return path, spoilt_at


def _same_minute(one: datetime, other: datetime) -> bool:
    return abs(one - other) <= MINUTE
