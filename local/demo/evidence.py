"""What really happened: read from the database, from Cloud Run and from Pub/Sub."""

import re
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from typing import Any, TypeVar

import grpc
import httpx
from google.cloud import functions_v2, run_v2
from google.longrunning.operations_pb2 import ListOperationsRequest
from google.pubsub_v1 import SubscriberClient
from google.pubsub_v1.services.subscriber.transports.grpc import SubscriberGrpcTransport
from msgspec import Struct

from shared.core import topics
from shared.core.codec import decode
from shared.core.store import Query
from shared.domain import system_record as systems
from shared.domain.audit import system_chain
from shared.domain.audit.chain import AuditEntry, Event
from shared.domain.audit.verification import ChainFinding
from shared.domain.commands.command import CommandRecord
from shared.domain.decision.gates.base import GateResult, Outcome
from shared.domain.deployments import deployment as deployments
from shared.domain.deployments.build_recipe import derive_recipe
from shared.domain.deployments.deployment import Deployment, Inventory
from shared.domain.deployments.inventory import inventory_record as stocks
from shared.domain.deployments.inventory.inventory_parts import WholeInventory
from shared.domain.incidents import incident as incidents
from shared.domain.incidents.incident import Incident, PublicState, StatusPageRecord
from shared.domain.notices.notice import Notice
from shared.domain.policy.system_policy import Policy
from shared.domain.presentation.status_page_html import PAGE, system_folder
from shared.domain.rollback.drill import Drill
from shared.domain.rollback.plan import Step
from shared.domain.rollback.rollback import Rollback, RollbackStatus
from shared.domain.rollback.write_quota import SavedPace, quota_path
from shared.domain.signals.alert import Alert
from shared.domain.signals.health import RouterRequests
from shared.domain.system_record import ALL_SYSTEMS, System
from shared.state.audit_reader import AuditReader
from shared.wiring.adapters import Wiring

CALL_TIMEOUT_SECONDS = 10.0
MAX_PULLED_MESSAGES = 1000

T = TypeVar("T", bound=Struct)


class DeadLetterEvidence(Struct, frozen=True):
    """A dead letter."""

    source: str
    """`projects/P/topics/T`."""
    reason: str


