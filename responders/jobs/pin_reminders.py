"""Once a day: which pins are older than the policy wants them to be."""

from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime

from responders.deployments import pin_check
from shared.core.durations import format_duration
from shared.core.errors import Exists
from shared.core.store import Create
from shared.core.text import count_noun
from shared.domain.audit.chain import create_event
from shared.domain.audit.system_chain import event_write
from shared.domain.notices.recipients import create_notices
from shared.domain.policy.severity import Severity
from shared.domain.policy.system_policy import Policy
from shared.domain.retention import RECORD_RETENTION
from shared.domain.rollback import pins
from shared.ports.groups import Ports
from shared.state import work_queue
from shared.state.reader import StateReader


def send_due_reminders(ports: Ports, policies: Mapping[str, Policy], now: datetime) -> None:
    """Tell of each system's old pins what nobody has told today (UTC). Raises: Unavailable."""
    for policy in policies.values():
        _send_reminder(ports, policy, now)


def _send_reminder(ports: Ports, policy: Policy, now: datetime) -> None:
    span = policy.deployments.pinned_for
    marker = f"ticks/{now:%Y%m%d}-pins-{policy.system}"
    if ports.store.get(marker).fields is not None:
        return
    old = pins.pins_older_than(StateReader(ports.store).pins(policy.system), span, now)
    said, told = [], []
    if old:
        system = StateReader(ports.store).system(policy.system)
        key = f"pins-{now:%Y%m%d}-{policy.system}"
        text = "\n".join(
            (
                f"{policy.system}: {count_noun(len(old), 'function')} pinned for longer than "
                f"{format_duration(span)}, and later deployments get no requests there:",
                *pin_check.format_pin_lines(ports.store, old, system),
            )
        )
        functions = [one.function for one in old]
        said = create_notices(policy, key, Severity.MEDIUM, "pinned", text, now, functions=functions)
        happened = create_event("pin.old", now, "on_clock", functions=functions)
        told = [event_write(policy.system, f"old-pins:{now:%Y%m%d}", happened)]
    done = Create(marker, {"at": now, "expires_at": now + RECORD_RETENTION})
    with suppress(Exists):  # another instance has told it
        work_queue.commit_with_notices(ports.store, ports.bus, [done, *told], said)
