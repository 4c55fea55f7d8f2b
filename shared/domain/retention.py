"""How long records are kept."""

from __future__ import annotations

from datetime import timedelta

RECORD_RETENTION = timedelta(days=30)
"""The runbook's rollback history."""
