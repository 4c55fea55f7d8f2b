"""Checks of backups, data and assets of one system: facts in, findings out."""

from datetime import timedelta

from cli.doctor.finding import Findings, name_first, require_read, unknown, well, wrong
from cli.doctor.system.facts import SystemFacts
from cli.support.output import format_lasting, format_time
from shared.domain.data.asset_protection import RETRY_INTERVAL
from shared.domain.data.backups.export import ExportStatus
from shared.domain.data.backups.native_backups import CHECK_INTERVAL
from shared.domain.data.integrity.damage import is_conclusive
from shared.domain.policy.resources import AssetRules

DAY = timedelta(days=1)


def check_exports(facts: SystemFacts) -> Findings:
    """Whether the newest export that is over, newest first, is whole, copied and recent."""
    name, rules = facts.policy.system, facts.policy.backups
    if rules.bucket is None:
        return
    newest = next((one for one in require_read(facts.exports, name) if one.is_over), None)
    if newest is None:
        yield unknown(name, "none is over yet", "check again in an hour")
    elif newest.status is ExportStatus.FAILED:
        to_do = f"rollback backups --system {name}; read the log of on_clock"
        yield wrong(name, f"{newest.id}: {newest.failure}", to_do)
    elif (age := facts.now - newest.snapshot_at) > 2 * rules.every:
        yield wrong(name, f"the newest is of {format_lasting(age)} ago", "read the log of on_clock")
    else:
        why = f"{newest.documents:,} documents of {format_time(newest.snapshot_at)} UTC"
        yield well(name, f"{why} in {len(newest.places)} places")


def check_restore_tests(facts: SystemFacts) -> Findings:
    """Whether the newest proof that is over, newest first, is one, and of the last two days."""
    name = facts.policy.system
    if facts.policy.backups.proof is None:
        return
    newest = next((one for one in require_read(facts.proofs, name) if one.is_over), None)
    if newest is None:
        yield unknown(name, "none is over yet", "check again in some hours")
    elif newest.faults:
        why = f"{newest.backup}: {'; '.join(newest.faults)}"
        yield wrong(name, why, f"rollback backups --system {name}; read the log of on_clock")
    elif (age := facts.now - newest.began_at) > 2 * DAY:
        yield wrong(name, f"the newest is of {format_lasting(age)} ago", "read the log of on_clock")
    else:
        took = f" in {format_lasting(newest.duration)}" if newest.duration else ""
        yield well(name, f"{newest.backup} was restored{took}")


def check_native_backups(facts: SystemFacts) -> Findings:
    """Whether Google's own backups were complete at the last check of the clock."""
    name = facts.policy.system
    if not facts.policy.backups.native:
        return
    found = require_read(facts.native, name)
    if found is None or facts.now - found.looked_at > 2 * CHECK_INTERVAL:
        yield unknown(name, "the clock has not read them for two hours", "read the log of on_clock")
    elif found.faults:
        yield wrong(name, "; ".join(found.faults), "application_databases in Terraform")
    else:
        yield well(name, f"complete at {format_time(found.looked_at)} UTC")


def check_data(facts: SystemFacts) -> Findings:
    """Whether the clock could scan the documents and the files that they name."""
    name = facts.policy.system
    if not facts.policy.collections:
        return
    found = require_read(facts.integrity, name)
    if found is not None and found.failure:
        why = f"the clock cannot scan it: {found.failure}"
        yield wrong(name, why, "read the log of on_clock; see docs/unverified.md")
    elif found is None or found.last is None:
        yield unknown(name, "the clock has not scanned it yet", "check again when a run is over")
    elif not is_conclusive(found.last):
        why = "files or documents that others name could not be read"
        yield unknown(name, why, "read the log of on_clock")
    elif (age := facts.now - found.last.began_at) > 3 * facts.policy.integrity.every:
        yield wrong(name, f"the newest scan began {format_lasting(age)} ago", "read the log of on_clock")
    else:
        why = f"scanned at {format_time(found.last.at)} UTC; {len(found.open_findings)} open findings"
        yield well(name, why)


def check_expiry(facts: SystemFacts) -> Findings:
    """Whether the database lists its TTL policies: a repair needs them."""
    name = facts.policy.system
    if facts.policy.collections:
        by = [f"{one.group} by {'.'.join(one.field)}" for one in require_read(facts.expiries, name)]
        yield well(name, name_first(by) or "the database has no TTL policy")


def check_triggers(facts: SystemFacts) -> Findings:
    """Whether Eventarc lists its triggers on documents: a repair needs them."""
    name = facts.policy.system
    if facts.policy.collections:
        yield well(name, f"read: {len(require_read(facts.triggers, name))}")


def check_assets(facts: SystemFacts) -> Findings:
    """Whether assets were as declared at the last check of the clock."""
    name = facts.policy.system
    if facts.policy.assets == AssetRules():
        return
    found = require_read(facts.assets, name)
    if found is None or facts.now - found.due_at > RETRY_INTERVAL:
        yield unknown(name, "the clock missed the scheduled check", "read the log of on_clock")
    elif found.faults:
        yield wrong(name, "; ".join(found.lines), "correct it, or change its declaration")
    elif found.unseen:
        yield unknown(name, "; ".join(found.lines), "may on_clock read it? read its log")
    else:
        yield well(name, f"as declared at {format_time(found.looked_at)} UTC")
