"""copy, and on_clock: copies of a database are made, looked through, kept for a while, let go."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from functools import partial

from msgspec.structs import replace

from responders.backups.database_fill_step import ACTOR, JobStep
from responders.data import restore_points
from responders.data.document_check import DocumentChecker
from responders.support.command_handler import CommandEffect, CommandRequest
from responders.support.controls import is_change_blocked
from responders.support.parallel_calls import Call, call_one
from shared.core.codec import encode
from shared.core.errors import Ambiguous, Moved, Refused, Rejected
from shared.core.store import Create, Query
from shared.domain.audit.system_chain import system_event
from shared.domain.data.backups.database_copy import (
    DELETION_TIMEOUT,
    MAX_COPIES_PER_SYSTEM,
    NOTICE_SEVERITIES,
    DatabaseCopy,
    copy_path,
    end_copy,
    mark_deleted,
    mark_ready,
    new_copy_id,
    notice_lines,
    should_remind,
)
from shared.domain.data.backups.filled_database import (
    FILLING_STATUSES,
    FillStatus,
    mark_failed,
    start_deletion,
)
from shared.domain.data.backups.restore_point import (
    AvailablePoints,
    RestorePoint,
    RestoreSource,
    resolve_restore_point,
)
from shared.domain.data.erasure.ledger import ErasureProgress
from shared.domain.decision.forecast import describe_copy_time
from shared.domain.notices.notice import Notice
from shared.domain.notices.recipients import create_notices
from shared.domain.policy.resources import CopyRules
from shared.domain.policy.system_policy import Policies
from shared.ports.groups import Ports
from shared.state.reader import StateReader


def advance_copies(ports: Ports, policies: Policies) -> None:
    """Carry each unfinished copy a step forward. Raises: Unavailable (our store)."""
    if not any(policy.backups.copies for policy in policies.values()):
        return
    for document in ports.store.query(Query.equal("copies", is_over=False)):
        copy = document.decode(DatabaseCopy)
        policy = policies.get(copy.system)
        if policy is not None and policy.backups.copies is not None:
            _CopyStep(ports, policy, policy.backups.copies, document).carry_forward(copy)


class _CopyStep(JobStep[DatabaseCopy, CopyRules]):
    WHAT = "copy"
    SECONDS = 30.0
    FAILED = "the copy could not be made"
    RETRIES_CREATION = False

    def _advance_record(self, one: DatabaseCopy) -> DatabaseCopy:
        return self._maintain_copy(one) if one.status is FillStatus.READY else super()._advance_record(one)

    def _request_fill(self, one: DatabaseCopy) -> DatabaseCopy:
        """The copy that is asked for, unless somebody's own database is called like it."""
        if one.asked_at is None and one.id in call_one(self._ports, self._restores.names):
            return self._handle_name_conflict(one)
        return super()._request_fill(one)

    def _handle_name_conflict(self, intent: DatabaseCopy) -> DatabaseCopy:
        theirs = f"a database {intent.id} exists already: delete it, then request the copy again"
        return mark_failed(replace(intent, asked_at=None), theirs, self._now)

    def _build_calls(self, one: DatabaseCopy) -> Sequence[Call]:
        match one.point.source:
            case RestoreSource.WINDOW:
                return (partial(self._restores.clone, one.id, one.original, one.point.at),)
            case RestoreSource.NATIVE:
                return (partial(self._restores.restore, one.id, one.point.place),)
        return self._build_import_calls(one, one.location, one.point.place)

    def _is_stopped(self) -> bool:
        return is_change_blocked(self._ports, self._policy)

    def _purge_erased_people(self, one: DatabaseCopy) -> DatabaseCopy:
        began = one.purged_at
        if began is None or one.purge == ErasureProgress(removed=one.purge.removed):
            began = self._now
        return super()._purge_erased_people(replace(one, purged_at=began))

    def _conclude_check(self, examining: DocumentChecker, one: DatabaseCopy) -> DatabaseCopy:
        """The copy that is ready; or, where it was filled once more meanwhile, from the start."""
        newest = call_one(self._ports, partial(self._restores.find, one.id))
        if newest is not None and newest.operation != one.operation:
            return replace(
                one, status=FillStatus.MAKING, operation=newest.operation, purge=ErasureProgress(), run=None
            )
        return mark_ready(one, examining.count_documents(None), self._rules, self._now)

    def _count_documents(self, copy: DatabaseCopy) -> dict[str, int]:
        return self._create_checker(copy).count_documents(None)

    def _maintain_copy(self, copy: DatabaseCopy) -> DatabaseCopy:
        """The copy that waits for people: whoever is erased meanwhile goes from it, too."""
        if not copy.purge.is_over:
            purged = self._purge_erased_people(copy)
            return replace(purged, counts=self._count_documents(copy)) if purged.purge.is_over else purged
        if self._has_new_erasures(copy):
            return replace(copy, purge=ErasureProgress(removed=copy.purge.removed))
        if should_remind(copy, self._rules, self._now):
            return replace(copy, reminded_at=self._now)
        if copy.kept_until is None or self._now < copy.kept_until:
            return copy
        if copy.id not in call_one(self._ports, self._restores.names):
            return mark_deleted(copy, self._now)
        if self._count_documents(copy) != copy.counts:
            why = "its document counts changed since it was ready"
            return end_copy(copy, FillStatus.LEFT, self._now, why)
        return start_deletion(copy, self._now)

    def _has_new_erasures(self, copy: DatabaseCopy) -> bool:
        """Return whether the ledger has grown since: an erasure may be announced late."""
        since = copy.purged_at
        book = StateReader(self._ports.store).erasure_ledger(copy.system)
        if self._policy.erasure is None or since is None or book is None or book.added_at is None:
            return False
        return book.added_at >= since

    def _delete_database(self, one: DatabaseCopy) -> DatabaseCopy:
        """Return the copy once its database is gone; a protected one stays."""
        if one.asked_at is None:
            return mark_deleted(one, self._now)
        if one.id in call_one(self._ports, self._restores.names):
            try:
                with suppress(Ambiguous):  # the look tells
                    call_one(self._ports, partial(self._restores.delete, one.id))
            except Moved as no:
                if one.closing_at and self._now >= one.closing_at + DELETION_TIMEOUT:
                    return end_copy(one, FillStatus.LEFT, self._now, f"it may not be deleted: {no}")
                return replace(one, waiting=str(no))
            if one.id in call_one(self._ports, self._restores.names):
                return one
        return mark_deleted(one, self._now)

    def _build_notifications(
        self, before: DatabaseCopy, after: DatabaseCopy
    ) -> tuple[Iterable[Create], list[Notice]]:
        name, now = _event_name(before, after), self._now
        if not name:
            return (), []
        facts = {
            "copy": after.id,
            "point": str(after.point),
            "faults": after.faults,
            "waiting": after.waiting,
        }
        notices = []
        if name in NOTICE_SEVERITIES:
            lines = "\n".join(notice_lines(name, after, self._policy))
            notices = create_notices(self._policy, after.id, NOTICE_SEVERITIES[name], name, lines, now)
        return [system_event(after.system, f"{name}:{after.id}", name, now, ACTOR, **facts)], notices


