"""Whether everybody reads the status page: what was seen at its address in, finding out."""

from __future__ import annotations

from cli.doctor.finding import Finding, Verdict, unseen
from shared.buckets import Seen
from shared.errors import RollbackError
from shared.status_rendering import HTML

SEEN = 200
"""The status of a page that is there."""


def status_page(system: str, seen: Seen | RollbackError | None) -> Finding:
    """How the page of a system is served; None: this shell names no bucket of pages."""
    check = "status-page"
    if seen is None:
        why = "no page was looked at: ROLLBACK_STATUS_BUCKET is not set here"
        return Finding(check, system, Verdict.UNKNOWN, why, "set it, if there is such a bucket")
    if isinstance(seen, RollbackError):
        return unseen(check, system, seen)
    if seen.status != SEEN:
        why = f"its public address answers {seen.status}: nobody reads it"
        to_do = "look at the log of on_notice, and who may read the bucket"
        return Finding(check, system, Verdict.WRONG, why, to_do)
    if seen.content_type != HTML:
        why = f"it is served as {seen.content_type or 'nothing stated'}, not as {HTML}"
        return Finding(check, system, Verdict.DOUBTFUL, why, "see docs/unverified.md")
    if "no-cache" not in seen.cache_control:
        why = f"caches may keep it ({seen.cache_control or 'nothing stated'}): it is seen late"
        return Finding(check, system, Verdict.DOUBTFUL, why, "see docs/unverified.md")
    return Finding(check, system, Verdict.WELL, "everybody reads it, and no cache keeps it")
