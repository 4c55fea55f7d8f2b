"""Whether people are reached: by the channels, and by the status page."""

from collections.abc import Iterator
from datetime import timedelta
from http import HTTPStatus

from cli.doctor.finding import CheckFinding, doubtful, require_read, unknown, unread, well, wrong
from cli.doctor.system.facts import SystemFacts
from shared.core.errors import RollbackError
from shared.core.text import count_noun
from shared.domain.presentation.status_page_html import HTML_CONTENT_TYPE

RECENT_WINDOW = timedelta(days=7)


def check_channels(facts: SystemFacts) -> Iterator[CheckFinding]:
    """Whether each channel takes what is said through it."""
    for name, spoken in facts.spoken.items():
        if isinstance(spoken, RollbackError):
            yield unread(name, spoken)
            continue
        lately = [one for one in spoken.given_up if one.created_at > facts.now - RECENT_WINDOW]
        if lately:
            newest = max(lately, key=lambda one: one.created_at)
            why = f"given up within a week: {count_noun(len(lately), 'notice')}: {newest.last_error}"
            judged = doubtful if spoken.sent else wrong
            yield judged(name, why, "correct the channel, its secret or its address")
        elif spoken.sent:
            yield well(name, "it takes what is said through it")
        else:
            yield unknown(name, "nothing was said through it yet", "a drill says something")


def check_status_page(facts: SystemFacts) -> Iterator[CheckFinding]:
    """Whether everybody reads the status page, and no cache keeps it."""
    name = facts.policy.system
    page = require_read(facts.page, name)
    if page is None:
        why = "no page was looked at: ROLLBACK_STATUS_BUCKET is not set here"
        yield unknown(name, why, "set it, if there is such a bucket")
    elif page.status != HTTPStatus.OK:
        why = f"its public address answers {page.status}: nobody reads it"
        yield wrong(name, why, "look at the log of on_notice, and who may read the bucket")
    elif page.content_type != HTML_CONTENT_TYPE:
        why = f"it is served as {page.content_type or 'nothing stated'}, not as {HTML_CONTENT_TYPE}"
        yield doubtful(name, why, "see docs/unverified.md")
    elif "no-cache" not in page.cache_control:
        why = f"caches may keep it ({page.cache_control or 'nothing stated'}): it is seen late"
        yield doubtful(name, why, "see docs/unverified.md")
    else:
        yield well(name, "everybody reads it, and no cache keeps it")
