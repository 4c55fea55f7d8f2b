"""Proofs of backups, of a past that data may come back from."""

from datetime import UTC, datetime, timedelta

from shared.domain.data.backups.filled_database import FillStatus
from shared.domain.data.backups.restore_test import RestoreTest
from tests.support.fakes.firestore.restores import ORIGINAL

NOW = datetime(2026, 3, 20, 12, 0, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def build_proof(backup: str, status: FillStatus, at: datetime = NOW - DAY) -> RestoreTest:
    return RestoreTest(
        id=f"{backup}-{at:%Y%m%d}",
        system="bookshop",
        backup=backup,
        source="any",
        snapshot_at=at,
        original=ORIGINAL,
        database="scratch",
        began_at=at,
        status=status,
        is_over=status in (FillStatus.PROVEN, FillStatus.FAILED),
        ended_at=at + HOUR,
    )
