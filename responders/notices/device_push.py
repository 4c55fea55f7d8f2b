"""One notice to the devices of users, who are looked up in the application's database.

No token and nobody's id is kept, logged or told: a device is its place among those of a moment.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from msgspec.structs import replace

from responders.data.erasure_ledger import read_ledger
from responders.data.repair.affected_users import find_affected_users, read_documents, rollback_start_minute
from responders.notices.message import build_channel_message
from responders.notices.undelivered_notices import classify_channel_failure
from shared.core.codec import decode, encode
from shared.core.errors import Moved, Rejected, Unavailable
from shared.core.store import Update
from shared.core.text import count_noun
from shared.domain.data.document import DocumentSnapshot
from shared.domain.data.erasure.ledger import owner_fields
from shared.domain.data.integrity.validator import field_values
from shared.domain.notices import notice as notices
from shared.domain.notices import push_progress
from shared.domain.notices.notice import Notice
from shared.domain.notices.outbox import MAX_SEND_DURATION, DeliveryResult
from shared.domain.notices.push_progress import MAX_DEVICES_PER_BATCH, PushProgress, PushResult
from shared.domain.policy.channels import Addressees, Audience, Channel
from shared.domain.policy.document_scope import Scope
from shared.domain.policy.system_policy import Policy
from shared.ports.groups import Ports

PUSH_TIME_LIMIT_SECONDS: Final = 20.0
"""Seconds after which no batch is begun: the next delivery goes on."""
ERASED_TOKEN: Final = ""
"""In place of the token of somebody who was erased."""


class DevicePushSender:
    """One notice on one channel, for the length of one delivery."""

    def __init__(self, ports: Ports, policy: Policy, channel: Channel) -> None:
        self._ports = ports
        self._policy = policy
        self._channel = channel

    def push_notice(
        self, notice: Notice, users: Addressees, content: Mapping[str, Any]
    ) -> tuple[Notice, DeliveryResult, str]:
        """Tell devices for a while: how far it has come, the channel's answer, and what is wrong.

        The notice is claimed. Each batch is on record before the next one leaves; `content` is what
        the first one is told. Raises: Moved, when another has claimed it meanwhile; Unavailable,
        for the store's.
        """
        known = notice.spread or push_progress.begin_batch(None, self._ports.clock.now())
        try:
            tokens, known = self._look_up_tokens(notice, users, known)
        except (Rejected, Unavailable) as failure:
            answer, why = classify_channel_failure(failure)
            if self._channel.audience is Audience.CONCERNED:  # it may repeat names of documents
                why = f"whose documents they are cannot be read: {why.partition(':')[0]}"
            return notice, answer, why
        notice, turn = self._save_progress(notice, known), push_progress.next_device_positions(known)
        until = self._ports.clock.monotonic() + PUSH_TIME_LIMIT_SECONDS
        while turn:
            some, turn = turn[:MAX_DEVICES_PER_BATCH], turn[MAX_DEVICES_PER_BATCH:]
            try:
                fates = self._send_batch(notice, content, [tokens[place] for place in some])
            except (Rejected, Unavailable) as failure:
                return notice, *classify_channel_failure(failure)
            goes_on = bool(turn) and self._ports.clock.monotonic() < until
            known = push_progress.record_batch(known, some, fates, goes_on=goes_on)
            notice = self._save_progress(notice, known)
            if not goes_on:
                break
            is_again = any(place < known.upto for place in turn[:MAX_DEVICES_PER_BATCH])
            worded = replace(notice, spread=replace(known, is_begun=is_again))
            content = build_channel_message(self._ports, self._policy, worded, self._channel)
        return notice, *_summarize_delivery(known)

    def _look_up_tokens(
        self, notice: Notice, users: Addressees, known: PushProgress
    ) -> tuple[list[str], PushProgress]:
        """Each token once, in the order of its users' names; and how many there are.

        Raises: Unavailable; Rejected, also when the moment cannot be read any more.
        """
        if self._channel.audience is Audience.CONCERNED:
            found, known = self._find_affected_users(notice.facts["rollback"], users, known)
        else:
            found, known = self._find_matching_users(users, known)
        ledger = read_ledger(self._ports, self._policy)
        erased = [one for one in found if ledger is not None and ledger.is_version_erased(one)]
        gone = set(_tokens(erased, users))
        tokens = list(dict.fromkeys(_tokens(found, users)))
        told_of = len(found) - len(erased)
        counted = replace(known, users=told_of, devices=len(tokens), is_looked_up=True)
        return [ERASED_TOKEN if one in gone else one for one in tokens], counted

    def _find_matching_users(
        self, users: Addressees, known: PushProgress
    ) -> tuple[list[DocumentSnapshot], PushProgress]:
        """Return users by their fields, with their tokens. Raises: as `_look_up_tokens`."""
        scope, where, most = Scope(users.collection), users.where, users.at_most
        only = self._list_user_fields(users)
        documents = self._ports.system(self._policy.system).documents
        database = self._policy.integrity.database
        found = documents.matching(database, scope, where, known.at, only, most)
        all_of_them = len(found)
        if all_of_them == most:
            all_of_them = documents.count(database, scope, known.at, where)
        return found, replace(known, beyond=all_of_them - len(found))

    def _find_affected_users(
        self, rollback: str, users: Addressees, known: PushProgress
    ) -> tuple[list[DocumentSnapshot], PushProgress]:
        """Users whose documents a rollback has written or left. Raises: as `_look_up_tokens`.

        If it cannot be read what was before it, that is so for each further attempt, too.
        """
        ports, policy = self._ports, self._policy
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
        only = {field.partition(".")[0] for field in self._list_user_fields(users)}
        there = [  # many of them are held at once
            replace(one, fields={name: it for name, it in one.fields.items() if name in only})
            for one in read_documents(ports, policy, paths, known.at)
        ]
        beyond = len(who.persons) - len(told_of)
        return there, replace(known, beyond=beyond, unknown=who.unknown, before=before)

    def _list_user_fields(self, users: Addressees) -> list[str]:
        """The fields that are asked of a user's document: devices, and whose it is."""
        rules = self._policy.erasure
        whose = owner_fields(rules, users.collection) if rules is not None else []
        return sorted({users.tokens, *whose})

    def _send_batch(
        self, notice: Notice, content: Mapping[str, Any], tokens: Sequence[str]
    ) -> list[PushResult]:
        """What becomes of each. Raises: Unavailable, Rejected, for all alike."""
        asked = [one for one in tokens if one != ERASED_TOKEN]
        try:
            said = self._ports.notices.sender.send_each(self._channel, notice.id, content, asked)
        except Rejected:
            if not (notice.spread and notice.spread.taken):  # else the channel takes what it is told
                raise
            said = [PushResult.REFUSED] * len(asked)
        fates = iter(said)
        return [PushResult.GONE if one == ERASED_TOKEN else next(fates) for one in tokens]

    def _save_progress(self, notice: Notice, known: PushProgress) -> Notice:
        """The notice with how far it has come, on record, and claimed for the next batch."""
        document = self._ports.store.get(notices.notice_path(notice.id))
        current = decode(Notice, document.fields) if document.fields else None
        if current is None or (current.attempts, current.due_at) != (notice.attempts, notice.due_at):
            raise Moved(f"{notice.id} took so long that another has claimed it anew")
        kept = replace(notice, spread=known, due_at=document.read_at + MAX_SEND_DURATION)
        self._ports.store.commit([Update(document.path, encode(kept), document.version)])
        return kept


def _tokens(found: Sequence[DocumentSnapshot], users: Addressees) -> list[str]:
    named = (value for one in found for value in field_values(one.fields, users.tokens))
    return [one for one in named if isinstance(one, str) and one]


def _summarize_delivery(known: PushProgress) -> tuple[DeliveryResult, str]:
    """What the channel answers once those whose turn it was have had it, or time is over."""
    if known.upto < known.devices:
        return DeliveryResult.PARTLY, ""
    if known.again:
        return DeliveryResult.NONE, f"{count_noun(len(known.again), 'device')} gave no answer"
    return DeliveryResult.TAKEN, ""
