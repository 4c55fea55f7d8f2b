"""What the responders may do in an application, and whether Google says what they rely on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from cli.doctor.facts import function
from cli.doctor.finding import Finding, Verdict, named, unseen
from shared.audience import ChannelKind
from shared.errors import Rejected, RollbackError
from shared.inventory import WholeInventory
from shared.policy import Policy

ROLES: Final = {
    "on_clock": (
        "assets",
        "backups",
        "copies",
        "copies_made",
        "data",
        "media",
        "proofs",
        "proofs_scratch",
    ),
    "on_command": ("past",),
    "on_deployment": ("configurations", "estate", "images", "inventory", "metrics", "sources"),
    "on_notice": ("push", "pushed_to"),
    "on_work": (
        *("alerts", "images", "media", "metrics", "rebuild", "repair", "shift"),
        "ways_back",
    ),
}
"""What each responder is given in an application: roles of its own there (terraform/locals.tf)."""
ASKED: Final[Mapping[str, Callable[[Policy], bool]]] = {
    "assets": lambda policy: bool(policy.assets.replicated or policy.assets.regenerated),
    "backups": lambda policy: policy.backups.bucket is not None or policy.backups.native,
    "copies": lambda policy: policy.backups.copies is not None,
    "copies_made": lambda policy: policy.backups.copies is not None,
    "data": lambda policy: bool(policy.collections),
    "media": lambda policy: any(one.media for one in policy.collections.values()),
    "past": lambda policy: policy.backups.copies is not None,
    "proofs": lambda policy: policy.backups.proof is not None,
    "proofs_scratch": lambda policy: policy.backups.proof is not None,
    "repair": lambda policy: bool(policy.collections),
    "push": lambda policy: any(one.kind is ChannelKind.PUSH for one in policy.channels),
    "pushed_to": lambda policy: any(one.users is not None for one in policy.channels),
}
"""Those that are given only where a policy has a use for them (terraform/iam.tf)."""
REQUEST_LOG = "monitoring.requestLogging.enabled"
"""Of Identity Platform's configuration."""
SIGN_IN = "authentication_failure"
"""The signal that is counted in that log."""

Granted = Mapping[str, tuple[str, ...]] | RollbackError | None
"""Roles by account, as an application's own policy tells; None: it was not asked."""
ReadBack = bool | RollbackError | None
"""Whether the newest alert that was kept is open, as Cloud Monitoring says; None: none was kept."""


def roles_in(policy: Policy) -> dict[str, set[str]]:
    """The names of what each responder has in the application of a policy, by entry point."""
    return {
        entry_point: {
            f"projects/{policy.project}/roles/rollback_{role}"
            for role in roles
            if role not in ASKED or ASKED[role](policy)
        }
        for entry_point, roles in ROLES.items()
    }


def own_roles(policy: Policy, accounts: Mapping[str, str], granted: Granted) -> Iterator[Finding]:
    """Whether each responder has its roles; `accounts`: what each runs as, by entry point."""
    check, project = "own-roles", policy.project
    if granted is None or not accounts:
        why = "nobody knows what the responders run as, or nobody is asked here"
        yield Finding(check, project, Verdict.UNKNOWN, why)
        return
    if isinstance(granted, RollbackError):
        yield unseen(check, project, granted)
        return
    lacking = False
    for entry_point, wanted in roles_in(policy).items():
        held = granted.get(accounts.get(entry_point, ""), ())
        if missing := wanted - {role.partition(" if ")[0] for role in held}:
            lacking = True
            why = f"it lacks {named(missing)} by the project's own policy"
            to_do = "terraform apply, unless a folder or the organisation grants it"
            yield Finding(check, function(entry_point), Verdict.WRONG, why, to_do)
    if not lacking:
        yield Finding(check, project, Verdict.WELL, "the responders have their roles")


def alert_ids(policy: Policy, answer: ReadBack) -> Finding:
    """Whether alerts can be read back by the ids that they are told of by."""
    check, project = "alert-ids", policy.project
    if answer is None:
        why = "no alert of Cloud Monitoring was kept yet: nothing to read back"
        return Finding(check, project, Verdict.UNKNOWN, why)
    if isinstance(answer, Rejected):
        why = f"the newest alert cannot be read back by its id: {answer}"
        to_do = "see docs/unverified.md: what only alerts tell holds, then escalates"
        return Finding(check, project, Verdict.DOUBTFUL, why, to_do)
    if isinstance(answer, RollbackError):
        return unseen(check, project, answer)
    said = "open" if answer else "closed"
    return Finding(check, project, Verdict.WELL, f"the newest alert is {said}, by its own id")


def request_log(policy: Policy, rest: WholeInventory) -> Iterator[Finding]:
    """Whether failed sign-ins are counted, where a signal needs that."""
    if SIGN_IN not in policy.signals or not policy.resources.identity or rest.identity is None:
        return
    check, project = "request-log", policy.project
    if rest.identity.get(REQUEST_LOG) is True:
        yield Finding(check, project, Verdict.WELL, "Identity Platform logs its requests")
        return
    why = f"Identity Platform logs no requests: {SIGN_IN} never fires"
    yield Finding(check, project, Verdict.DOUBTFUL, why, f"switch {REQUEST_LOG} on")
