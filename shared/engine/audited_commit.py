"""The commit of a rollback with its audit event, its fence and its version."""

from typing import Any

import msgspec
from msgspec.structs import replace

from shared.core.codec import FrozenStruct, encode
from shared.core.redaction import redact_value
from shared.core.runtime import Ids
from shared.core.store import SERVER_TIME, Create, Document, Update, Write
from shared.domain.audit import anchor
from shared.domain.audit.chain import Event, build_entry
from shared.domain.rollback.rollback import Rollback, audit_entry_path, rollback_path

AUDITED_FIELDS = ("status", "cancel_requested", "expires_at", "verification")
"""Fields whose change is told in the trail, with what they were before."""
ANCHORED_FIELDS = frozenset({"fence", "status", "expires_at"})
"""Fields whose change has the head of the trail anchored: a claim, a phase, a hold."""


class CommitDraft(FrozenStruct):
    """What one commit is to do: change fields of the rollback, record events, write beside it."""

    events: tuple[Event, ...]
    changes: dict[str, Any] = {}
    writes: tuple[Write, ...] = ()


def prepare_commit(
    rollback: Rollback, version: Any, draft: CommitDraft, commit_id: str, *, renew: bool
) -> tuple[Rollback, list[Write]]:
    """Build the fenced commit with its audit entry; `renew` is for the lease's holder alone."""
    sequence = rollback.sequence + 1
    events = _add_changes_to_events(draft, rollback)
    entry = build_entry(rollback.audit_head, sequence, commit_id, rollback.fence, events)
    after = replace(rollback, **draft.changes, commit_id=commit_id, sequence=sequence, audit_head=entry.hash)
    fields = encode(after)
    if renew and after.lease is not None:
        fields["lease"] = {**fields["lease"], "renewed_at": SERVER_TIME}
    asked = anchor.pending_anchor_write(rollback_path(rollback.id), entry, after.expires_at)
    return after, [
        Update(rollback_path(rollback.id), fields, version),
        Create(audit_entry_path(rollback.id, sequence), {**encode(entry), "expires_at": after.expires_at}),
        *draft.writes,
        *([asked] if ANCHORED_FIELDS & draft.changes.keys() else []),
    ]


def build_rollback_writes(
    rollback: Rollback, document: Document, draft: CommitDraft, ids: Ids
) -> list[Write]:
    """Build the fenced commit of one that does not hold the lease."""
    return prepare_commit(rollback, document.version, draft, ids(), renew=False)[1]


def _add_changes_to_events(draft: CommitDraft, before: Rollback) -> tuple[Event, ...]:
    """The draft's events, the first of them with what its commit changes: before and after."""
    changes = {
        name: [getattr(before, name), draft.changes[name]]
        for name in AUDITED_FIELDS
        if name in draft.changes and draft.changes[name] != getattr(before, name)
    }
    if not changes:
        return draft.events
    first, *others = draft.events
    facts = {**first.facts, "changes": redact_value(msgspec.to_builtins(changes))}
    return (replace(first, facts=facts), *others)
