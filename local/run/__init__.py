"""The embedded Cloud Run: the Admin API v2 over the services of the applications."""

from local.run.quota import WriteQuota
from local.run.revisions import Revisions
from local.run.rollouts import Rollouts
from local.run.services import Services

__all__ = ["Revisions", "Rollouts", "Services", "WriteQuota"]
