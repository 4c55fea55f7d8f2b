"""One notice to the devices or addresses of users, who are looked up in the application's database.

No token, address or id is kept, logged or told: a recipient is a place among those of a moment.
"""

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from msgspec.structs import replace

from responders.data.erasure_ledger import read_ledger
from responders.data.repair.affected_users import find_affected_users, read_documents, rollback_start_minute
from responders.notices.channel_message import build_channel_message
from shared.core import log
from shared.core.errors import Moved, Rejected, RollbackError, Unavailable
from shared.core.text import count_noun
from shared.domain.data.document import DocumentSnapshot, Rewrite, RewriteResult
from shared.domain.data.erasure.ledger import owner_fields
from shared.domain.data.integrity.validator import field_values
from shared.domain.notices.notice import Notice, NoticeStatus, notice_path
from shared.domain.notices.outbox import (
    GIVE_UP_AFTER,
    MAX_SEND_DURATION,
    DeliveryResult,
    classify_channel_failure,
    mark_undeliverable,
    notice_age,
)
from shared.domain.notices.push_progress import (
    MAX_DEVICES_PER_BATCH,
    PushProgress,
    PushResult,
    begin_batch,
    record_batch,
)
from shared.domain.notices.recipients import create_notices, create_team_notices
from shared.domain.policy.channels import Addressees, Audience, Channel, ChannelKind, IncidentStage
from shared.domain.policy.document_scope import Scope
from shared.domain.policy.severity import Severity
from shared.domain.policy.system_policy import Policy
from shared.domain.presentation.notice_facts import NoticeContext
from shared.ports.groups import Ports
from shared.ports.messaging import NoticeFields

PUSH_TIME_LIMIT_SECONDS = 20.0
"""Seconds after which no batch is begun: the next delivery goes on."""
ERASED_ADDRESS = ""
"""In place of the token or address of somebody who was erased, and of a text that is no address."""
_ONE_ADDRESS = re.compile(r"[^\s,;:<>\"()\[\]\\@%]+@[^\s,;:<>\"()\[\]\\@%]+|\+?[0-9][0-9 -]{4,20}")
"""A mail address or a telephone number: nothing that leads to several people."""
MAX_SILENT_BATCHES = 3
"""So many in a row without an answer are the silence of the channel."""


