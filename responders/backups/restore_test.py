"""on_clock: each day the newest backup is restored into a scratch database and looked through."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial
from itertools import islice
from typing import Any, Final

from responders.backups.job_step import ACTOR, JobStep
from responders.data.document_check import Examining
from responders.support.parallel_calls import ask
from shared.core import log
from shared.core.codec import decode, encode
from shared.core.errors import Ambiguous, Exists, Rejected, Unavailable
from shared.core.store import Create, Document, Query
from shared.domain.audit.chain import event
from shared.domain.audit.system_chain import write_down
from shared.domain.data.backups import restore_test as proofs
from shared.domain.data.backups.filled_database import FillStatus
from shared.domain.data.backups.restore_test import ObservedRestore, Proof
from shared.domain.data.document import same
from shared.domain.data.integrity import scan
from shared.domain.notices.notice import Notice, notices
from shared.domain.policy.document_scope import Scope
from shared.domain.policy.model import Policy
from shared.domain.policy.resources import ProofRules
from shared.domain.policy.severity import Severity
from shared.ports.groups import Ports
from shared.state.reader import Reading

TURNS: Final = {
    FillStatus.CHECKING: "backup.restored",
    FillStatus.PROVEN: "backup.proven",
    FillStatus.FAILED: "backup.unproven",
}
"""What is written down when a proof has come that far."""


class ProvingBackups:
    """The proofs of the systems whose policy wants them; one that does not costs nothing."""

    def __init__(self, ports: Ports, policies: Mapping[str, Policy]) -> None:
        self._ports = ports
        self._policies = {
            system: policy for system, policy in policies.items() if policy.backups.proof
        }

    def prove(self) -> None:
        """Begin the proof of the day, and carry each unfinished one a step forward.

        What a service does not answer is asked again in a minute. Raises: Unavailable, for the
        store's.
        """
        if not self._policies:
            return
        found_open = self._ports.store.query(Query("proofs", where=(("is_over", "==", False),)))
        under_way = [(decode(Proof, one.fields), one) for one in found_open]
        busy = {proof.system for proof, _ in under_way}
        for policy in self._policies.values():
            if policy.system not in busy:  # one that ends deletes every scratch database
                self._begin(policy)
        for proof, document in under_way:
            its = self._policies.get(proof.system)
            if its is not None and its.backups.proof is not None:
                _Step(self._ports, its, its.backups.proof, document).carry_forward(proof)

    def _begin(self, policy: Policy) -> None:
        """Have the intent on record; the name of the day keeps a second one out."""
        now, store = self._ports.clock.now(), self._ports.store
        name = proofs.id_of(policy.system, now)
        if store.get(proofs.restore_test_path(name)).fields is not None:
            return
        proof = self._chosen(policy, now)
        if proof is not None:
            told = _told(proof, "backup.restoring", now)
            with suppress(Exists):
                store.commit([Create(proofs.restore_test_path(proof.id), encode(proof)), told])

    def _chosen(self, policy: Policy, now: datetime) -> Proof | None:
        """The intent to prove the newest backup of them all; None: there is none to be seen."""
        rules, natives = policy.backups, []
        exports = Reading(self._ports.store).backups(policy.system)
        if rules.native:
            listed = partial(self._ports.system(policy.system).backups.backups, rules.database)
            try:
                natives = ask(self._ports, listed)
            except (Rejected, Unavailable) as failure:
                log.write("WARNING", f"the backups of {policy.system} are not seen: {failure}")
        return proofs.chosen(policy, exports, natives, now)


class _Step(JobStep[Proof]):
    """One proof, one step further."""

    WHAT = "proof"
    SECONDS = 15.0
    FAILED = "the restore failed"
    RETRIES_CREATION = True

    def __init__(self, ports: Ports, policy: Policy, rules: ProofRules, document: Document) -> None:
        super().__init__(ports, policy, rules.within, document)
        self._rules = rules

    def _calls(self, one: Proof) -> Sequence[Callable[[], Any]]:
        if one.is_native:
            return (partial(self._restores.restore, one.database, one.source),)
        database = partial(self._ports.system(one.system).backups.database, one.original)
        return self._imported(one, ask(self._ports, database).location, one.source)

    def _concluded(self, examining: Examining, one: Proof) -> Proof:
        """The proof with all that was seen."""
        seen = ask(self._ports, partial(self._seen, one))
        return proofs.checked(one, self._rules, seen, self._now)

    def _seen(self, proof: Proof) -> ObservedRestore:
        """How many documents were restored, and whether some of them are what they were."""
        documents = self._ports.system(proof.system).documents
        counted = {
            name: documents.count(proof.database, Scope(name, everywhere=True), None)
            for name in proof.counts
        }
        restored = {
            version.path: version.fields
            for name, one in self._policy.collections.items()
            for version in self._sampled(proof.database, scan.scope(name, one))
        }
        try:
            before = documents.get(proof.original, sorted(restored), proof.snapshot_at)
        except Rejected:  # the moment of the backup cannot be read any more
            return ObservedRestore(counted)
        known = {path: one.fields if one else None for path, one in before.items()}
        differing = tuple(path for path in sorted(known) if not same(restored[path], known[path]))
        return ObservedRestore(counted, len(known), differing)

    def _sampled(self, database: str, scope: Scope) -> Iterable[Any]:
        """Some documents of a scope, from its beginning to its end."""
        documents, most = self._ports.system(self._policy.system).documents, self._rules.samples
        starts = ["", *documents.cuts(database, scope, None, most - 1)]
        each = -(-most // len(starts))
        for start in starts:
            yield from islice(documents.stream(database, scope, None, start), each)

    def _closed(self, proof: Proof) -> Proof:
        """The proof once every scratch database of the system is gone, a late one of before too."""
        for name in proofs.scratch(proof.system, ask(self._ports, self._restores.names)):
            with suppress(Ambiguous):  # the next look tells
                ask(self._ports, partial(self._restores.delete, name))
        if proofs.scratch(proof.system, ask(self._ports, self._restores.names)):
            return proof
        return proofs.closed(proof, self._now)

    def _told(self, before: Proof, after: Proof) -> tuple[Iterable[Create], list[Notice]]:
        said: list[Notice] = []
        if after.status is before.status or after.status not in TURNS:
            return (), said
        if after.status is FillStatus.FAILED:
            text = "\n".join(
                (f"{after.system}: backup {after.backup} is not proven", *after.faults)
            )
            key = f"proof-{after.id}"
            said = notices(self._policy, key, Severity.HIGH, "backup-unproven", text, self._now)
        return [_told(after, TURNS[after.status], self._now)], said


def _told(proof: Proof, name: str, now: datetime) -> Create:
    facts = {
        "proof": proof.id,
        "backup": proof.backup,
        "database": proof.database,
        "faults": proof.faults,
        "unknown": proof.unknown,
    }
    return write_down(proof.system, f"{name}:{proof.id}", event(name, now, ACTOR, **facts))
