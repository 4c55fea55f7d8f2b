"""Whether data and assets would outlast trouble: what is kept of it in, findings out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final

from cli.doctor.finding import Finding, Verdict, named, unseen
from cli.screen import at, lasting
from shared.assets import AGAIN, Posture
from shared.backing import Backup, Status
from shared.damage import Record, is_known
from shared.errors import RollbackError
from shared.expiry import Expiry
from shared.native import LOOK_EVERY, Watched
from shared.policy import Policy
from shared.proving import Proof
from shared.resources import AssetRules
from shared.triggers import Trigger

DAY: Final = timedelta(days=1)


def exports(
    policy: Policy, found: Sequence[Backup] | RollbackError, now: datetime
) -> Iterator[Finding]:
    """Whether the newest export that is over, newest first, is whole, copied and recent."""
    check, name, rules = "exports", policy.system, policy.backups
    if rules.bucket is None:
        return
    if isinstance(found, RollbackError):
        yield unseen(check, name, found)
        return
    newest = next((one for one in found if one.is_over), None)
    if newest is None:
        yield Finding(check, name, Verdict.UNKNOWN, "none is over yet", "look again in an hour")
    elif newest.status is Status.FAILED:
        to_do = f"rollback backups --system {name}; the log of on_clock tells more"
        yield Finding(check, name, Verdict.WRONG, f"{newest.id}: {newest.failure}", to_do)
    elif (age := now - newest.snapshot_at) > 2 * rules.every:
        why = f"the newest is of {lasting(age)} ago"
        yield Finding(check, name, Verdict.WRONG, why, "does the clock tick? its log tells")
    else:
        why = f"{newest.documents:,} documents of {at(newest.snapshot_at)} UTC"
        yield Finding(check, name, Verdict.WELL, f"{why} in {len(newest.places)} places")


def proven(
    policy: Policy, found: Sequence[Proof] | RollbackError, now: datetime
) -> Iterator[Finding]:
    """Whether the newest proof that is over, newest first, is one, and of the last two days."""
    check, name = "backup-proof", policy.system
    if policy.backups.proof is None:
        return
    if isinstance(found, RollbackError):
        yield unseen(check, name, found)
        return
    newest = next((one for one in found if one.is_over), None)
    if newest is None:
        yield Finding(check, name, Verdict.UNKNOWN, "none is over yet", "look again in some hours")
    elif newest.faults:
        why = f"{newest.backup}: {'; '.join(newest.faults)}"
        yield Finding(
            check,
            name,
            Verdict.WRONG,
            why,
            f"rollback backups --system {name}; the log of on_clock tells more",
        )
    elif (age := now - newest.began_at) > 2 * DAY:
        why = f"the newest is of {lasting(age)} ago"
        yield Finding(check, name, Verdict.WRONG, why, "does the clock tick? its log tells")
    else:
        took = f" in {lasting(newest.took)}" if newest.took else ""
        yield Finding(check, name, Verdict.WELL, f"{newest.backup} was restored{took}")


def native(
    policy: Policy, found: Watched | RollbackError | None, now: datetime
) -> Iterator[Finding]:
    """Whether Google's own backups were complete when the clock looked; None: it never has."""
    check, name = "native-backups", policy.system
    if not policy.backups.native:
        return
    if isinstance(found, RollbackError):
        yield unseen(check, name, found)
    elif found is None or now - found.looked_at > 2 * LOOK_EVERY:
        why = "the clock has not seen them for two hours"
        yield Finding(check, name, Verdict.UNKNOWN, why, "may it? its log tells")
    elif found.faults:
        why = "; ".join(found.faults)
        yield Finding(check, name, Verdict.WRONG, why, "application_databases in Terraform")
    else:
        yield Finding(check, name, Verdict.WELL, f"complete at {at(found.looked_at)} UTC")


def data(policy: Policy, found: Record | RollbackError | None, now: datetime) -> Iterator[Finding]:
    """Whether the clock could look through the documents, and at the files that they name."""
    check, name = "data", policy.system
    if not policy.collections:
        return
    if isinstance(found, RollbackError):
        yield unseen(check, name, found)
    elif found is None or (found.last is None and not found.failure):
        why = "the clock has not looked through it yet"
        yield Finding(check, name, Verdict.UNKNOWN, why, "look again when a run is over")
    elif found.failure:
        why = f"it cannot be looked through: {found.failure}"
        yield Finding(check, name, Verdict.WRONG, why, "its log tells; see docs/unverified.md")
    elif found.last is not None and not is_known(found.last):
        why = "files or documents that others name could not be looked at"
        yield Finding(check, name, Verdict.UNKNOWN, why, "may on_clock read them? its log tells")
    elif found.last is not None and now - found.last.began_at > 3 * policy.integrity.every:
        why = f"the newest look through it is of {lasting(now - found.last.began_at)} ago"
        yield Finding(check, name, Verdict.WRONG, why, "does the clock tick? its log tells")
    elif found.last is not None:
        why = f"looked through at {at(found.last.at)} UTC; {len(found.open)} open findings"
        yield Finding(check, name, Verdict.WELL, why)


def expiry(policy: Policy, found: Sequence[Expiry] | RollbackError) -> Iterator[Finding]:
    """Whether the database says by what documents expire: until it does, none is brought back."""
    check, name = "expiry", policy.system
    if not policy.collections:
        return
    if isinstance(found, RollbackError):
        yield unseen(check, name, found)
    else:
        by = named([f"{one.group} by {'.'.join(one.field)}" for one in found])
        yield Finding(check, name, Verdict.WELL, by or "by no policy of the database")


def triggers(policy: Policy, found: Sequence[Trigger] | RollbackError) -> Iterator[Finding]:
    """Whether Eventarc tells all that hears of documents: until it does, none is brought back."""
    check, name = "triggers", policy.system
    if not policy.collections:
        return
    if isinstance(found, RollbackError):
        yield unseen(check, name, found)
    else:
        yield Finding(check, name, Verdict.WELL, f"read: {len(found)}")


def assets(
    policy: Policy, found: Posture | RollbackError | None, now: datetime
) -> Iterator[Finding]:
    """Whether assets were as declared when the clock looked; None: it never has."""
    check, name = "assets", policy.system
    if policy.assets == AssetRules():
        return
    if isinstance(found, RollbackError):
        yield unseen(check, name, found)
    elif found is None or now - found.due_at > AGAIN:
        why = "the clock has not looked when it was due"
        yield Finding(check, name, Verdict.UNKNOWN, why, "does it tick? its log tells")
    elif found.faults:
        why = "; ".join(found.lines)
        yield Finding(check, name, Verdict.WRONG, why, "put it right, or declare what is so")
    elif found.unseen:
        why = "; ".join(found.lines)
        yield Finding(check, name, Verdict.UNKNOWN, why, "may it look? its log tells")
    else:
        yield Finding(check, name, Verdict.WELL, f"as declared at {at(found.looked_at)} UTC")
