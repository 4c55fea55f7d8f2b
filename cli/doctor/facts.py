"""What doctor sees of the responders themselves, before it says anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from msgspec import Struct

from cli.doctor.apis import Answers
from cli.doctor.measuring import Measured
from shared.errors import RollbackError
from shared.installation import Deployed, Run, Subscription


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
    policy_warnings: Sequence[str]
    """Of all of them."""
    state: StoreTime | RollbackError
    versions: Mapping[str, tuple[str, str]]
    """Of each library that the functions run with: the stated version, and this shell's."""
    topics: Mapping[str, str] | RollbackError
    """Each with its schema, or ""."""
    subscriptions: Sequence[Subscription] | RollbackError
    grants: Mapping[str, Mapping[str, tuple[str, ...]] | RollbackError]
    """By topic, then by role."""
    project_grants: Mapping[str, tuple[str, ...]] | RollbackError
    """By role, whom the operations project's own policy gives it."""
    sign_in: Answers
    """Whether the API is on through which whoever speaks is looked up."""
    dead_man: Run | RollbackError | None
    """The job that keeps the switch outside quiet; None: there is none."""
    values: str | None
    """The bucket of values of variables; None: this shell names none."""
    bucket_grants: Mapping[str, Mapping[str, tuple[str, ...]] | RollbackError]
    """By bucket of values or of exports, then by role."""
    functions: Sequence[Deployed] | RollbackError
    ticks: Mapping[str, bool | RollbackError]
    """Whether each of the last whole half minutes was swept."""
    due_since: Mapping[str, datetime | RollbackError | None]
    """By kind of what is due."""
    measured: Measured | RollbackError
    """What the alerts on the responders themselves ask for."""
    unanchored_since: datetime | RollbackError | None
    """Since when the first head of an audit chain has waited to be anchored; None: none waits."""


def accounts(functions: Sequence[Deployed] | RollbackError) -> dict[str, str]:
    """What each responder runs as, by entry point, as far as that is known."""
    found = () if isinstance(functions, RollbackError) else functions
    return {one.entry_point: one.account for one in found if one.name == function(one.entry_point)}


def function(entry_point: str) -> str:
    """The name of the function of an entry point, as Terraform deploys it."""
    return f"rollback-{entry_point.replace('_', '-')}"
