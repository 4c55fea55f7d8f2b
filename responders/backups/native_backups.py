"""on_clock: once an hour, whether Google's own backups are there; a change is told."""

from contextlib import suppress
from datetime import datetime
from functools import partial

from responders.support.parallel_calls import call_all, require_answer
from shared.core import log
from shared.core.errors import Moved, Rejected, Unavailable
from shared.core.store import Document
from shared.domain.audit.system_chain import system_event
from shared.domain.data.backups.native_backups import (
    CHECK_INTERVAL,
    ManagedBackupStatus,
    find_backup_faults,
    managed_backups_path,
)
from shared.domain.notices.notice import Notice
from shared.domain.notices.recipients import create_notices
from shared.domain.policy.severity import Severity
from shared.domain.policy.system_policy import Policies, Policy
from shared.ports.groups import Ports
from shared.state.work_queue import commit_with_notices

ACTOR = "on_clock"


def check_native_backups(ports: Ports, policies: Policies) -> None:
    """Check those that policies want, each where its last check is an hour old.

    Raises: Unavailable (our store).
    """
    for policy in policies.values():
        if not policy.backups.native:
            continue
        document = ports.store.get(managed_backups_path(policy.system))
        previous = document.find(ManagedBackupStatus)
        now = document.read_at
        if previous is not None and now - previous.looked_at < CHECK_INTERVAL:
            continue
        try:
            found = _find_faults(ports, policy, now)
        except (Rejected, Unavailable) as failure:
            log.write("WARNING", f"the backups of {policy.system} cannot be read: {failure}")
        else:
            _save_status(ports, policy, document, ManagedBackupStatus(policy.system, now, found))


def _find_faults(ports: Ports, policy: Policy, now: datetime) -> tuple[str, ...]:
    backups, database = ports.system(policy.system).backups, policy.backups.database
    answers = call_all(
        ports,
        {
            "database": partial(backups.database, database),
            "schedules": partial(backups.schedules, database),
            "backups": partial(backups.backups, database),
        },
    )
    found = {name: require_answer(one) for name, one in answers.items()}
    return tuple(find_backup_faults(**found, now=now))


def _save_status(ports: Ports, policy: Policy, document: Document, after: ManagedBackupStatus) -> None:
    known, now = tuple((document.fields or {}).get("faults", ())), after.looked_at
    notices = []
    events = []
    if after.faults != known:
        name = "backups.missing" if after.faults else "backups.complete"
        notices = _build_notices(policy, after, now)
        key = f"{name}:{now:%Y%m%dT%H%M%S%f}"
        events = [system_event(policy.system, key, name, now, ACTOR, faults=after.faults)]
    with suppress(Moved):  # another instance has looked, and told
        commit_with_notices(ports, [document.build_write(after), *events], notices)


def _build_notices(policy: Policy, after: ManagedBackupStatus, now: datetime) -> list[Notice]:
    word = "incomplete" if after.faults else "complete again"
    text = "\n".join((f"{policy.system}: Google's own backups are {word}", *after.faults))
    key, faults = f"watched-{policy.system}-{now:%Y%m%dT%H%M%S%f}", after.faults
    return create_notices(policy, key, Severity.HIGH, "native-backups", text, now, faults=faults)
