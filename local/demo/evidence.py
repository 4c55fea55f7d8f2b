"""What really happened: read from the database, from Cloud Run and from Pub/Sub."""

from __future__ import annotations

from datetime import datetime
from typing import TypeVar

import grpc
from google.cloud import run_v2
from google.longrunning.operations_pb2 import ListOperationsRequest
from google.pubsub_v1 import SubscriberClient
from google.pubsub_v1.services.subscriber.transports.grpc import SubscriberGrpcTransport
from msgspec import Struct

from shared import deployment as deployments
from shared import incident as incidents
from shared import outside, topics
from shared import system as systems
from shared.alert_record import Alert
from shared.audit import Entry, Event
from shared.command import CommandRecord
from shared.deployment import Deployment, Inventory
from shared.documents import decode
from shared.health import Requests
from shared.incident import Incident, PublicState
from shared.notice import Notice
from shared.plan import Step
from shared.policy import Policy
from shared.ports import Query
from shared.rollback import Rollback
from shared.system import System
from shared.trail import Trail
from shared.verification import Finding
from shared.wiring import Wiring

CALL_SECONDS = 10.0
LARGEST_PULL = 1000

T = TypeVar("T", bound=Struct)


class Letter(Struct, frozen=True):
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
        self._location = f"projects/{policy.project}/locations/{policy.region}"
        self._letters = f"projects/{home}/subscriptions/{topics.LETTERS_KEPT}"
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

    def steps(self, rollback: str) -> list[Step]:
        """The steps of a rollback, in the plan's order."""
        found = self._all(Step, f"rollbacks/{rollback}/steps")
        return sorted(found, key=lambda step: step.number)

    def trail(self, rollback: str) -> list[Entry]:
        """The audit entries of a rollback, in order."""
        return self._all(Entry, f"rollbacks/{rollback}/audit")

    def alerts(self) -> list[Alert]:
        """Every alert that was taken in, the first received first."""
        return sorted(self._all(Alert, "alerts"), key=lambda alert: (alert.received_at, alert.key))

    def notices(self) -> list[Notice]:
        """Every notice, the oldest first."""
        return sorted(self._all(Notice, "notices"), key=lambda notice: notice.created_at)

    def commands(self) -> list[CommandRecord]:
        """Every command that was carried out."""
        return self._all(CommandRecord, "commands")

    def system(self) -> System | None:
        """The protected system as it stands; None before anything was said of it."""
        return self._one(System, systems.path(self.system_name))

    def public(self) -> PublicState | None:
        """What the status page is written from."""
        return self._one(PublicState, incidents.public_path(self.system_name))

    def published_at(self, incident: str) -> datetime | None:
        """When the public state became what it is; None unless it names the incident."""
        document = self._store.get(incidents.public_path(self.system_name))
        names_it = document.fields is not None and document.fields["incident"] == incident
        return document.version if names_it else None

    def deployment(self, name: str) -> Deployment | None:
        """A recorded deployment."""
        return self._one(Deployment, deployments.path(self.system_name, name))

    def unclaimed(self) -> list[Event]:
        """What happened to messages that concern no protected system."""
        return self._all(Event, outside.events_of(outside.UNCLAIMED))

    def verified(self) -> list[Finding]:
        """Every chain against itself and against its anchors, as `rollback audit verify` does."""
        trail, now = Trail(self._store, self._wiring.anchors), self._wiring.clock.now()
        systems = (self.system_name, outside.EVERYWHERE, outside.UNCLAIMED)
        found = [trail.verify_rollback(name, now) for name in trail.rollbacks()]
        found += [trail.verify_system(system, now) for system in systems]
        return [one for one in found if one is not None]

    def inventory(self) -> Inventory:
        """What is live, by Cloud Run and Cloud Functions."""
        return self._wiring.platform(self.system_name).inventory()

    def requests(self, start: datetime, end: datetime) -> dict[str, Requests]:
        """What the routers counted, per service."""
        return self._wiring.metrics(self.system_name).requests(start, end)

    def operations(self) -> dict[str, str]:
        """Every operation that Cloud Run lists, with the full name of the service it changes."""
        services = self._wiring.clients.services
        request = ListOperationsRequest(name=self._location)
        found: dict[str, str] = {}
        while True:
            answer = services.list_operations(request, timeout=CALL_SECONDS)
            for operation in answer.operations:
                changed = run_v2.Service.pb()()
                operation.metadata.Unpack(changed)
                found[operation.name] = changed.name
            if not answer.next_page_token:
                return found
            request.page_token = answer.next_page_token

    def letters(self) -> list[Letter]:
        """Every dead letter that is kept; they stay where they are."""
        ids: list[str] = []
        found: dict[str, Letter] = {}
        while received := self._subscriber.pull(
            subscription=self._letters, max_messages=LARGEST_PULL, timeout=CALL_SECONDS
        ).received_messages:
            for one in received:
                said = one.message.attributes
                ids.append(one.ack_id)
                source = said.get("source_topic", "")
                found[one.message.message_id] = Letter(source, said.get("reason", ""))
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
