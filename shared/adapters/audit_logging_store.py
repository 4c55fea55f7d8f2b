"""A store whose audit events are told in the log, too, once they are committed."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from msgspec.structs import asdict

from shared.core import log
from shared.core.codec import decode
from shared.core.store import Create, Document, Query, Reader, Store, Write
from shared.domain.audit.audit_lines import AuditLine, audit_line_of_event, audit_lines_of_entry
from shared.domain.audit.chain import AuditEntry, Event

_ROLLBACK_ENTRY_PATH = re.compile(r"(rollbacks/([^/]+))/audit/[^/]+")
_SYSTEM_EVENT_PATH = re.compile(r"systems/([^/]+)/audit/[^/]+")

_SEVERITIES = (
    (re.compile(r".*(failed|escalated)"), "ERROR"),
    (re.compile(r".*(refused|held|cancelled|expired|superseded|unanswered)"), "WARNING"),
    (re.compile(r"lease\..*"), "DEBUG"),
)
"""By the event's name; every other one is INFO."""
_LABELS = ("system", "incident", "rollback", "step", "event")
_FIELDS_SAID_ELSEWHERE = ("why", "message")
"""In the text of the line, and in the context that every line carries."""


@dataclass
class AuditLoggingStore:
    """A Store over another one; the log is a copy, and may lack commits whose answer was lost."""

    _store: Store

    def get(self, path: str) -> Document:
        return self._store.get(path)

    def query(self, query: Query) -> list[Document]:
        return self._store.query(query)

    def commit(self, writes: Sequence[Write]) -> datetime:
        version = self._store.commit(writes)
        _log_audit_events(writes)
        return version

    def transact(self, work: Callable[[Reader], Sequence[Write]]) -> datetime | None:
        last: list[Write] = []

        def remembered(reader: Reader) -> Sequence[Write]:
            last[:] = work(reader)
            return last

        version = self._store.transact(remembered)
        _log_audit_events(last)
        return version


def _log_audit_events(writes: Sequence[Write]) -> None:
    for write in writes:
        if not isinstance(write, Create):
            continue
        if found := _ROLLBACK_ENTRY_PATH.fullmatch(write.path):
            beside = next((one.fields for one in writes if one.path == found[1]), dict[str, Any]())
            entry = decode(AuditEntry, write.fields)
            where = beside.get("incident", ""), beside.get("system", "")
            for one in audit_lines_of_entry(entry, found[2], *where):
                _log_audit_line(one)
        elif found := _SYSTEM_EVENT_PATH.fullmatch(write.path):
            _log_audit_line(audit_line_of_event(decode(Event, write.fields), found[1]))


def _log_audit_line(one: AuditLine) -> None:
    severity = next((name for names, name in _SEVERITIES if names.fullmatch(one.event)), "INFO")
    fields = {name: value for name, value in asdict(one).items() if name not in _FIELDS_SAID_ELSEWHERE}
    labels = {name: fields[name] for name in _LABELS if fields[name]}
    log.write(severity, f"{one.event}: {one.why}" if one.why else one.event, labels=labels, **fields)
