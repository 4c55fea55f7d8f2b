"""The step of a backup, copy or restore test each minute; the last two fill a database."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Generic, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from responders.data.copy_erasure import DatabaseCopyEraser
from responders.data.document_check import DocumentChecker
from responders.support.parallel_calls import Call, call_one
from shared.core import log
from shared.core.durations import floor_to_minute
from shared.core.errors import Exists, Moved, Rejected, Unavailable
from shared.core.store import Create, Document
from shared.domain.data.backups.database_copy import DatabaseCopy
from shared.domain.data.backups.export import REQUEST_TIMEOUT, may_request
from shared.domain.data.backups.filled_database import FILL_TIMEOUT, FILLING_STATUSES, FillStatus, mark_failed
from shared.domain.data.backups.restore_test import RestoreTest
from shared.domain.notices.notice import Notice
from shared.domain.policy.resources import CopyRules, ProofRules
from shared.domain.policy.system_policy import Policy
from shared.ports.groups import Ports
from shared.state.work_queue import commit_with_notices

ACTOR = "on_clock"
STOPPED_REASON = "nothing starts while a pause or a freeze is set"

JobRecord = TypeVar("JobRecord", DatabaseCopy, RestoreTest)
Rules = TypeVar("Rules", CopyRules, ProofRules)


@dataclass
class RecordStep:
    """One document as it was read, for one step."""

    _ports: Ports
    _policy: Policy
    _document: Document

    def __post_init__(self) -> None:
        self._now = self._document.read_at

    def _save_intent(self, intent: Struct) -> None:
        """Keep what is about to be asked for. Raises: Moved, where another one does so."""
        kept = self._document.build_update(intent)
        self._document = replace(self._document, version=self._ports.store.commit([kept]))

    def _save_result(self, after: Struct, events: Iterable[Create], said: Sequence[Notice]) -> None:
        """Keep the step with its events, and tell people; whoever wrote first has done it."""
        with suppress(Moved):
            kept = self._document.build_update(after)
            commit_with_notices(self._ports, [kept, *events], said)


class JobStep(RecordStep, ABC, Generic[JobRecord, Rules]):
    """One copy or proof, one step further."""

    WHAT: str
    SECONDS: float
    """Of looking through, each minute: the rest comes with the next one."""
    FAILED: str
    """What is said of a filling that failed, before its reason."""
    RETRIES_CREATION: bool

    def __init__(self, ports: Ports, policy: Policy, rules: Rules, document: Document) -> None:
        super().__init__(ports, policy, document)
        self._rules: Rules = rules
        self._restores = ports.system(policy.system).restores

    def carry_forward(self, one: JobRecord) -> None:
        """Take one step; commit it with its notices. A call without an answer is repeated."""
        try:
            after = self._advance_record(one)
        except (Unavailable, Rejected, Moved) as failure:
            severity = "ERROR" if isinstance(failure, Rejected) else "WARNING"
            log.write(severity, f"{self.WHAT} {one.id}: {failure}", event=f"{self.WHAT}.waits")
            after = replace(one, waiting=str(failure))
        if after.status in FILLING_STATUSES and self._now >= after.began_at + self._rules.within:
            reason = f"not finished in time: {after.waiting or after.status.lower()}"
            after = mark_failed(after, reason, self._now)
        if after != one:
            self._save_result(after, *self._build_notifications(one, after))

    def _advance_record(self, one: JobRecord) -> JobRecord:
        """The record a step further. Raises: Unavailable, Rejected, Moved."""
        match one.status:
            case FillStatus.MAKING | FillStatus.RESTORING:
                return self._check_fill(one)
            case FillStatus.CHECKING if one.purge.is_over:
                return self._check_documents(one)
            case FillStatus.CHECKING:
                return self._purge_erased_people(one)
        return self._delete_database(one)

    @abstractmethod
    def _build_calls(self, one: JobRecord) -> Sequence[Call]:
        """What makes its database, and, last, what fills it."""

    @abstractmethod
    def _conclude_check(self, examining: DocumentChecker, one: JobRecord) -> JobRecord:
        """The record once all of its database was looked through."""

    @abstractmethod
    def _delete_database(self, one: JobRecord) -> JobRecord:
        """The record once its database is gone."""

    @abstractmethod
    def _build_notifications(
        self, before: JobRecord, after: JobRecord
    ) -> tuple[Iterable[Create], list[Notice]]:
        """The events of a step, and who is told of it."""

    def _is_stopped(self) -> bool:
        """Whether a switch keeps it from being filled. Raises: Unavailable."""
        return False

    def _check_fill(self, one: JobRecord) -> JobRecord:
        """The record by how far its database is filled, begun where nobody has."""
        begun = None
        if one.operation:
            begun = call_one(self._ports, partial(self._restores.look, one.operation))
        elif one.asked_at is not None:
            begun = call_one(self._ports, partial(self._restores.find, one.database))
        if begun is None:
            return self._request_fill(one) if may_request(one.asked_at, self._now) else one
        part = f"{begun.percent} % restored" if begun.percent else ""
        if begun.ended_at is None:
            return replace(one, operation=begun.operation, waiting=part)
        known = replace(one, operation=begun.operation, waiting="")
        if begun.failure:
            return mark_failed(known, f"{self.FAILED}: {begun.failure}", self._now)
        return replace(known, status=FillStatus.CHECKING, filled_at=begun.ended_at)

    def _request_fill(self, one: JobRecord) -> JobRecord:
        """The record whose filling is asked for, once that is kept: of two, one loses there."""
        if self._is_stopped():
            return replace(one, waiting=STOPPED_REASON)
        intent = replace(one, asked_at=self._now, waiting="")
        until = self._ports.clock.monotonic() + REQUEST_TIMEOUT.total_seconds() / 2
        self._save_intent(intent)
        try:
            return self._send_requests(intent, until, is_first=one.asked_at is None)
        except (Unavailable, Moved) as failure:  # the next look finds it, or asks again
            return replace(intent, waiting=str(failure))

    def _handle_name_conflict(self, intent: JobRecord) -> JobRecord:
        return intent

    def _send_requests(self, intent: JobRecord, until: float, *, is_first: bool) -> JobRecord:
        """Make and fill the database in time: a late call must not fill what was checked."""
        operation = None
        for number, call in enumerate(self._build_calls(intent)):
            if self._is_stopped():
                return replace(intent, waiting=STOPPED_REASON)
            if self._ports.clock.monotonic() > until:
                return replace(intent, waiting="the request was not sent in time")
            try:
                operation = call_one(self._ports, call)
            except Exists:  # of a request before: the next look finds it
                if is_first and not number:
                    return self._handle_name_conflict(intent)
            except Rejected as no:
                if (bool(number) or self.RETRIES_CREATION) and self._now < intent.began_at + FILL_TIMEOUT:
                    return replace(intent, waiting=str(no))
                return mark_failed(intent, str(no), self._now)
        return replace(intent, operation=operation or "")

    def _build_import_calls(self, one: JobRecord, location: str, prefix: str) -> Sequence[Call]:
        return (
            partial(self._restores.create, one.database, location),
            partial(self._restores.fill, one.database, prefix),
        )

    def _purge_erased_people(self, one: JobRecord) -> JobRecord:
        """The record with more of its database gone through for people who were erased since."""
        opened = DatabaseCopyEraser(self._ports, self._policy, one.database, one.as_of)
        return replace(one, purge=opened.erase_people(one.purge, self.SECONDS), waiting="")

    def _check_documents(self, one: JobRecord) -> JobRecord:
        """Check more of the database, which nobody writes: each piece is read as of now."""
        examining, at = self._create_checker(one), floor_to_minute(self._now)
        if one.run is None:
            if one.filled_at is not None and at < one.filled_at:
                return one  # no whole minute has passed since it was filled
            return replace(one, run=examining.begin(self.WHAT, at), waiting="")
        run, failure = examining.advance(replace(one.run, at=at), self.SECONDS)
        later = replace(one, run=run, waiting=str(failure or ""))
        return later if failure or not run.is_over else self._conclude_check(examining, later)

    def _create_checker(self, one: JobRecord) -> DocumentChecker:
        """A look at its database, as if that were the one whose data the policy declares."""
        rules = replace(self._policy.integrity, database=one.database)
        return DocumentChecker(self._ports, replace(self._policy, integrity=rules))
