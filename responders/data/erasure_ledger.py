"""The ledger of erased people: written by the clock and by command, applied to opened copies."""

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from msgspec.structs import replace

from responders.support.command_handler import CommandEffect, CommandRequest
from responders.support.parallel_calls import call_all, require_answer
from shared.core import log
from shared.core.codec import FrozenStruct, encode
from shared.core.errors import Moved, Refused, Rejected, Unavailable
from shared.core.store import SERVER_TIME, Document, Put, Query, Update, retry_on_conflict
from shared.domain.commands.command import CommandRecord, command_path
from shared.domain.data.document import DocumentSnapshot
from shared.domain.data.erasure.ledger import (
    Erasure,
    ErasureLedgerRecord,
    declared_erasure,
    erasure_path,
    has_erased_person,
    hash_person,
    ledger_path,
    owners_by_field,
    owners_by_name,
)
from shared.domain.policy.data_rules import ErasureRules
from shared.domain.policy.document_scope import Scope
from shared.domain.policy.system_policy import Policies, Policy
from shared.ports.groups import Ports

READ_INTERVAL = timedelta(hours=1)
"""The declared collection is read so often."""
READ_OVERLAP = timedelta(minutes=5)
"""So much is read twice: no clock is off by more, and an entry may be written again."""
ENTRIES_PER_COMMIT = 300
ENTRIES_PER_QUERY = 3000
"""So many entries are read by one query, which must answer within its deadline."""
COMMIT_ATTEMPTS = 5
"""So often a commit is made again where others write the same people."""
READ_TIME_LIMIT_SECONDS = 15.0
"""So long one reading lasts: whom it has not come to is read a minute later, by the clock."""
ADDED_AT_FIELD: Mapping[str, Any] = {"added_at": SERVER_TIME}
"""The field of the book that changes with each entry."""
ERASE_VERB = "erase"
"""The command by which quarantine is gone through, whoever gives it."""


def update_due_ledgers(ports: Ports, policies: Policies) -> None:
    """Bring ledgers up to date after an hour, then have copies of erased people removed."""
    for policy in policies.values():
        if policy.erasure is None:
            continue
        try:
            if _update_ledger(ports, policy, policy.erasure):
                _request_quarantine_erasure(ports, policy)
        except (Rejected, Unavailable, Moved) as failure:
            log.write("ERROR", f"who was erased in {policy.system} is not seen: {failure}")


def update_ledger(ports: Ports, policy: Policy) -> None:
    """Bring the ledger of a system up to date, however new. Raises: Unavailable, Rejected."""
    if policy.erasure is not None and not _update_ledger(ports, policy, policy.erasure, afresh=True):
        raise Unavailable(f"{policy.system}: too many were erased to be read at once")


def _update_ledger(ports: Ports, policy: Policy, rules: ErasureRules, *, afresh: bool = False) -> bool:
    """Read erasures into the ledger; return whether all were read. `afresh`: from the start."""
    book, now = _load_ledger(ports, policy)
    is_new = now - book.read_until < READ_INTERVAL and not (afresh or book.cursor)
    if is_new or not rules.collection:
        return True
    if afresh or not book.cursor:
        book = replace(book, cursor="", reading_since=now)
    clock = ports.clock
    until, said = clock.monotonic() + READ_TIME_LIMIT_SECONDS, dict[str, datetime]()
    documents, place = (ports.system(policy.system).documents, Scope(rules.collection, True))
    for one in documents.stream(policy.integrity.database, place, None, book.cursor):
        found = declared_erasure(rules, one) if one.updated_at > book.read_until else None
        if found is not None:
            person, at = hash_person(book.salt, found[0]), found[1]
            said[person] = max(at, said.get(person, at))
        is_late = clock.monotonic() >= until
        if is_late or len(said) >= ENTRIES_PER_COMMIT:
            is_to_forget = book.is_to_forget or bool(said)
            book = replace(book, cursor=one.path, is_to_forget=is_to_forget)
            _record_erasures(ports, policy, rules, said, _reading_progress_fields(book) if is_late else {})
            said = {}
        if is_late:
            return False
    begun, is_to_forget = book.reading_since or now, book.is_to_forget or bool(said)
    book = replace(book, cursor="", reading_since=None, is_to_forget=is_to_forget)
    book = replace(book, read_until=begun - READ_OVERLAP)
    _record_erasures(ports, policy, rules, said, _reading_progress_fields(book))
    return True


def _record_erasures(
    ports: Ports, policy: Policy, rules: ErasureRules, said: Mapping[str, datetime], place: Mapping[str, Any]
) -> None:
    """Store the latest time of each erasure, and the reading progress. Raises: Unavailable."""
    store, gets = ports.store, dict[str, Callable[[], Document]]()
    for person in said:
        gets[person] = partial(store.get, erasure_path(policy.system, person))

    def entered() -> None:
        known = {person: require_answer(one) for person, one in call_all(ports, gets).items()}
        entries = [
            there.build_write(_build_erasure(policy, rules, person, said[person]))
            for person, there in known.items()
            if not there.fields or there.decode(Erasure).erased_at < said[person]
        ]
        fields = {**place, **(ADDED_AT_FIELD if entries else {})}
        if fields:
            store.commit([Update(ledger_path(policy.system), fields), *entries])

    retry_on_conflict(entered, COMMIT_ATTEMPTS, f"{policy.system}: others write who was erased")


