"""What doctor sees of the responders themselves, before it says anything."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from msgspec import Struct

from shared.errors import RollbackError
from shared.installation import Deployed, Subscription


class StoreTime(Struct, frozen=True):
    """The store's time, and this machine's around it."""

    before: datetime
    store: datetime
    after: datetime


class Facts(Struct, frozen=True):
    """What was seen of an installation; an error stands where nothing was."""

    project: str
    is_local: bool
    """Messages stay on this machine: nobody is asked who pushes or publishes."""
    now: datetime
    code: str
    """Fingerprint of this checkout."""
    policies: Mapping[str, str]
    """Fingerprints by system."""
    state: StoreTime | RollbackError
    topics: Collection[str] | RollbackError
    subscriptions: Sequence[Subscription] | RollbackError
    grants: Mapping[str, Mapping[str, tuple[str, ...]] | RollbackError]
    """By topic, then by role."""
    functions: Sequence[Deployed] | RollbackError
    ticks: Mapping[str, bool | RollbackError]
    """Whether each of the last whole half minutes was swept."""
    due_since: Mapping[str, datetime | RollbackError | None]
    """By kind of what is due."""


def function(entry_point: str) -> str:
    """The name of the function of an entry point, as Terraform deploys it."""
    return f"rollback-{entry_point.replace('_', '-')}"
