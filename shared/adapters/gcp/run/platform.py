"""Functions and the Cloud Run services behind them."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC
from typing import Any

from google.cloud import functions_v2, run_v2
from google.iam.v1.iam_policy_pb2 import GetIamPolicyRequest
from google.longrunning.operations_pb2 import GetOperationRequest
from google.protobuf.field_mask_pb2 import FieldMask

from shared.adapters.gcp.errors import SHIFT_ERRORS, call_once
from shared.adapters.gcp.listing import list_items, operation_state
from shared.adapters.gcp.run.function_state import function_states, variable_values
from shared.core.errors import Rejected
from shared.core.text import last_segment
from shared.domain.deployments.deployment import Inventory, LiveFunction
from shared.domain.deployments.inventory.inventory_parts import FunctionState
from shared.domain.deployments.inventory.traffic import (
    LATEST_REVISION,
    Capacity,
    Revision,
    Scaling,
    Service,
    Traffic,
    TrafficTarget,
)
from shared.domain.deployments.source_copies import VariableValues
from shared.ports.platform import OperationState

INVENTORY_PERMISSIONS = ("cloudfunctions.functions.list", "run.revisions.list", "run.services.list")
VALUES_PERMISSIONS = ("cloudfunctions.functions.get",)
"""What `values` needs."""
INVOKERS_PERMISSIONS = ("run.services.getIamPolicy",)
"""What `invokers` needs."""
PERMISSIONS = (
    *INVENTORY_PERMISSIONS,
    "iam.serviceAccounts.actAs",
    "run.operations.get",
    "run.revisions.get",
    "run.services.get",
    "run.services.update",
)
"""To act as the accounts that the services run as is asked of whoever updates one, if only its
traffic (github.com/GoogleCloudPlatform/cloud-run-release-manager/issues/81, read 2026-11)."""

SHIFT_TIMEOUT_SECONDS = 15.0
"""The client's own default for UpdateService (google-cloud-run 0.16.2), which has no retry."""

_PAGE = 1000
"""ListFunctionsRequest.page_size, google-cloud-functions 1.25.0: the largest."""

_FOLLOWS_LATEST = run_v2.TrafficTargetAllocationType.TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST
_PINNED = run_v2.TrafficTargetAllocationType.TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION
_AUTOMATIC = run_v2.ServiceScaling.ScalingMode.AUTOMATIC
_MANUAL = run_v2.ServiceScaling.ScalingMode.MANUAL
_SUCCEEDED = run_v2.Condition.State.CONDITION_SUCCEEDED

_FunctionMessage = functions_v2.Function.pb
_ServiceMessage = run_v2.Service.pb
_RevisionMessage = run_v2.Revision.pb


@dataclass
class CloudServices:
    """Services of any project and region. The client's own retries are off."""

    _services: Any

    def service(self, name: str) -> Service:
        return _service(_ServiceMessage(call_once(self._services.get_service, name=name)))

    def shift(
        self,
        service: str,
        traffic: Traffic,
        etag: str,
        *,
        scaling: Scaling | None = None,
        dry_run: bool = False,
    ) -> str:
        """Send it without waiting. Raises: Rejected without an etag: the service would consent."""
        if not etag:
            raise Rejected(f"a shift of {service} needs the etag that was read")
        wanted = run_v2.Service(name=service, etag=etag, traffic=[_target_message(one) for one in traffic])
        mask = FieldMask(paths=["traffic"])
        if scaling is not None:
            wanted.scaling = _scaling_message(scaling)
            mask.paths.append("scaling")
        request = run_v2.UpdateServiceRequest(service=wanted, update_mask=mask, validate_only=dry_run)
        update = self._services.update_service
        answer = call_once(update, request, errors=SHIFT_ERRORS, timeout=SHIFT_TIMEOUT_SECONDS)
        return str(answer.operation.name)


