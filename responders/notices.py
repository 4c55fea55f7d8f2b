"""on_notice: say what is to be said, at least once, and record that it was."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

import msgspec
from msgspec.structs import replace

from shared import handover
from shared import incident as incidents
from shared import notice as notices
from shared.documents import decode, encode
from shared.envelope import Message
from shared.errors import Moved, Rejected, Unavailable
from shared.incident import Incident
from shared.incident import Status as IncidentStatus
from shared.notice import LIMIT_ATTEMPTS, Notice, Status, Unless, retry_after
from shared.policy import Channel, Policy
from shared.ports import Document, Ports, Update

SENDING_TAKES = timedelta(minutes=1)
"""Longer than any channel may take: until then nobody else sends it."""


class Notices:
    """The outbox: one notice per message, claimed before it is sent."""

    def __init__(self, ports: Ports, policies: Mapping[str, Policy]) -> None:
        self._ports = ports
        self._policies = policies

    def receive(self, message: Message) -> None:
        """Return once the notice is sent, withdrawn, or its next attempt is due later.

        A redelivery sends nothing twice, unless the instance died between sending and recording;
        then the channel sees the same key again. Raises: Refused; Unavailable.
        """
        due = handover.parse(message.data, handover.NOTICE)
        document = self._ports.store.get(notices.path(due.id))
        if document.fields is None:
            return
        notice = decode(Notice, document.fields)
        if notice.due_at is None or notice.due_at > document.read_at:
            return
        try:
            if self._is_pointless(notice):
                withdrawn = replace(notice, status=Status.WITHDRAWN, due_at=None)
                self._ports.store.commit(
                    [Update(document.path, encode(withdrawn), document.version)]
                )
                return
            self._send(notice, document)
        except Moved:  # another instance has it in hand
            return

    def _send(self, notice: Notice, document: Document) -> None:
        store, now = self._ports.store, document.read_at  # all instances agree on the store's time
        attempt = replace(notice, attempts=notice.attempts + 1, due_at=now + SENDING_TAKES)
        version = store.commit([Update(document.path, encode(attempt), document.version)])
        ended = self._after(attempt, self._channel(notice))
        store.commit([Update(document.path, encode(ended), version)])

    def _is_pointless(self, notice: Notice) -> bool:
        """Whether what a scheduled notice is to tell of was prevented in time."""
        if notice.unless is Unless.NOTHING:
            return False
        if notice.unless is Unless.LIFTED:
            switch = self._ports.store.get(notice.facts["switch"]).fields or {}
            pause = switch.get("pause") or {}
            return bool(pause.get("command") != notice.facts["command"])
        fields = self._ports.store.get(incidents.path(notice.incident)).fields
        incident = decode(Incident, fields)
        if incident.ended_at is not None:
            return True
        if notice.unless is Unless.ACKNOWLEDGED:
            return bool(incident.acknowledged_by) or _was_over_since(incident, notice.created_at)
        counted = msgspec.to_builtins(incident.respond_by) == notice.facts["respond_by"]
        return incident.status is IncidentStatus.WATCHING or not counted

    def _after(self, notice: Notice, channel: Channel | None) -> Notice:
        """The notice after one attempt to send it."""
        now = self._ports.clock.now()
        if channel is None:
            return _given_up(notice, "the policy has no such channel any more")
        content = {**encode(notice), "repeated": notice.attempts > 1}
        try:
            self._ports.sender.send(channel, notice.id, content)
        except Rejected as refused:
            return _given_up(notice, str(refused))
        except Unavailable as unanswered:
            if notice.attempts >= LIMIT_ATTEMPTS:
                return _given_up(notice, str(unanswered))
            again = now + retry_after(notice.attempts)
            return replace(notice, due_at=again, last_error=str(unanswered))
        return replace(notice, status=Status.SENT, sent_at=now, due_at=None)

    def _channel(self, notice: Notice) -> Channel | None:
        policy = self._policies.get(notice.system)
        channels = policy.channels if policy else ()
        return next((one for one in channels if one.name == notice.channel), None)


def _was_over_since(incident: Incident, moment: datetime) -> bool:
    """Whether it has ended after that moment, and come back with timers of its own."""
    return any(
        one.status is IncidentStatus.RESOLVED and one.at > moment for one in incident.timeline
    )


def _given_up(notice: Notice, why: str) -> Notice:
    return replace(notice, status=Status.UNDELIVERABLE, due_at=None, last_error=why)
