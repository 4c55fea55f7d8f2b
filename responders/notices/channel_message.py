"""A notice in words: its facts gathered, and worded for who hears the channel."""

from msgspec.structs import asdict

from shared.core.codec import encode
from shared.core.store import Query
from shared.domain.incidents.incident import PublicState, StatusPageRecord, public_history_path, public_state
from shared.domain.notices.notice import Notice
from shared.domain.policy.channels import Audience, Channel, ChannelKind
from shared.domain.policy.system_policy import Policy
from shared.domain.presentation import notice_facts
from shared.domain.presentation.notice_facts import NoticeContext
from shared.domain.presentation.status_page import mark_rollback
from shared.ports.groups import Ports
from shared.ports.messaging import NoticeFields
from shared.state.reader import StateReader
from shared.state.system_status import read_hold


def build_channel_message(
    ports: Ports, policy: Policy, notice: Notice, channel: Channel, about: NoticeContext | None = None
) -> NoticeFields:
    """What the channel is handed: the notice, for the team with all its facts, and its words.

    A recording channel has no words: nobody reads it. Raises: Unavailable.
    """
    repeated = notice.may_repeat
    whole = {**encode(notice), "repeated": repeated}
    if channel.kind is ChannelKind.RECORDING:
        return whole
    about = about or gather_notice_facts(ports, policy, notice)
    template = notice_facts.template_name(notice, channel.audience, about)
    facts = notice_facts.template_facts(notice, about, repeated=repeated, audience=channel.audience)
    worded = ports.notices.templates.render(template, facts, about.language)
    said = {"public_word": str(facts.get("public_word", "")), **asdict(worded)}
    if channel.audience is Audience.TEAM:
        return {**whole, **said}
    known = ("id", "incident", "system", "event", "severity", "repeated")
    return {**{name: whole[name] for name in known}, **said}


def gather_notice_facts(ports: Ports, policy: Policy, notice: Notice) -> NoticeContext:
    """Read what the texts of a notice may say. Raises: Unavailable."""
    reading, now = StateReader(ports.store), ports.clock.now()
    incident = reading.incident(notice.incident)
    if incident is None:
        return NoticeContext(policy, None, (), (), now)
    known_rollbacks = reading.rollbacks(incident)
    newest = known_rollbacks[-1] if known_rollbacks else None
    known = reading.status_page_record(incident) or StatusPageRecord()
    state = mark_rollback(public_state(policy, incident, now), newest)
    record = reading.observe_parts(policy, state, known, now)
    documents = ports.store.query(Query(public_history_path(policy.system)))
    states = [document.decode(PublicState) for document in documents]
    hold = read_hold(reading, newest, now)
    return NoticeContext(policy, incident, known_rollbacks, states, now, record, hold)