class CloudPlatform(CloudServices):
    """A Platform over one project and region. The clients' own retries are off."""

    def __init__(self, functions: Any, services: Any, revisions: Any, project: str, region: str) -> None:
        super().__init__(services)
        self._functions = functions
        self._revisions = revisions
        self._parent = f"projects/{project}/locations/{region}"

    def inventory(self) -> Inventory:
        """Every 2nd generation function that has a service, the policy's or not.

        Read with three lists, one after the other: a change made meanwhile may be seen in part,
        which its etag tells whoever then acts on it.
        """
        functions, services, revisions = self._list_everything()
        return _build_inventory(functions, services, map(_revision, revisions))

    def functions(self) -> dict[str, FunctionState]:
        return function_states(*self._list_everything())

    def values(self, function: str) -> VariableValues:
        answer = call_once(self._functions.get_function, name=f"{self._parent}/functions/{function}")
        return variable_values(_FunctionMessage(answer))

    def invokers(self, service: str) -> tuple[str, ...]:
        """List roles on a service, with the title of a condition; inherited ones are left out."""
        request = GetIamPolicyRequest(resource=service)
        request.options.requested_policy_version = 3  # else conditions are not told
        return tuple(
            sorted(
                f"{member} {one.role}{one.condition.title and f' if {one.condition.title}'}"
                for one in call_once(self._services.get_iam_policy, request).bindings
                for member in one.members
            )
        )

    def revision(self, service: str, revision: str) -> Revision:
        answer = call_once(self._revisions.get_revision, name=f"{service}/revisions/{revision}")
        return _revision(_RevisionMessage(answer))

    def operation(self, name: str) -> OperationState:
        return operation_state(call_once(self._services.get_operation, GetOperationRequest(name=name)))

    def _list_everything(self) -> tuple[list[Any], dict[str, Service], list[Any]]:
        """Messages of the functions, services by their names, messages of the revisions."""
        parent = self._parent
        listed = {"parent": parent, "page_size": _PAGE}
        functions = list_items(self._functions.list_functions, "functions", listed)
        services = list_items(self._services.list_services, "services", {"parent": parent})
        of_all = {"parent": f"{parent}/services/-"}
        revisions = list_items(self._revisions.list_revisions, "revisions", of_all)
        return (
            [_FunctionMessage(message) for message in functions],
            {message.name: _service(message) for message in map(_ServiceMessage, services)},
            [_RevisionMessage(message) for message in revisions],
        )


def _build_inventory(
    functions: Iterable[Any], services: dict[str, Service], revisions: Iterable[Revision]
) -> Inventory:
    """Return functions that have a service, revisions newest first; others have no traffic."""
    owned = defaultdict(list)
    for revision in sorted(revisions, key=lambda one: one.created_at, reverse=True):
        owned[revision.service].append(revision)
    inventory = {}
    for function in functions:
        service = services.get(function.service_config.service)
        if service is not None:
            name = last_segment(function.name)
            inventory[name] = LiveFunction(name, service, tuple(owned[service.name]))
    return inventory


def _service(message: Any) -> Service:
    latest_ready = last_segment(message.latest_ready_revision)
    return Service(
        name=message.name,
        etag=message.etag,
        latest_created=last_segment(message.latest_created_revision),
        latest_ready=latest_ready,
        traffic=_requested_traffic(message.traffic),
        serving=tuple(
            TrafficTarget(entry.revision or latest_ready, entry.percent, entry.tag)
            for entry in message.traffic_statuses
        ),
        reconciling=message.reconciling or message.observed_generation != message.generation,
        ready=message.terminal_condition.state == _SUCCEEDED,
        uri=message.uri,
        scaling=_scaling(message.scaling),
    )


def _scaling(message: Any) -> Scaling:
    """Return a manual count, else the minimum (google-cloud-run 0.16.2, `ScalingMode`)."""
    least, most, manual = message.min_instance_count, message.max_instance_count, None
    if message.scaling_mode == _MANUAL:
        manual = message.manual_instance_count if message.HasField("manual_instance_count") else least
    return Scaling(least, most, manual)


def _scaling_message(scaling: Scaling) -> run_v2.ServiceScaling:
    return run_v2.ServiceScaling(
        min_instance_count=scaling.minimum,
        max_instance_count=scaling.maximum,
        scaling_mode=_AUTOMATIC if scaling.manual is None else _MANUAL,
        manual_instance_count=scaling.manual,
    )


def _requested_traffic(entries: Iterable[Any]) -> Traffic:
    """A traffic list; an empty one stands for the newest revision (Service.traffic)."""
    asked = tuple(
        TrafficTarget(
            LATEST_REVISION if entry.type_ == _FOLLOWS_LATEST else entry.revision, entry.percent, entry.tag
        )
        for entry in entries
    )
    return asked or (TrafficTarget(LATEST_REVISION, 100),)


def _target_message(entry: TrafficTarget) -> run_v2.TrafficTarget:
    return run_v2.TrafficTarget(
        type_=_FOLLOWS_LATEST if entry.revision == LATEST_REVISION else _PINNED,
        revision=entry.revision,
        percent=entry.percent,
        tag=entry.tag,
    )


def _revision(message: Any) -> Revision:
    service, _, name = message.name.partition("/revisions/")
    return Revision(
        name=name,
        service=service,
        created_at=message.create_time.ToDatetime(tzinfo=UTC),
        ready=any(one.type_ == "Ready" and one.state == _SUCCEEDED for one in message.conditions),
        image=message.containers[0].image if message.containers else "",
        capacity=Capacity(
            message.scaling.min_instance_count,
            message.scaling.max_instance_count,
            message.max_instance_request_concurrency,
        ),
    )