def _load_ledger(ports: Ports, policy: Policy) -> tuple[ErasureLedgerRecord, datetime]:
    """The ledger's, which has its salt by then, and when it was read."""
    store, path = ports.store, ledger_path(policy.system)
    document = store.get(path)
    if document.fields is None:
        salt = f"{ports.ids()}{ports.ids()}"
        book = ErasureLedgerRecord(policy.system, salt, datetime.fromtimestamp(0, document.read_at.tzinfo))
        with suppress(Moved):  # another instance has made one
            store.commit([document.build_write(book)])
        document = store.get(path)
    return document.decode(ErasureLedgerRecord), document.read_at


def _request_quarantine_erasure(ports: Ports, policy: Policy) -> None:
    """Have a worker go through quarantine, as after a command, where somebody was read."""
    book, now = _load_ledger(ports, policy)
    if not book.is_to_forget or ports.buckets.quarantine is None:
        return
    record = CommandRecord(
        id=f"{ERASE_VERB}-{policy.system}-{now:%Y%m%dT%H%M%S}",
        command=ERASE_VERB,
        system=policy.system,
        actor="clock",
        reason="the application has erased somebody",
        received_at=now,
        result="what quarantine holds of whoever was erased is to be removed",
        due_at=now,
    )
    known = Put(command_path(record.id), encode(record))
    ports.store.commit([Update(ledger_path(policy.system), {"is_to_forget": False}), known])


def erase(asked: CommandRequest) -> CommandEffect:
    """A person is in the ledger, by the hash of their id alone; quarantine is gone through next."""
    policy, rules = asked.policy, asked.policy.erasure
    if rules is None:
        raise Refused(f"{policy.system} declares no data of persons (erasure)")
    erased = _build_erasure(policy, rules, asked.command.person, asked.ports.clock.now())
    entry = Put(erasure_path(policy.system, erased.hash), encode(erased))
    result = "whoever that is stays erased in every copy that is opened"
    book = asked.ports.store.get(ledger_path(policy.system))
    added = (Update(book.path, {**ADDED_AT_FIELD}),) if book.fields is not None else ()
    return CommandEffect(result, (entry, *added), goes_on=True)


def _reading_progress_fields(book: ErasureLedgerRecord) -> dict[str, Any]:
    """How far it was read. What an instance that is overtaken writes late is true all the same."""
    fields = encode(book)
    return {name: fields[name] for name in ("read_until", "cursor", "reading_since", "is_to_forget")}


def _build_erasure(policy: Policy, rules: ErasureRules, hashed: str, at: datetime) -> Erasure:
    return Erasure(policy.system, hashed, at, tuple(str(one) for one in rules.documents))


class ErasureLedger(FrozenStruct):
    """Who must stay erased, as whoever opens old data asks it."""

    rules: ErasureRules
    book: ErasureLedgerRecord
    erased: Mapping[str, datetime]
    added_at: datetime

    def is_version_erased(self, version: DocumentSnapshot, whose: Iterable[str] = ()) -> bool:
        """Return whether it belongs to somebody erased since; `whose`: persons named above it."""
        theirs = owners_by_name(self.rules, version.path) | {*owners_by_field(self.rules, version)}
        return has_erased_person({*whose, *theirs}, self.book, self.erased, version.updated_at)

    def is_document_erased(self, path: str, at: datetime) -> bool:
        """Whether a document is, by its name, of somebody who was erased since then."""
        return has_erased_person(owners_by_name(self.rules, path), self.book, self.erased, at)


def read_ledger(ports: Ports, policy: Policy) -> ErasureLedger | None:
    """The ledger of a system; None where nobody was erased. Raises: Unavailable."""
    document = ports.store.get(ledger_path(policy.system))
    erased, added_at, last = dict[str, datetime](), None, ""
    while policy.erasure is not None and document.fields is not None:
        behind = (("hash", ">", last),)
        page = ports.store.query(Query("erasures", where=behind, order_by="hash", limit=ENTRIES_PER_QUERY))
        for one in page:  # of each no more is held than this
            entry, added = one.decode(Erasure), one.version or one.read_at
            last = entry.hash
            if entry.system == policy.system:
                erased[entry.hash] = entry.erased_at
                added_at = max(added, added_at or added)
        if len(page) < ENTRIES_PER_QUERY:
            break
    if policy.erasure is None or document.fields is None or added_at is None:
        return None
    return ErasureLedger(policy.erasure, document.decode(ErasureLedgerRecord), erased, added_at)
