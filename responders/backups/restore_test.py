"""on_clock: each day the newest backup is restored into a scratch database and looked through."""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial
from itertools import islice
from typing import Any

from responders.backups.database_fill_step import ACTOR, JobStep
from responders.data.document_check import DocumentChecker
from responders.support.parallel_calls import Call, call_one
from shared.core import log
from shared.core.codec import encode
from shared.core.errors import Ambiguous, Exists, Rejected, Unavailable
from shared.core.store import Create, Query
from shared.domain.audit.system_chain import system_event
from shared.domain.data.backups.filled_database import FillStatus
from shared.domain.data.backups.restore_test import (
    ObservedRestore,
    RestoreTest,
    choose_backup,
    leftover_databases,
    mark_closed,
    record_checks,
    restore_test_id,
    restore_test_path,
)
from shared.domain.data.document import is_same_value
from shared.domain.data.integrity import scan
from shared.domain.notices.notice import Notice
from shared.domain.notices.recipients import create_notices
from shared.domain.policy.document_scope import Scope
from shared.domain.policy.resources import ProofRules
from shared.domain.policy.severity import Severity
from shared.domain.policy.system_policy import Policies, Policy
from shared.ports.groups import Ports
from shared.state.reader import StateReader

EVENT_NAMES = {
    FillStatus.CHECKING: "backup.restored",
    FillStatus.PROVEN: "backup.proven",
    FillStatus.FAILED: "backup.unproven",
}


def advance_restore_tests(ports: Ports, policies: Policies) -> None:
    """Begin today's tests; carry unfinished ones a step forward. Raises: Unavailable."""
    testing = {system: policy for system, policy in policies.items() if policy.backups.proof}
    if not testing:
        return
    found_open = ports.store.query(Query.equal("proofs", is_over=False))
    under_way = [(one.decode(RestoreTest), one) for one in found_open]
    busy = {proof.system for proof, _ in under_way}
    for policy in testing.values():
        if policy.system not in busy:  # one that ends deletes every scratch database
            _begin(ports, policy)
    for proof, document in under_way:
        its = testing.get(proof.system)
        if its is not None and its.backups.proof is not None:
            _RestoreTestStep(ports, its, its.backups.proof, document).carry_forward(proof)


def _begin(ports: Ports, policy: Policy) -> None:
    """Have the intent on record; the name of the day keeps a second one out."""
    now, store = ports.clock.now(), ports.store
    if store.get(restore_test_path(restore_test_id(policy.system, now))).fields is not None:
        return
    rules, exports, natives = policy.backups, StateReader(store).backups(policy.system), []
    if rules.native:
        listed = partial(ports.system(policy.system).backups.backups, rules.database)
        try:
            natives = call_one(ports, listed)
        except (Rejected, Unavailable) as failure:
            log.write("WARNING", f"the backups of {policy.system} cannot be read: {failure}")
    proof = choose_backup(policy, exports, natives, now)
    if proof is not None:
        told = _build_event(proof, "backup.restoring", now)
        with suppress(Exists):
            store.commit([Create(restore_test_path(proof.id), encode(proof)), told])


class _RestoreTestStep(JobStep[RestoreTest, ProofRules]):
    WHAT = "proof"
    SECONDS = 15.0
    FAILED = "the restore failed"
    RETRIES_CREATION = True

    def _build_calls(self, one: RestoreTest) -> Sequence[Call]:
        if one.is_native:
            return (partial(self._restores.restore, one.database, one.source),)
        database = partial(self._ports.system(one.system).backups.database, one.original)
        return self._build_import_calls(one, call_one(self._ports, database).location, one.source)

    def _conclude_check(self, examining: DocumentChecker, one: RestoreTest) -> RestoreTest:
        seen = call_one(self._ports, partial(self._observe_restore, one))
        return record_checks(one, self._rules, seen, self._now)

    def _observe_restore(self, proof: RestoreTest) -> ObservedRestore:
        documents = self._ports.system(proof.system).documents
        counted = {
            name: documents.count(proof.database, Scope(name, everywhere=True), None) for name in proof.counts
        }
        restored = {
            version.path: version.fields
            for name, one in self._policy.collections.items()
            for version in self._sample_documents(proof.database, scan.collection_scope(name, one))
        }
        try:
            before = documents.get(proof.original, sorted(restored), proof.snapshot_at)
        except Rejected:  # the moment of the backup cannot be read any more
            return ObservedRestore(counted)
        known = {path: one.fields if one else None for path, one in before.items()}
        differing = tuple(path for path in sorted(known) if not is_same_value(restored[path], known[path]))
        return ObservedRestore(counted, len(known), differing)

    def _sample_documents(self, database: str, scope: Scope) -> Iterable[Any]:
        documents, most = self._ports.system(self._policy.system).documents, self._rules.samples
        starts = ["", *documents.partition_points(database, scope, None, most - 1)]
        each = -(-most // len(starts))
        for start in starts:
            yield from islice(documents.stream(database, scope, None, start), each)

    def _delete_database(self, proof: RestoreTest) -> RestoreTest:
        """The proof once every scratch database of the system is gone, a late one of before too."""
        for name in leftover_databases(proof.system, call_one(self._ports, self._restores.names)):
            with suppress(Ambiguous):  # the next look tells
                call_one(self._ports, partial(self._restores.delete, name))
        if leftover_databases(proof.system, call_one(self._ports, self._restores.names)):
            return proof
        return mark_closed(proof, self._now)

    def _build_notifications(
        self, before: RestoreTest, after: RestoreTest
    ) -> tuple[Iterable[Create], list[Notice]]:
        said: list[Notice] = []
        if after.status is before.status or after.status not in EVENT_NAMES:
            return (), said
        if after.status is FillStatus.FAILED:
            text = "\n".join((f"{after.system}: backup {after.backup} is not proven", *after.faults))
            key = f"proof-{after.id}"
            said = create_notices(self._policy, key, Severity.HIGH, "backup-unproven", text, self._now)
        return [_build_event(after, EVENT_NAMES[after.status], self._now)], said


def _build_event(proof: RestoreTest, name: str, now: datetime) -> Create:
    facts = {
        "proof": proof.id,
        "backup": proof.backup,
        "database": proof.database,
        "faults": proof.faults,
        "unknown": proof.unknown,
    }
    return system_event(proof.system, f"{name}:{proof.id}", name, now, ACTOR, **facts)
