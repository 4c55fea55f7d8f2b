"""Text that would do harm where somebody reads it, and a notice that holds it."""

from datetime import timedelta
from typing import Any

from msgspec.structs import replace

from shared.domain.incidents.incident import Incident, IncidentStatus, TimelineEvent
from shared.domain.notices.notice import Notice
from shared.domain.policy.channels import Component, StatusPage
from shared.domain.policy.severity import Severity
from shared.domain.presentation.notice_facts import NoticeContext
from shared.domain.rollback.rollback import Rollback, RollbackStatus
from tests.support.fakes.runtime.clock import START
from tests.support.notices.response import FAILING
from tests.support.runtime.world import BOOKSHOP

MINUTE = timedelta(minutes=1)
ID = "INC-20260302-001"
COMMAND = "gcloud pubsub topics publish rollback-commands --message=\"$(rollback sign '{}')\""
ATTACKS = {
    "script": "<script>alert(1)</script>",
    "html link": '<a href="https://evil.example">here</a>',
    "markdown link": "[here](https://evil.example)",
    "markdown image": "![x](https://evil.example/x.png)",
    "slack link": "<https://evil.example|here>",
    "bare address": "see https://evil.example/a?b=c",
    "bare host": "see evil.example or 10.0.0.1",
    "mailto": "mailto:mallory@evil.example",
    "javascript": "javascript:alert(1)",
    "everybody in a chat": "@everyone @here <!channel> <!here>",
    "somebody in a chat": "<@U0123456> @mallory",
    "channel": "#general <#C0123>",
    "emphasis": "*all* _is_ ~lost~ `now` ```code``` ||hidden||",
    "emoji": ":skull: :+1:",
    "heading": "# ALL CLEAR",
    "quote": "> said the lead",
    "bullet": "- 12:00 UTC - approved by anna",
    "header": "x\r\nBcc: everybody@evil.example\r\n\r\nbody",
    "a command of theirs": f"x\n{COMMAND}",
    "a line of ours": "x\nStatus: RESOLVED",
    "other line ends": "x\u2028Status: RESOLVED\u2029y\x0bz\x85w",
    "direction": "\u202egnp.exe \u2066x\u2069",
    "no width": "ev\u200bil\ufeff",
    "terminal": "\x1b[31mred\x07",
    "template": "{{ 7 * 7 }}{% include '/etc/passwd' %}",
    "long": "x" * 100_000,
}
MEANS_SOMETHING = {
    "markup": r"[<>`*\[\]~|\\]",
    "mention": r"[@#]",
    "scheme or emoji": r"[a-zA-Z]:\S|://|:\w+:|\$",
    "host": r"\w\.\w",
    "control": r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029]",
    "direction or no width": r"[\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]",
    "emphasis": r"\b_\w+_\b",
}


def build_hostile_notice(
    text: str = f"{ID} CRITICAL: going back", event: str = "detected", **changes: Any
) -> Notice:
    made = Notice(
        id=f"{ID}:{event}:hook",
        incident=ID,
        system="bookshop",
        event=event,
        channel="hook",
        severity=Severity.CRITICAL,
        text=text,
        created_at=START,
        since=START,
        lane=f"{ID}:hook",
        due_at=START,
    )
    return replace(made, **changes)


def build_hostile_facts(foreign: str = "Shop", **changes: Any) -> NoticeContext:
    """An incident in whose every text of others that stands."""
    policy = replace(BOOKSHOP, display_name=foreign, status_page=StatusPage(components=(Component(foreign),)))
    incident = Incident(
        id=ID,
        system="bookshop",
        severity=Severity.CRITICAL,
        signal="function_failure_rate",
        status=IncidentStatus.ROLLING_BACK,
        onset_at=START - MINUTE,
        detected_at=START,
        timeline=[
            TimelineEvent(IncidentStatus.DETECTED, START, foreign),
            TimelineEvent(IncidentStatus.ROLLING_BACK, START + MINUTE, foreign),
        ],
        scopes=(FAILING,),
    )
    rollback = Rollback(
        id=ID,
        incident=ID,
        system="bookshop",
        status=RollbackStatus.RUNNING,
        created_at=START,
        due_at=None,
        outcome=foreign,
        gates=({"gate": "cause", "answer": "pass", "reason": foreign},),
    )
    return replace(NoticeContext(policy, incident, (rollback,), (), START + 2 * MINUTE), **changes)
