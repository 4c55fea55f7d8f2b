"""How late metric points are: what has happened is not yet what can be read."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

MINUTE = timedelta(minutes=1)
"""run.googleapis.com/request_count is sampled once a minute."""


@dataclass
class IngestionDelay:
    """Points become visible `lag` after their end; the real metric is up to 3 minutes late."""

    lag: timedelta = timedelta(seconds=60)

    def newest_visible_end(self, now: datetime) -> datetime:
        """The end of the newest visible point: a whole minute."""
        return floor_to_minute(now - self.lag)


def floor_to_minute(moment: datetime) -> datetime:
    """The last whole minute at or before a moment."""
    return datetime.fromtimestamp(moment.timestamp() // 60 * 60, UTC)
