"""Deployments of functions: Cloud Functions v2, which serves both generations."""

from collections.abc import Callable
from typing import Any

from google.cloud import functions_v2
from google.longrunning.operations_pb2 import GetOperationRequest
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.json_format import ParseDict

from shared.adapters.gcp.errors import BUILD_ERRORS, call_once
from shared.adapters.gcp.listing import list_operations, operation_state
from shared.adapters.gcp.run.function_state import function_states
from shared.core.errors import Gone, Rejected, Unavailable
from shared.core.runtime import Clock
from shared.domain.deployments.build_recipe import BuiltFunction, Recipe, RunningDeployment
from shared.domain.deployments.inventory.inventory_parts import Generation, SourceObject
from shared.domain.deployments.source_copies import VariableValues, decode_values
from shared.ports.platform import OperationState
from shared.ports.storage import Vault

PERMISSIONS = (
    "cloudfunctions.functions.create",
    "cloudfunctions.functions.get",
    "cloudfunctions.functions.update",
    "cloudfunctions.operations.get",
    "cloudfunctions.operations.list",
    "iam.serviceAccounts.actAs",
)
"""And `storage.objects.get` where sources and values are kept. Nothing is uploaded: that would take
`sourceCodeSet` (cloud.google.com/functions/docs/reference/iam/permissions, read 2026-11)."""

VALUES_TIMEOUT_SECONDS = 5.0
"""Until the values of the variables are there; then nothing was sent, and nothing will be."""
DEPLOY_TIMEOUT_SECONDS = 10.0
"""The client's own default is none. With the above it is what the step kind waits for."""

_PATHS = (
    "build_config.entry_point",
    "build_config.environment_variables",
    "build_config.runtime",
    "build_config.source",
    "service_config.available_memory",
    "service_config.environment_variables",
    "service_config.ingress_settings",
    "service_config.max_instance_count",
    "service_config.min_instance_count",
    "service_config.secret_environment_variables",
    "service_config.secret_volumes",
    "service_config.service_account_email",
    "service_config.timeout_seconds",
    "service_config.vpc_connector",
    "service_config.vpc_connector_egress_settings",
)
"""What a deployment decides. Not the trigger: changing it loses the messages in flight. Not
`all_traffic_on_latest_revision`: it would replace the traffic list, tags and all."""
_SECOND_GENERATION_PATHS = ("service_config.available_cpu", "service_config.max_instance_request_concurrency")
"""What a function of the 1st generation does not have."""

_FunctionMessage: Any = functions_v2.Function.pb()
_State = functions_v2.Function.State


class CloudBuilder:
    """A Builder over one project and region. The client's own retries are off.

    `values` is where the values of plain variables are kept, asked for when they are needed.
    """

    def __init__(
        self, functions: Any, values: Callable[[], Vault | None], clock: Clock, project: str, region: str
    ) -> None:
        self._functions = functions
        self._vault = values
        self._clock = clock
        self._parent = f"projects/{project}/locations/{region}"

    def find_function(self, function: str) -> BuiltFunction | None:
        try:
            answer = call_once(self._functions.get_function, name=self._name(function))
        except Gone:
            return None
        message = functions_v2.Function.pb(answer)
        return BuiltFunction(
            state=function_states([message], {}, [])[function],
            service=message.service_config.service,
            revision=message.service_config.revision.rpartition("/")[2],
            active=message.state == _State.ACTIVE,
            deploying=message.state == _State.DEPLOYING,
        )

    def find_running_deployment(self, function: str) -> RunningDeployment | None:
        for operation in list_operations(self._functions, self._parent):
            told = functions_v2.OperationMetadata.pb()()
            if operation.done or not operation.metadata.Unpack(told):
                continue
            if told.target == self._name(function):
                return RunningDeployment(operation.name, _requested_source(told))
        return None

    def build(self, function: str, recipe: Recipe, *, create: bool) -> str:
        began = self._clock.monotonic()
        wanted = self._message(function, recipe)
        if self._clock.monotonic() - began > VALUES_TIMEOUT_SECONDS:
            raise Unavailable(f"{function}: the values of its variables came too late")
        request: dict[str, Any]
        if create:
            send = self._functions.create_function
            request = {"parent": self._parent, "function": wanted, "function_id": function}
        else:
            send = self._functions.update_function
            more = _SECOND_GENERATION_PATHS if recipe.generation is Generation.SECOND else ()
            request = {"function": wanted, "update_mask": FieldMask(paths=sorted((*_PATHS, *more)))}
        answer = call_once(send, **request, errors=BUILD_ERRORS, timeout=DEPLOY_TIMEOUT_SECONDS)
        return str(answer.operation.name)

    def operation(self, name: str) -> OperationState:
        try:
            return operation_state(call_once(self._functions.get_operation, GetOperationRequest(name=name)))
        except Gone:
            return OperationState(done=True)

    def _message(self, function: str, recipe: Recipe) -> Any:
        """The function as it was recorded, with its values, from our copy of its source."""
        message = ParseDict(recipe.definition, _FunctionMessage(), ignore_unknown_fields=True)
        message.name = self._name(function)
        kept = recipe.source
        place = message.build_config.source.storage_source
        place.bucket, place.object_, place.generation = kept.bucket, kept.object, kept.generation
        values = self._read_values(function, recipe)
        message.service_config.environment_variables.update(values.variables)
        message.build_config.environment_variables.update(values.build_variables)
        return message

    def _read_values(self, function: str, recipe: Recipe) -> VariableValues:
        """What its plain variables hold; nowhere kept, and never in an error. Raises: Rejected."""
        place, vault = recipe.configuration.values, self._vault()
        if place is None:
            return VariableValues()
        if vault is None:
            raise Rejected(f"{function}: no bucket of the values of variables is known")
        try:
            return decode_values(vault.read(place), recipe)
        except ValueError as other:
            raise Rejected(f"{function}: {other}") from None

    def _name(self, function: str) -> str:
        return f"{self._parent}/functions/{function}"


def _requested_source(told: Any) -> SourceObject | None:
    function = _FunctionMessage()
    if not told.request_resource.Unpack(function):
        return None
    place = function.build_config.source.storage_source
    return SourceObject(place.bucket, place.object_, place.generation) if place.bucket else None
