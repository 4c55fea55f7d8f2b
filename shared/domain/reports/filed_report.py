"""The report of an incident as it is filed by itself, minutes after the end. Pure."""

from datetime import datetime, timedelta

from shared.core.codec import StoredDocument, documents_of
from shared.domain.reports.impact import ImpactCounts
from shared.domain.signals.health import MAX_COUNT_DELAY

FILING_DELAY = MAX_COUNT_DELAY + timedelta(minutes=1)
"""So long after the end a report is written."""
MAX_METRICS_WAIT = timedelta(minutes=15)
"""So long after the end it waits for metrics that give no answer; then it is filed without."""
ROOT_CAUSE_REMINDER_DELAY = timedelta(hours=24)
"""The runbook's time for a root cause, here from the end on."""
report_path = documents_of("reports")


class FiledReport(StoredDocument):
    """One report, as whoever reads it later finds it."""

    incident: str
    system: str
    ended_at: datetime
    due_at: datetime | None
    """When it is to be written next; None: it stands as it is."""
    written_at: datetime | None = None
    """When it was first; None: it was not yet."""
    counts: ImpactCounts = ImpactCounts()
    markdown: bytes = b""
    """Compressed by zlib."""
    html: bytes = b""
    expires_at: datetime | None = None
