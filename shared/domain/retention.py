"""How long records are kept."""

from __future__ import annotations

from datetime import timedelta

KEPT_FOR = timedelta(days=30)
"""The runbook's rollback history."""