@dataclass
class UserDelivery:
    """One notice on one channel to users, for the length of one delivery."""

    _ports: Ports
    _policy: Policy
    _channel: Channel
    _users: Addressees
    _about: NoticeContext

    def __post_init__(self) -> None:
        users, rules = self._users, self._policy.erasure
        self._field = users.tokens or users.address
        whose = owner_fields(rules, users.collection) if rules is not None else []
        self._only = sorted({self._field, users.consent, users.language, *whose} - {""})

    def request_approval(self, notice: Notice, now: datetime) -> tuple[Notice, list[Notice]] | None:
        """Return the notice as it waits for a person, or is given up, and who is told of that.

        None: a person has approved these texts. While the recipients cannot be counted, it is due
        again after as long as it has waited so far.
        """
        first, texts = replace(notice, attempts=0, spread=None, since=self._about.now), ""
        for language in self._users.languages:
            words = self._build_message(first, language)
            texts += f"{language}: {words['subject']}\n{words['body']}"
        if notice.preview == texts and notice.approved_by:
            return None
        asked, why = replace(notice, preview=texts, approved_by=""), "nobody approved it in time"
        if notice.preview != texts:
            try:
                return self._ask(asked, now)
            except (Rejected, Unavailable) as failure:
                why = str(failure)
                age, channel = notice_age(notice, now), self._channel
                if isinstance(failure, Unavailable) and age <= GIVE_UP_AFTER:
                    pause = min(max(age, channel.first_retry), channel.longest_retry)
                    return replace(notice, due_at=now + pause, last_error=why), []
        ended = mark_undeliverable(asked, why)
        return ended, build_undelivered_notices(self._policy, ended, now)

    def _ask(self, notice: Notice, now: datetime) -> tuple[Notice, list[Notice]]:
        """Return the notice as it waits, and the question. Raises: Unavailable, Rejected."""
        recipients, known = self._look_up_recipients(notice, begin_batch(None, now))
        reached = count_noun(sum(address != ERASED_ADDRESS for address, _ in recipients), "recipient")
        asked = create_notices(
            self._policy,
            notice.incident,
            notice.severity or Severity.LOW,
            f"message.asked.{notice.event}.{notice.channel}.{now:%H%M%S}",
            f"{notice.channel} waits for approval, for {reached}; users beyond at_most: {known.beyond}\n"
            f"{notice.preview}",
            now,
            to_paste=[notice.approval_command],
            stage=IncidentStage.ASKED,
        )
        return replace(notice, due_at=now + GIVE_UP_AFTER), asked

    def send_notice(self, notice: Notice, *, is_again: bool) -> tuple[Notice, DeliveryResult, str]:
        """Tell users for a while: how far it has come, the channel's answer, and what is wrong.

        The notice is claimed. Each batch is on record before the next one leaves; `is_again`: the
        first one may have left before. Raises: Moved, if another has claimed it; Unavailable.
        """
        known = notice.spread or begin_batch(None, self._ports.clock.now())
        try:
            recipients, known = self._look_up_recipients(notice, known)
        except (Rejected, Unavailable) as failure:
            return notice, *classify_channel_failure(failure)
        notice, turn = self._save_progress(notice, known), [*range(known.upto, known.devices), *known.again]
        size = 1 if self._channel.kind is ChannelKind.APPRISE else MAX_DEVICES_PER_BATCH
        until, silent = self._ports.clock.monotonic() + PUSH_TIME_LIMIT_SECONDS, 0
        while turn:
            language, places = next(groupby(turn[:size], lambda place: recipients[place][1]))
            some = list(places)
            turn = turn[len(some) :]
            since = self._about.now if notice.preview else notice.since  # as it was approved
            told = replace(notice, spread=replace(known, is_begun=is_again), since=since)
            content = self._build_message(told, language)
            try:
                fates = self._send_batch(notice, content, [recipients[place][0] for place in some])
            except (Rejected, Unavailable) as failure:
                return notice, *classify_channel_failure(failure)
            silent = silent + 1 if set(fates) == {PushResult.NONE} else 0
            goes_on = bool(turn) and silent < MAX_SILENT_BATCHES and self._ports.clock.monotonic() < until
            known = record_batch(known, some, fates, goes_on=goes_on)
            notice = self._save_progress(notice, known)
            if not goes_on:
                break
            is_again = any(place < known.upto for place in turn[:size])
        if silent < MAX_SILENT_BATCHES and known.upto < known.devices:
            return notice, DeliveryResult.PARTLY, ""
        if known.again:
            return notice, DeliveryResult.NONE, f"{count_noun(len(known.again), 'recipient')} gave no answer"
        return notice, DeliveryResult.TAKEN, ""

    def _build_message(self, notice: Notice, language: str) -> NoticeFields:
        about = replace(self._about, language=language)
        return build_channel_message(self._ports, self._policy, notice, self._channel, about)

    def _look_up_recipients(
        self, notice: Notice, known: PushProgress
    ) -> tuple[list[tuple[str, str]], PushProgress]:
        """Each address once, with its language, sorted by that; and how many users there are.

        Raises: Unavailable; Rejected, also when the moment cannot be read any more.
        """
        users = self._users
        if self._channel.audience is Audience.CONCERNED:
            try:
                found, known = self._find_affected_users(notice.facts["rollback"], known)
            except (Rejected, Unavailable) as failure:  # it may repeat names of documents
                why = str(failure).partition(":")[0]
                raise type(failure)(f"whose documents they are cannot be read: {why}") from failure
        else:
            found, known = self._find_matching_users(known)
        ledger = read_ledger(self._ports, self._policy)
        erased = [one for one in found if ledger is not None and ledger.is_version_erased(one)]
        gone = {address for one in erased for address in _texts(one, self._field)}
        languages: dict[str, str] = {}
        for one in found:
            tag = next(_texts(one, users.language), "").lower()
            language = next((it for it in users.languages if tag.startswith(it)), users.languages[0])
            languages |= {it: language for it in _texts(one, self._field) if it not in languages}
        gone |= {one for one in languages if users.address and not _ONE_ADDRESS.fullmatch(one)}
        told_of = len(found) - len(erased)
        recipients = [
            (ERASED_ADDRESS if address in gone else address, language)
            for address, language in sorted(languages.items(), key=lambda one: one[1])
        ]
        return recipients, replace(known, users=told_of, devices=len(recipients), is_looked_up=True)

    def _find_matching_users(self, known: PushProgress) -> tuple[list[DocumentSnapshot], PushProgress]:
        """Return users by their fields. Raises: as `_look_up_recipients`."""
        users, database = self._users, self._policy.integrity.database
        scope, most = Scope(users.collection), users.at_most
        where = {**users.where, **({users.consent: True} if users.consent else {})}
        documents = self._ports.system(self._policy.system).documents
        found = documents.matching(database, scope, where, known.at, self._only, most)
        beyond = documents.count(database, scope, known.at, where) - most if len(found) == most else 0
        return found, replace(known, beyond=beyond)

    def _find_affected_users(
        self, rollback: str, known: PushProgress
    ) -> tuple[list[DocumentSnapshot], PushProgress]:
        """Users whose documents a rollback has written or left. Raises: as `_look_up_recipients`.

        If it cannot be read what was before it, that is so for each further attempt, too.
        """
        ports, policy, users = self._ports, self._policy, self._users
        before = known.before if known.is_looked_up else rollback_start_minute(ports, rollback)
        try:
            who = find_affected_users(ports, policy, rollback, known.at, before)
        except Rejected:
            if before is None or known.is_looked_up:
                raise
            before = None
            who = find_affected_users(ports, policy, rollback, known.at, before)
        told_of = who.persons[: users.at_most]
        paths = [f"{users.collection}/{person}" for person in told_of]
        only = {field.partition(".")[0] for field in self._only}
        there = [  # many of them are held at once
            replace(one, fields={name: it for name, it in one.fields.items() if name in only})
            for one in read_documents(ports, policy, paths, known.at)
            if not users.consent or True in field_values(one.fields, users.consent)
        ]
        beyond = len(who.persons) - len(told_of)
        return there, replace(known, beyond=beyond, unknown=who.unknown, before=before)

    def _send_batch(
        self, notice: Notice, content: NoticeFields, addresses: Sequence[str]
    ) -> list[PushResult]:
        """What becomes of each. Raises: Unavailable, Rejected, for all alike."""
        asked = [one for one in addresses if one != ERASED_ADDRESS]
        try:
            if self._channel.kind is ChannelKind.TRIGGER_EMAIL:
                said = self._write_mails(notice, content, asked)
            else:
                said = self._ports.notices.sender.send_each(self._channel, notice.id, content, asked)
        except Rejected:
            if not (notice.spread and notice.spread.taken):  # else the channel takes what it is told
                raise
            said = [PushResult.REFUSED] * len(asked)
        fates = iter(said)
        return [PushResult.GONE if one == ERASED_ADDRESS else next(fates) for one in addresses]

    def _write_mails(
        self, notice: Notice, content: NoticeFields, addresses: Sequence[str]
    ) -> list[PushResult]:
        """Create the document of each mail, once: its name is a hash of notice and address.

        Form: github.com/firebase/extensions, firestore-send-email, 2026-11. Raises: as the port.
        """
        mails = []
        for address in addresses:
            path = f"{self._channel.target}/{hashlib.sha256(f'{notice.id} {address}'.encode()).hexdigest()}"
            message = {"subject": content["subject"], "text": content["body"]}
            mails.append(Rewrite(path, {"to": [address], "message": message}, None))
        rewrites = self._ports.system(self._policy.system).rewrites
        return [_mail_result(one) for one in rewrites.rewrite(self._policy.integrity.database, mails)]

    def _save_progress(self, notice: Notice, known: PushProgress) -> Notice:
        """The notice with how far it has come, on record, and claimed for the next batch."""
        document = self._ports.store.get(notice_path(notice.id))
        current = document.find(Notice)
        if current is None or (current.attempts, current.due_at) != (notice.attempts, notice.due_at):
            raise Moved(f"{notice.id} took so long that another has claimed it anew")
        kept = replace(notice, spread=known, due_at=document.read_at + MAX_SEND_DURATION)
        self._ports.store.commit([document.build_update(kept)])
        return kept


