"""on_deployment: record deployments from the inventory, and check each that is due."""

from dataclasses import dataclass
from datetime import datetime

from responders.backups.export import request_backup_before_deployment
from responders.deployments import messages, readiness
from responders.deployments.comparison import compare_inventory
from responders.deployments.source_backup import back_up_live_sources
from shared.core.errors import Refused
from shared.core.pubsub_message import PubSubMessage
from shared.domain.deployments.announcements import CI_CLOCK_SKEW_TOLERANCE
from shared.domain.deployments.deployment import Deployment, DeploymentStatus
from shared.domain.deployments.inventory import inventory_record as stocks
from shared.domain.deployments.rollout import DeploymentAnnouncement
from shared.domain.policy.system_policy import Policies
from shared.ports.groups import Ports
from shared.state import work_queue


@dataclass
class DeploymentsTrigger:
    """Dispatches announcements, hints of the audit log, and checks that are due."""

    _ports: Ports
    _policies: Policies

    def receive(self, message: PubSubMessage) -> None:
        """Return once the message or due check is processed. Raises: Refused, Unavailable."""
        now = self._ports.clock.now()
        match messages.parse_deployment_message(message.data, self._policies, now):
            case messages.Announcement(upcoming=True) as said:
                policy = self._policies[said.system]
                request_backup_before_deployment(self._ports, policy, said.deployment, now)
            case messages.Announcement() as said:
                at = said.at or message.first_published_at or now
                told = DeploymentAnnouncement(
                    message.first_id, at, said.deployment, said.git_hash, said.stable, said.barrier
                )
                self._check_inventory(said.system, now, told)
            case messages.Hint() as hint:
                # The last inventory holds what was logged before it.
                wanted = (
                    min(now - CI_CLOCK_SKEW_TOLERANCE, hint.at) + CI_CLOCK_SKEW_TOLERANCE if hint.at else now
                )
                for system in hint.systems:
                    self._check_inventory(system, wanted)
            case work_queue.WorkItem() as due:
                self._process_due_item(due)

    def _process_due_item(self, due: work_queue.WorkItem) -> None:
        """Take the inventory, or check one deployment, unless another instance did meanwhile."""
        inventory = due.kind == work_queue.INVENTORY
        system = due.id if inventory else due.id.partition(":")[0]
        if system not in self._policies:
            raise Refused(f"system {system} is not known")
        path = stocks.inventory_path(system) if inventory else f"deployments/{due.id}"
        document = self._ports.store.get(path)
        due_at = (document.fields or {}).get("due_at")
        if due_at is None or due_at > document.read_at:
            return
        if inventory or document.decode(Deployment).status is DeploymentStatus.ROLLING_OUT:
            self._check_inventory(system, document.read_at)  # when it is quiet, that settles it
        else:
            readiness.reassess_deployment(self._ports, self._policies[system], document)

    def _check_inventory(
        self, system: str, wanted: datetime, said: DeploymentAnnouncement | None = None
    ) -> None:
        """Compare the inventory with the last one, and store what a rebuild needs."""
        ports, policy = self._ports, self._policies[system]
        compare_inventory(ports, policy, wanted, said)
        back_up_live_sources(ports, policy)
