"""Whether people are reached: by the channels, and by the status page."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from cli.doctor.finding import CheckFinding, CheckVerdict, require_read, unread_finding
from cli.doctor.system.facts import SystemFacts
from shared.core.errors import RollbackError
from shared.core.text import count_noun
from shared.domain.presentation.status_page_html import HTML_CONTENT_TYPE

RECENT_WINDOW = timedelta(days=7)
FOUND = 200
"""The status of a page that is there."""


def check_channels(facts: SystemFacts) -> Iterator[CheckFinding]:
    """Whether each channel takes what is said through it."""
    check = "channels"
    for name, spoken in facts.spoken.items():
        if isinstance(spoken, RollbackError):
            yield unread_finding(check, name, spoken)
            continue
        lately = [one for one in spoken.given_up if one.created_at > facts.now - RECENT_WINDOW]
        if lately:
            newest = max(lately, key=lambda one: one.created_at)
            why = f"given up within a week: {count_noun(len(lately), 'notice')}: {newest.last_error}"
            verdict = CheckVerdict.DOUBTFUL if spoken.sent else CheckVerdict.WRONG
            to_do = "correct the channel, its secret or its address"
            yield CheckFinding(check, name, verdict, why, to_do)
        elif spoken.sent:
            yield CheckFinding(check, name, CheckVerdict.WELL, "it takes what is said through it")
        else:
            why = "nothing was said through it yet"
            yield CheckFinding(check, name, CheckVerdict.UNKNOWN, why, "a drill says something")


def check_status_page(facts: SystemFacts) -> Iterator[CheckFinding]:
    """Whether everybody reads the status page, and no cache keeps it."""
    check, name = "status-page", facts.policy.system
    page = require_read(facts.page, name)
    if page is None:
        why = "no page was looked at: ROLLBACK_STATUS_BUCKET is not set here"
        yield CheckFinding(check, name, CheckVerdict.UNKNOWN, why, "set it, if there is such a bucket")
    elif page.status != FOUND:
        why = f"its public address answers {page.status}: nobody reads it"
        to_do = "look at the log of on_notice, and who may read the bucket"
        yield CheckFinding(check, name, CheckVerdict.WRONG, why, to_do)
    elif page.content_type != HTML_CONTENT_TYPE:
        why = f"it is served as {page.content_type or 'nothing stated'}, not as {HTML_CONTENT_TYPE}"
        yield CheckFinding(check, name, CheckVerdict.DOUBTFUL, why, "see docs/unverified.md")
    elif "no-cache" not in page.cache_control:
        why = f"caches may keep it ({page.cache_control or 'nothing stated'}): it is seen late"
        yield CheckFinding(check, name, CheckVerdict.DOUBTFUL, why, "see docs/unverified.md")
    else:
        yield CheckFinding(check, name, CheckVerdict.WELL, "everybody reads it, and no cache keeps it")
