"""The embedded Cloud Run: the Admin API v2 over the services of the applications."""

from local.services.run.quota import WriteQuotaBucket
from local.services.run.revisions import Revisions
from local.services.run.rollouts import Rollouts
from local.services.run.services import RunServices

__all__ = ["Revisions", "Rollouts", "RunServices", "WriteQuotaBucket"]