class Evidence:
    """Typed reads of what the responders and the platform keep; nothing here changes anything."""

    def __init__(self, wiring: Wiring, policy: Policy, home: str, pubsub: str) -> None:
        """`home` is the operations project, `pubsub` the address of the embedded Pub/Sub."""
        self._wiring = wiring
        self._store = wiring.store
        self.system_name = policy.system
        self.channels = policy.channels
        self._location = f"projects/{policy.project}/locations/{policy.region}"
        self._letters = f"projects/{home}/subscriptions/{topics.DEAD_LETTER_SUBSCRIPTION}"
        transport = SubscriberGrpcTransport(channel=grpc.insecure_channel(pubsub))
        self._subscriber = SubscriberClient(transport=transport)

    def close(self) -> None:
        """Close the connection to Pub/Sub."""
        self._subscriber.transport.close()

    # The responders' database

    def incidents(self) -> list[Incident]:
        """Every incident, oldest first."""
        return self._all(Incident, "incidents")

    def rollbacks(self) -> list[Rollback]:
        """Every rollback, oldest first."""
        return self._all(Rollback, "rollbacks")

    def acting_rollbacks(self) -> list[Rollback]:
        """The same without those that only kept watch, because the signal asks for no more."""
        return [one for one in self.rollbacks() if not _is_observed_only(one)]

    def steps(self, rollback: str) -> list[Step]:
        """The steps of a rollback, in the plan's order."""
        found = self._all(Step, f"rollbacks/{rollback}/steps")
        return sorted(found, key=lambda step: step.number)

    def pace(self) -> SavedPace | None:
        """How fast the next worker may go on; None while nobody has carried anything out."""
        return self._one(SavedPace, quota_path(self.system_name))

    def trail(self, rollback: str) -> list[AuditEntry]:
        """The audit entries of a rollback, in order."""
        return self._all(AuditEntry, f"rollbacks/{rollback}/audit")

    def alerts(self) -> list[Alert]:
        """Every alert that was taken in, the first received first."""
        return sorted(self._all(Alert, "alerts"), key=lambda alert: (alert.received_at, alert.key))

    def notices(self) -> list[Notice]:
        """Every notice, the oldest first."""
        return sorted(self._all(Notice, "notices"), key=lambda notice: notice.created_at)

    def commands(self) -> list[CommandRecord]:
        """Every command that was carried out."""
        return self._all(CommandRecord, "commands")

    def drills(self) -> list[Drill]:
        """Every rehearsal that is recorded."""
        return self._all(Drill, "drills")

    def system(self) -> System | None:
        """The protected system as it stands; None before anything was said of it."""
        return self._one(System, systems.system_path(self.system_name))

    def public(self) -> PublicState | None:
        """Return what is public of the newest incident; None before there is one."""
        newest = max(self.incidents(), key=lambda one: one.id, default=None)
        return self._one(PublicState, incidents.public_state_path(newest)) if newest else None

    @property
    def page_address(self) -> str:
        """Where everybody reads the status page; "" where there is none."""
        pages, name = self._wiring.notices.pages, f"{system_folder(self.system_name)}/{PAGE}"
        return pages.address(name) if pages is not None else ""

    def page(self) -> str:
        """The status page, as a browser reads it; "" before there is one."""
        if not self.page_address:
            return ""
        answer = httpx.get(self.page_address, timeout=CALL_TIMEOUT_SECONDS, trust_env=False)
        return answer.text if answer.is_success else ""

    def page_record(self, incident: str) -> StatusPageRecord | None:
        """Return what is recorded of an incident on the status page."""
        return self._one(StatusPageRecord, incidents.page_record_path(self.system_name, incident))

    def published_at(self, incident: str) -> datetime | None:
        """Return when the first status page that shows the incident was written; None: none was."""
        record = self.page_record(incident)
        return record.written_at if record is not None else None

    def written_at(self) -> datetime | None:
        """When the status page that stands there now was written; None before there is one."""
        said = re.search(r'Written at <time datetime="([^"]+)"', self.page())
        return datetime.fromisoformat(said[1]) if said else None

    def deployment(self, name: str) -> Deployment | None:
        """A recorded deployment."""
        return self._one(Deployment, deployments.deployment_path(self.system_name, name))

    def buildable(self, name: str) -> set[str]:
        """The functions of a recorded deployment that can be built again from what is kept."""
        document = self._store.get(deployments.record_path(self.system_name, name))
        whole = stocks.unpack_inventory(document.fields["live"]) if document.fields is not None else None
        kept = (whole.functions if whole is not None else None) or {}
        return {name for name, one in kept.items() if derive_recipe(one) is not None}

    def events_without_system(self) -> list[Event]:
        """What happened to messages that concern no protected system."""
        return self._all(Event, system_chain.system_events_path(system_chain.UNCLAIMED_SYSTEM))

    def verify_chains(self) -> list[ChainFinding]:
        """Every chain against itself and against its anchors, as `rollback audit verify` does."""
        trail, now = (AuditReader(self._store, self._wiring.buckets.anchors), self._wiring.clock.now())
        systems = (self.system_name, ALL_SYSTEMS, system_chain.UNCLAIMED_SYSTEM)
        found = [trail.verify_rollback(name, now) for name in trail.rollbacks()]
        found += [trail.verify_system(system, now) for system in systems]
        return [one for one in found if one is not None]

    def inventory(self) -> Inventory:
        """What is live, by Cloud Run and Cloud Functions."""
        return self._wiring.system(self.system_name).platform.inventory()

    def read_resources(self, policy: Policy) -> WholeInventory:
        """What lies beside the functions that the plays may change, by its own products."""
        estate, resources = self._wiring.system(self.system_name).resources, policy.resources
        sites = {name: estate.hosting.site(name) for name in resources.hosting_sites}
        releases = estate.rules.releases() if resources.releases else {}
        return WholeInventory(
            sites={name: one for name, one in sites.items() if one is not None},
            remote_config=({"firebase": estate.remote_config.template()} if resources.remote_config else {}),
            rules={name: one for name, one in releases.items() if name in resources.releases},
            identity=estate.identity.settings() if resources.identity else {},
        )

    def requests(self, start: datetime, end: datetime) -> dict[str, RouterRequests]:
        """What the routers counted, per service."""
        return self._wiring.system(self.system_name).metrics.requests(start, end)

    def operations(self) -> dict[str, str]:
        """Every operation that Cloud Run lists, with the full name of the service it changes."""
        found: dict[str, str] = {}
        for operation in self._listed(self._wiring.clients.services):
            changed = run_v2.Service.pb()()
            operation.metadata.Unpack(changed)
            found[operation.name] = changed.name
        return found

    def builds(self) -> Counter[str]:
        """How many deployments of each function Cloud Functions lists, by its short name."""
        found: Counter[str] = Counter()
        for operation in self._listed(self._wiring.clients.functions):
            told = functions_v2.OperationMetadata.pb()()
            operation.metadata.Unpack(told)
            found[told.target.rpartition("/")[2]] += 1
        return found

    def _listed(self, client: Any) -> Iterator[Any]:
        """Every operation that a client of Google's lists."""
        request = ListOperationsRequest(name=self._location)
        while True:
            answer = client.list_operations(request, timeout=CALL_TIMEOUT_SECONDS)
            yield from answer.operations
            if not answer.next_page_token:
                return
            request.page_token = answer.next_page_token

    def dead_letters(self) -> list[DeadLetterEvidence]:
        """Every dead letter that is kept; they stay where they are."""
        ids: list[str] = []
        found: dict[str, DeadLetterEvidence] = {}
        while received := self._subscriber.pull(
            subscription=self._letters, max_messages=MAX_PULLED_MESSAGES, timeout=CALL_TIMEOUT_SECONDS
        ).received_messages:
            for one in received:
                said = one.message.attributes
                ids.append(one.ack_id)
                source = said.get("source_topic", "")
                found[one.message.message_id] = DeadLetterEvidence(source, said.get("reason", ""))
        if ids:
            self._subscriber.modify_ack_deadline(
                subscription=self._letters, ack_ids=ids, ack_deadline_seconds=0
            )
        return list(found.values())

    def _all(self, kind: type[T], collection: str) -> list[T]:
        return [decode(kind, one.fields) for one in self._store.query(Query(collection))]

    def _one(self, kind: type[T], path: str) -> T | None:
        document = self._store.get(path)
        return decode(kind, document.fields) if document.fields is not None else None


def _is_observed_only(rollback: Rollback) -> bool:
    """Whether nothing was done because nothing is ever done about such a signal."""
    stops = (one["leads_to"] for one in rollback.gates if one["answer"] == GateResult.STOP)
    return rollback.status is RollbackStatus.NOT_TAKEN and Outcome.OBSERVE in stops
