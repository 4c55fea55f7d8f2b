"""How long records are stored; Terraform sets the retention of buckets (terraform/buckets.tf).

The commit that ends a record sets its `expires_at`: shared/engine/audited_commit.py,
shared/domain/incidents/opening.py.
"""

from datetime import timedelta

PUBLIC_RETENTION = timedelta(days=91)
"""The status page shows 90 days."""
RECORD_RETENTION = timedelta(days=30)
"""The runbook's rollback history."""
