"""How long records are stored; Terraform sets the retention of buckets (terraform/buckets.tf)."""

from __future__ import annotations

from datetime import timedelta

PUBLIC_RETENTION = timedelta(days=91)
"""The status page shows 90 days."""
RECORD_RETENTION = timedelta(days=30)
"""The runbook's rollback history."""
