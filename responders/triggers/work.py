"""on_work: execute a rollback, continue a command, check a recovery, or file a report."""

from dataclasses import dataclass
from functools import partial

from responders.commands import worker
from responders.rollback import execution, report_filing
from responders.rollback.verification import recovery
from shared.core.pubsub_message import PubSubMessage
from shared.core.store import retry_on_conflict
from shared.domain.policy.system_policy import Policies
from shared.ports.groups import Ports
from shared.state import work_queue

COMMIT_ATTEMPTS = 3


@dataclass
class WorkTrigger:
    """Dispatches work that is due; one item at a time per instance."""

    _ports: Ports
    _policies: Policies

    def receive(self, message: PubSubMessage) -> None:
        """Return once the item ended, waits or was handed over; a redelivery continues it."""
        due = work_queue.parse_work_item(
            message.data, work_queue.ROLLBACK, work_queue.COMMAND, work_queue.INCIDENT, work_queue.REPORT
        )
        match due.kind:
            case work_queue.COMMAND:
                worker.execute_command(self._ports, self._policies, due.id)
            case work_queue.INCIDENT:
                check = partial(recovery.check_recovery, self._ports, self._policies, due.id)
                gave_up = f"gave up after {COMMIT_ATTEMPTS} write conflicts on incident {due.id}"
                retry_on_conflict(check, COMMIT_ATTEMPTS, gave_up, self._ports.clock.sleep)
            case work_queue.REPORT:
                report_filing.file_report(self._ports, self._policies, due.id)
            case _:
                execution.execute(self._ports, self._policies, due.id, message.id)
