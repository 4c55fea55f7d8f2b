"""A notice in words: its facts gathered, and worded for who hears the channel."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec.structs import asdict

from shared import incident as incidents
from shared import rollback as rollbacks
from shared import wording
from shared.audience import Audience, Channel, ChannelKind
from shared.documents import decode, encode
from shared.incident import Incident, PublicState
from shared.notice import Notice
from shared.policy import Policy
from shared.ports import Ports, Query
from shared.rollback import Rollback
from shared.wording import About


def told(ports: Ports, policy: Policy, notice: Notice, channel: Channel) -> Mapping[str, Any]:
    """What the channel is handed: the notice, for the team with all its facts, and its words.

    A recording channel has no words: nobody reads it. Raises: Unavailable.
    """
    repeated = notice.may_repeat
    whole = {**encode(notice), "repeated": repeated}
    if channel.kind is ChannelKind.RECORDING:
        return whole
    about = _about(ports, policy, notice)
    template = wording.template_of(notice, channel.audience, about)
    worded = ports.forms.written(template, wording.facts(notice, about, repeated=repeated))
    if channel.audience is Audience.TEAM:
        return {**whole, **asdict(worded)}
    known = ("id", "incident", "system", "event", "severity", "repeated")
    return {**{name: whole[name] for name in known}, **asdict(worded)}


def _about(ports: Ports, policy: Policy, notice: Notice) -> About:
    store, now = ports.store, ports.clock.now()
    fields = store.get(incidents.path(notice.incident)).fields
    if fields is None:
        return About(policy, None, None, (), now)
    incident = decode(Incident, fields)
    newest = incidents.rollback_id(incident.id, incident.rollbacks)
    rollback = store.get(rollbacks.path(newest)).fields
    history = store.query(Query(incidents.public_history(policy.system)))
    return About(
        policy,
        incident,
        decode(Rollback, rollback) if rollback is not None else None,
        [decode(PublicState, one.fields) for one in history],
        now,
    )
