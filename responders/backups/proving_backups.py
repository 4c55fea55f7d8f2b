"""on_clock: each day the newest backup is restored into a scratch database and looked through."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import datetime
from functools import partial
from itertools import islice
from typing import Any, Final

from msgspec.structs import replace

from responders.asking import ask
from responders.backups.filling import examined, found, of_database, stepped
from responders.erasing import Opened
from responders.examining import Examining
from shared import integrity, log
from shared import proving as proofs
from shared.audit import event
from shared.backing import Backup
from shared.documents import decode, encode
from shared.errors import Ambiguous, Exists, Moved, Rejected, Unavailable
from shared.handover import publish_notices
from shared.notice import creates, notices
from shared.outside import write_down
from shared.policy import Policy
from shared.ports import Create, Document, Ports, Query, Update
from shared.proving import Proof, Seen, Status
from shared.resources import ProofRules
from shared.severity import Severity
from shared.versions import Scope, same

ACTOR: Final = "on_clock"
FOR_SECONDS: Final = 15.0
"""Of looking through, each minute: the rest comes with the next one."""
TURNS: Final = {
    Status.CHECKING: "backup.restored",
    Status.PROVEN: "backup.proven",
    Status.FAILED: "backup.unproven",
}
"""What is written down when a proof has come that far."""


class ProvingBackups:
    """The proofs of the systems whose policy wants them; one that does not costs nothing."""

    def __init__(self, ports: Ports, policies: Mapping[str, Policy]) -> None:
        self._ports = ports
        self._policies = {
            system: policy for system, policy in policies.items() if policy.backups.proof
        }
        self._begun: dict[str, str] = {}
        """The newest proof of each system that is on record, whoever put it there."""

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
        name = proofs.id_of(policy.system, proofs.slot(now))
        if self._begun.get(policy.system) == name:
            return
        if store.get(proofs.path(name)).fields is None:
            proof = self._chosen(policy, now)
            if proof is None:
                return
            told = _told(proof, "backup.restoring", now)
            with suppress(Exists):
                store.commit([Create(proofs.path(proof.id), encode(proof)), told])
        self._begun[policy.system] = name

    def _chosen(self, policy: Policy, now: datetime) -> Proof | None:
        """The intent to prove the newest backup of them all; None: there is none to be seen."""
        rules, natives = policy.backups, []
        ours = (("system", "==", policy.system),)
        exports = [
            decode(Backup, one.fields)
            for one in self._ports.store.query(Query("backups", where=ours))
        ]
        if rules.native:
            listed = partial(self._ports.backups(policy.system).backups, rules.database)
            try:
                natives = ask(self._ports, listed)
            except (Rejected, Unavailable) as failure:
                log.write("WARNING", f"the backups of {policy.system} are not seen: {failure}")
        return proofs.chosen(policy, exports, natives, now)


class _Step:
    """One proof, one step further."""

    def __init__(self, ports: Ports, policy: Policy, rules: ProofRules, document: Document) -> None:
        self._ports = ports
        self._policy = policy
        self._rules = rules
        self._document = document
        self._now = document.read_at
        self._restores = ports.restores(policy.system)

    def carry_forward(self, proof: Proof) -> None:
        """One look, and what it takes, kept in one commit with who is told."""
        after = stepped(proof, self._after, f"proof {proof.id}", "proof.waits")
        undecided = after.status in (Status.RESTORING, Status.CHECKING)
        if undecided and proofs.is_late(proof, self._rules, self._now):
            reason = f"not over in time: {after.waiting or after.status.lower()}"
            after = proofs.failed(after, reason)
        if after != proof:
            self._keep(proof, after)

    def _after(self, proof: Proof) -> Proof:
        match proof.status:
            case Status.RESTORING:
                return self._restored(proof)
            case Status.CHECKING:
                return self._checked(proof)
        return self._closed(proof)

    def _restored(self, proof: Proof) -> Proof:
        """The proof by how far the scratch database is filled, begun where nobody has."""
        begun = found(self._ports, self._restores, proof, proof.database)
        if begun is not None:
            return proofs.restored(proof, begun)
        return self._asked(proof) if proofs.may_ask(proof, self._now) else proof

    def _asked(self, proof: Proof) -> Proof:
        """The proof whose filling is asked for, once that is on record: of two, one loses there."""
        intent = proofs.asked(proof, self._now)
        version = self._ports.store.commit(
            [Update(self._document.path, encode(intent), self._document.version)]
        )
        self._document = replace(self._document, version=version)
        try:
            ask(self._ports, partial(self._ask, intent))
        except (Unavailable, Rejected, Moved) as failure:  # the next look finds it, or asks again
            return replace(intent, waiting=str(failure))
        return intent

    def _ask(self, proof: Proof) -> None:
        """Have the scratch database made and filled, by whatever answer."""
        if proof.is_native:
            self._restores.restore(proof.database, proof.source)
            return
        there = self._ports.backups(proof.system).database(proof.original)
        with suppress(Exists):
            self._restores.create(proof.database, there.location)
        self._restores.fill(proof.database, proof.source)

    def _checked(self, proof: Proof) -> Proof:
        """The proof with more of its database looked through, or with all that was seen."""
        if not proof.purge.is_over:
            opened = Opened(self._ports, self._policy, proof.database, proof.snapshot_at)
            return replace(proof, purge=opened.purge(proof.purge, FOR_SECONDS))
        examining = Examining(self._ports, of_database(self._policy, proof.database))
        later, is_over = examined(
            examining, proof, "proof", proof.restored_at, self._now, FOR_SECONDS
        )
        if not is_over:
            return later
        return proofs.checked(later, self._rules, ask(self._ports, partial(self._seen, later)))

    def _seen(self, proof: Proof) -> Seen:
        """How many documents were restored, and whether some of them are what they were."""
        documents = self._ports.documents(proof.system)
        counted = {
            name: documents.count(proof.database, Scope(name, everywhere=True), None)
            for name in proof.counts
        }
        restored = {
            version.path: version.fields
            for scope in self._scopes()
            for version in self._sampled(proof.database, scope)
        }
        try:
            before = documents.get(proof.original, sorted(restored), proof.snapshot_at)
        except Rejected:  # the moment of the backup cannot be read any more
            return Seen(counted)
        known = {path: one.fields if one else None for path, one in before.items()}
        differing = tuple(path for path in sorted(known) if not same(restored[path], known[path]))
        return Seen(counted, len(known), differing)

    def _scopes(self) -> Iterable[Scope]:
        return [integrity.scope(name, one) for name, one in self._policy.collections.items()]

    def _sampled(self, database: str, scope: Scope) -> Iterable[Any]:
        """Some documents of a scope, from its beginning to its end."""
        documents, most = self._ports.documents(self._policy.system), self._rules.samples
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

    def _keep(self, before: Proof, after: Proof) -> None:
        said, now, document = [], self._now, self._document
        if after.status is Status.FAILED:
            text = "\n".join(
                (f"{after.system}: backup {after.backup} is not proven", *after.faults)
            )
            key = f"proof-{after.id}"
            said = notices(self._policy, key, Severity.HIGH, "backup-unproven", text, now)
        turned = after.status is not before.status and after.status in TURNS
        events = [_told(after, TURNS[after.status], now)] if turned else []
        with suppress(Moved):  # whoever wrote first has done it
            self._ports.store.commit(
                [Update(document.path, encode(after), document.version), *events, *creates(said)]
            )
            publish_notices(self._ports.bus, said)


def _told(proof: Proof, name: str, now: datetime) -> Create:
    facts = {
        "proof": proof.id,
        "backup": proof.backup,
        "database": proof.database,
        "faults": proof.faults,
        "unknown": proof.unknown,
    }
    return write_down(proof.system, f"{name}:{proof.id}", event(name, now, ACTOR, **facts))