def _texts(document: DocumentSnapshot, field: str) -> Iterator[str]:
    return (one for one in field_values(document.fields, field) if isinstance(one, str) and one)


def _mail_result(result: RewriteResult) -> PushResult:
    if not isinstance(result, RollbackError) or isinstance(result, Moved):  # it is there already
        return PushResult.TAKEN
    return PushResult.NONE if isinstance(result, Unavailable) else PushResult.REFUSED


def build_undelivered_notices(policy: Policy, ended: Notice, now: datetime) -> list[Notice]:
    """What the team is told of a notice that is over, where it has not reached all it was for."""
    known, is_given_up = ended.spread, ended.status is NoticeStatus.UNDELIVERABLE
    if (known is None or not known.is_incomplete) and not (is_given_up and (known or ended.preview)):
        return []
    severity = ended.severity or Severity.LOW
    why = f"; given up: {ended.last_error}" if is_given_up else ""
    said = f"{ended.event} on channel {ended.channel}, {known or 'no user is told'}{why}"
    log.write("WARNING", f"{ended.incident}: {said}", event="notice.short", notice=ended.id)
    event = f"short.{ended.event}.{ended.channel}"
    text = f"{ended.incident} {severity}: {said}"
    return create_team_notices(policy, ended.incident, severity, event, text, now)
