"""The embedded Cloud Run: the Admin API v2 over the services of the applications."""

from local.services.run.quota import WriteQuota
from local.services.run.revisions import Revisions
from local.services.run.rollouts import Rollouts
from local.services.run.services import Services

__all__ = ["Revisions", "Rollouts", "Services", "WriteQuota"]
