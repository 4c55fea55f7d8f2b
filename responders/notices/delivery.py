"""The outbox: send each notice at least once, in order on its channel, and record it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import msgspec
from msgspec.structs import replace

from responders.notices.channel_message import build_channel_message, gather_notice_facts
from responders.notices.user_delivery import UserDelivery, build_undelivered_notices
from shared.core.errors import Rejected, Unavailable
from shared.core.store import Document, Query, retry_on_conflict
from shared.domain.commands import command as commands
from shared.domain.incidents.incident import (
    Incident,
    StatusPageRecord,
    has_ended_since,
    incident_path,
    public_state,
)
from shared.domain.notices import outbox, push_progress
from shared.domain.notices.notice import Notice, NoticeStatus, WithdrawalCondition, notice_path
from shared.domain.notices.outbox import MAX_SEND_DURATION, ChannelState, DeliveryResult
from shared.domain.notices.recipients import BEGINNING_STAGES, incident_stage
from shared.domain.policy.channels import Audience, Channel, ChannelKind, IncidentStage
from shared.domain.policy.system_policy import Policies
from shared.domain.presentation.status_page import is_public
from shared.ports.groups import Ports
from shared.ports.messaging import NoticeFields
from shared.state import work_queue
from shared.state.reader import StateReader

COMMIT_ATTEMPTS = 10
RETRY_SECONDS = 0.2
PREMATURE_DELAY = timedelta(seconds=10)
"""How long a public notice waits before its incident, not judged yet, is checked again."""


@dataclass
class NoticeDelivery:
    """Sends one notice at a time, each claimed before it is sent."""

    _ports: Ports
    _policies: Policies

    def deliver(self, notice: str) -> None:
        """Return once the notice is sent, withdrawn, or due again later.

        A redelivery sends nothing twice, unless the instance crashed between sending and recording;
        then the channel sees the same key again. Raises: Unavailable.
        """
        self._retry(notice, self._process, notice_path(notice))

    def _process(self, path: str) -> None:
        """Withdraw, defer, give up or send one notice.

        Raises: Moved, while nothing was sent, or once another has claimed the notice being sent.
        """
        document = self._ports.store.get(path)
        notice, now = document.find(Notice), document.read_at
        if notice is None or notice.due_at is None or notice.due_at > now:
            return
        if self._is_premature(notice):
            self._save_notice(document, replace(notice, due_at=now + PREMATURE_DELAY))
            return
        if self._is_obsolete(notice):
            self._save_notice(document, replace(notice, status=NoticeStatus.WITHDRAWN, due_at=None))
            if notice.is_waiting:
                self._continue_lane(notice)
            return
        before = outbox.notice_ahead(notice, _decode_notices(self._read_lane(notice)), now)
        if before is not None:
            self._save_notice(document, outbox.defer_notice(notice, before, now))
            return
        channel = self._channel(notice)
        if channel is None:
            why = "the policy has no such channel any more"
            self._save_notice(document, outbox.mark_undeliverable(notice, why))
            self._continue_lane(notice)
            return
        self._send(notice, document, channel)

    def _is_premature(self, notice: Notice) -> bool:
        """Return whether the gates have not judged the failure that it tells the public of."""
        if notice.unless is not WithdrawalCondition.HELD_BACK:
            return False
        incident = StateReader(self._ports.store).incident(notice.incident)
        return incident is not None and incident.ended_at is None and incident.is_unconfirmed

    def _is_obsolete(self, notice: Notice) -> bool:
        """Whether the reason of a scheduled notice is gone."""
        if notice.unless is WithdrawalCondition.NOTHING:
            return False
        if notice.unless is WithdrawalCondition.LIFTED:
            switch = self._ports.store.get(notice.facts["switch"]).fields or {}
            return bool((switch.get("pause") or {}).get("command") != notice.facts["command"])
        if notice.unless is WithdrawalCondition.CALLED_OFF:
            record = self._ports.store.get(commands.command_path(notice.facts["command"])).fields or {}
            return record.get("due_at") is None
        incident = self._ports.store.get(incident_path(notice.incident)).decode(Incident)
        if notice.unless is WithdrawalCondition.HELD_BACK:
            return self._is_held_back(notice, incident)
        if notice.unless is WithdrawalCondition.ANALYSED:
            same_end = msgspec.to_builtins(incident.ended_at) == notice.facts["ended_at"]
            return incident.analysis is not None or not same_end
        if incident.ended_at is not None:
            return True
        if notice.unless is WithdrawalCondition.ACKNOWLEDGED:
            return bool(incident.acknowledged_by) or has_ended_since(incident, notice.created_at)
        is_same_time = msgspec.to_builtins(incident.respond_by) == notice.facts["respond_by"]
        is_current = is_same_time and notice.severity is incident.severity
        return incident.newest_turn.is_well or not is_current or not incident.has_failed

    def _is_held_back(self, notice: Notice, incident: Incident) -> bool:
        """Return whether the public may not see the incident, or the notice is outdated."""
        policy, channel = self._policies.get(notice.system), self._channel(notice)
        # The clock of an instance may be behind that of the store, by which the notice is due.
        now = max(self._ports.clock.now(), notice.since)
        early = {IncidentStage.OVER} if channel is not None and channel.audience is Audience.USERS else set()
        outdated = early if incident.ended_at is None else BEGINNING_STAGES
        if policy is None or incident.is_unconfirmed or incident_stage(notice.event) in outdated:
            return True
        state = public_state(policy, incident, now)
        reading = StateReader(self._ports.store)
        known = reading.status_page_record(incident) or StatusPageRecord()
        record = reading.observe_parts(policy, state, known, now)
        return not is_public(state, policy, now, alerted=record.alerted)

    def _channel(self, notice: Notice) -> Channel | None:
        policy = self._policies.get(notice.system)
        channels = policy.channels if policy else ()
        return next((one for one in channels if one.name == notice.channel), None)

    def _send(self, notice: Notice, document: Document, channel: Channel) -> None:
        """Claim, send and record; or defer, where the channel admits nothing now."""
        now = document.read_at  # all instances agree on the store's time
        clock = self._ports.clock
        expires_at = clock.monotonic() + MAX_SEND_DURATION.total_seconds()
        known = self._ports.store.get(outbox.channel_path(notice.system, channel.name))
        state = outbox.admit_notice(_state(known, notice, channel), channel, now)
        if isinstance(state, datetime):
            self._save_notice(document, replace(notice, due_at=state))
            return
        policy, users = self._policies[notice.system], None
        content = build_channel_message(self._ports, policy, notice, channel) if channel.users is None else {}
        if channel.users is not None:
            about = gather_notice_facts(self._ports, policy, notice)
            users = UserDelivery(self._ports, policy, channel, channel.users, about)
            is_asked = channel.users.approval and channel.kind is not ChannelKind.PUSH
            waiting = users.request_approval(notice, now) if is_asked else None
            if waiting is not None:
                write = document.build_update(waiting[0])
                work_queue.commit_with_notices(self._ports, [write], waiting[1])
                return
        claimed = replace(
            notice,
            attempts=notice.attempts + 1,
            due_at=now + MAX_SEND_DURATION,
            spread=None if users is None else push_progress.begin_batch(notice.spread, now),
        )
        claim = document.build_update(claimed)
        self._ports.store.commit([claim, known.build_write(state)])
        if clock.monotonic() >= expires_at:  # the process stood still: another sends what is true by then
            return
        if users is None:
            said = claimed, *self._send_to_channel(claimed, channel, content)
        else:
            said = users.send_notice(claimed, is_again=notice.may_repeat)
        self._retry(notice.id, self._record, channel, *said)

    def _send_to_channel(
        self, notice: Notice, channel: Channel, content: NoticeFields
    ) -> tuple[DeliveryResult, str]:
        try:
            self._ports.notices.sender.send(channel, notice.id, content)
        except (Rejected, Unavailable) as failure:
            return outbox.classify_channel_failure(failure)
        return DeliveryResult.TAKEN, ""

    def _record(self, channel: Channel, claimed: Notice, answer: DeliveryResult, error: str) -> None:
        """Record the result of the notice and of its channel. Raises: Moved."""
        store = self._ports.store
        document = store.get(notice_path(claimed.id))
        current, now = document.find(Notice), document.read_at
        if current is None or (current.attempts, current.due_at) != (claimed.attempts, claimed.due_at):
            return  # it took so long that another has claimed it anew
        known = store.get(outbox.channel_path(claimed.system, channel.name))
        state = outbox.record_answer(_state(known, claimed, channel), channel, answer, now)
        ended = outbox.conclude_attempt(current, channel, answer, error, state, now)
        is_over = ended.due_at is None
        told_of = build_undelivered_notices(self._policies[ended.system], ended, now) if is_over else []
        writes = [document.build_update(ended), known.build_write(state)]
        work_queue.commit_with_notices(self._ports, writes, told_of)
        if is_over:
            self._continue_lane(ended)
        elif answer is DeliveryResult.PARTLY:
            work_queue.publish_work_item(self._ports.bus, work_queue.NOTICE, ended.id, now)

    def _continue_lane(self, ended: Notice) -> None:
        """Publish the next notice of the lane, which may have been deferred behind this one."""
        self._retry(ended.id, self._publish_next, ended)

    def _publish_next(self, ended: Notice) -> None:
        """Raises: Moved, when the next one is being deferred just now."""
        lane = {one.path: one for one in self._read_lane(ended)}
        if not lane:
            return
        now = next(iter(lane.values())).read_at
        following = outbox.next_notice(_decode_notices(lane.values()), now)
        if following is None or following.attempts:
            return
        self._save_notice(lane[notice_path(following.id)], replace(following, due_at=now))
        work_queue.publish_work_item(self._ports.bus, work_queue.NOTICE, following.id, now)

    def _retry(self, notice: str, attempt: Callable[..., None], *facts: Any) -> None:
        """Repeat it while another instance writes the notice or its channel."""
        too_fast = f"{notice}: its documents change too fast"
        once, sleep = partial(attempt, *facts), self._ports.clock.sleep
        retry_on_conflict(once, COMMIT_ATTEMPTS, too_fast, sleep, RETRY_SECONDS)

    def _save_notice(self, document: Document, notice: Notice) -> None:
        self._ports.store.commit([document.build_update(notice)])

    def _read_lane(self, notice: Notice) -> list[Document]:
        """Return the notices of the same incident on the same channel."""
        return self._ports.store.query(Query.equal("notices", lane=notice.lane))


def _decode_notices(documents: Iterable[Document]) -> list[Notice]:
    return [one.decode(Notice) for one in documents]


def _state(known: Document, notice: Notice, channel: Channel) -> ChannelState:
    if known.fields is None:
        return ChannelState(notice.system, channel.name, channel.per_minute, known.read_at)
    return known.decode(ChannelState)