def _event_name(before: DatabaseCopy, after: DatabaseCopy) -> str:
    if after.reminded_at is not before.reminded_at:
        return "copy.ends"
    is_filled_again = after.status is FillStatus.CHECKING and before.filled_at is not None
    if after.status is before.status or is_filled_again:
        return ""
    if after.faults and after.status is FillStatus.LETTING_GO:
        return "copy.failed"
    return _EVENT_NAMES.get(after.status, "")


_EVENT_NAMES: Mapping[FillStatus, str] = {
    FillStatus.CHECKING: "copy.made",
    FillStatus.READY: "copy.ready",
    FillStatus.DELETED: "copy.deleted",
    FillStatus.FAILED: "copy.gone",
    FillStatus.LEFT: "copy.left",
}


def copy(asked: CommandRequest) -> CommandEffect:
    """Record a copy, which the clock makes. Raises: Refused, with nearest points; Unavailable."""
    command, policy = asked.command, asked.policy
    if policy.backups.copies is None:
        raise Refused(f"{policy.system} declares no copies (backups.copies)")
    known = StateReader(asked.ports.store).copies(policy.system)
    open_ones = [one.id for one in known if one.status in FILLING_STATUSES]
    if len(open_ones) >= MAX_COPIES_PER_SYSTEM:
        raise Refused(f"{', '.join(open_ones)} are in progress: wait until one has ended")
    try:
        kept = restore_points.read_available_points(asked.ports, policy)
    except Rejected as no:
        raise Refused(f"the backups and copies cannot be read: {no}") from no
    point = select_copy_source(command.restore_point, kept)
    now = asked.ports.clock.now()
    made = DatabaseCopy(
        id=new_copy_id(policy.system, now),
        system=policy.system,
        original=policy.backups.database,
        point=point,
        location=_copy_location(kept, point),
        command=command.id,
        actor=command.actor,
        reason=command.reason,
        began_at=now,
    )
    untried = "" if point.is_verified else "; it has no restore test"
    takes = describe_copy_time(policy, point, kept)
    result = f"{made.id}: {policy.backups.database} as of {point}: {takes}{untried}"
    return CommandEffect(result, (Create(copy_path(made.id), encode(made)),), answer={"copy": made.id})


def select_copy_source(text: str, kept: AvailablePoints) -> RestorePoint:
    """What a copy is made of. Raises: Refused."""
    point = resolve_restore_point(text, kept)
    if point.source is RestoreSource.COPY:
        raise Refused(f"{point.place} is a copy already")
    return point


def _copy_location(kept: AvailablePoints, point: RestorePoint) -> str:
    """Return the location of the original, or of its backups where it is gone. Raises: Refused."""
    if kept.database is not None:
        return kept.database.location
    places = [one.name.split("/")[3] for one in kept.natives]
    if not places and point.source is RestoreSource.EXPORT:
        raise Refused("the database is gone, and its location is not known: import it manually")
    return places[-1] if places else ""
