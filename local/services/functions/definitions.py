"""Which fields of a deployment change a function, are stored with it, or are refused."""

from collections.abc import Collection, Iterable
from typing import Any

import grpc
from google.cloud import functions_v2
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.json_format import MessageToDict, ParseDict

from local.application import Application, names
from local.application.applications import invalid_argument
from local.application.service import ApplicationService, DocumentEventFilter
from local.core.grpc_services import StatusError
from local.services.functions.messages import FunctionMessage, build_event_trigger, environment_of

CONFIGURATIONS = ("build_config", "service_config")
_APPLIED = frozenset(
    (
        *("build_config.source", "environment", "event_trigger"),
        *("service_config.all_traffic_on_latest_revision", "service_config.environment_variables"),
        *("service_config.max_instance_count", "service_config.max_instance_request_concurrency"),
        *("service_config.min_instance_count", "service_config.secret_environment_variables"),
    )
)
"""What a build applies, or refuses to change."""
_ANSWERS = frozenset(
    (
        *("build_config.build", "build_config.source_provenance", "create_time", "name", "satisfies_pzs"),
        *("service_config.revision", "service_config.service", "service_config.uri", "state"),
        *("state_messages", "update_time", "url"),
    )
)
"""What the service sets itself: clients send it back as they read it."""
_Trigger: Any = functions_v2.EventTrigger.pb()
_DOCUMENT_EVENT = "google.cloud.firestore.document."


def list_changed_fields(paths: Collection[str], function: Any) -> list[str]:
    """Return the fields to change, a whole configuration as those that it sets.

    Raises: StatusError INVALID_ARGUMENT for one that a function does not have.
    """
    for path in paths:
        if not FieldMask(paths=[path]).IsValidForDescriptor(FunctionMessage.DESCRIPTOR):
            raise invalid_argument(f"update_mask: a function has no field '{path}'")
    stated = list_stated_fields(function)
    changed = [
        below
        for path in paths
        for below in [one for one in stated if one.startswith(f"{path}.")] or [path]
        if below not in CONFIGURATIONS
    ]
    return changed if paths else stated


def list_stated_fields(function: Any) -> list[str]:
    """Return every field that a message sets, of its configurations one by one."""
    return [
        path
        for field, value in function.ListFields()
        for path in (
            [f"{field.name}.{below.name}" for below, _ in value.ListFields()]
            if field.name in CONFIGURATIONS
            else [field.name]
        )
    ]


def change_definition(current: dict[str, Any], function: Any, paths: Iterable[str]) -> dict[str, Any]:
    """Return the definition of a function once the stored ones of these fields have changed."""
    wanted, asked = ParseDict(current, FunctionMessage()), FunctionMessage()
    asked.CopyFrom(function)
    for holder in CONFIGURATIONS:  # what a missing configuration does not set is cleared, too
        getattr(asked, holder).SetInParent()
    stored = FieldMask(paths=[path for path in paths if _is_stored(path)])
    stored.MergeMessage(asked, wanted, replace_message_field=True, replace_repeated_field=True)
    definition: dict[str, Any] = MessageToDict(wanted)
    return definition


def read_document_trigger(function: Any) -> DocumentEventFilter | None:
    """Return which documents start a function that is created; None: none do."""
    trigger = function.event_trigger
    if not trigger.event_type.startswith(_DOCUMENT_EVENT):
        return None
    stated = {one.attribute: one.value for one in trigger.event_filters}
    return DocumentEventFilter(
        stated.get("document", ""), trigger.event_type, stated.get("database", "(default)")
    )


def refuse_idle_fields(
    application: Application, service: ApplicationService, function: Any, paths: Iterable[str]
) -> None:
    """Raises: StatusError UNIMPLEMENTED for another value of a field that has no effect here."""
    project = application.project
    config, source = function.service_config, function.build_config.source.storage_source
    heads, idle = {path.partition(".")[0] for path in paths}, []
    if "event_trigger" in heads:
        shown, asked = _Trigger(**(build_event_trigger(application, service) or {})), function.event_trigger
        if not asked.event_type and shown.event_type:
            idle.append("event_trigger")
        for field, value in asked.ListFields():
            if field.name != "trigger" and value != getattr(shown, field.name):
                idle.append(f"event_trigger.{field.name}")
    if "environment" in heads and function.environment not in (0, environment_of(service)):
        idle.append("environment")
    if source.source_upload_url:
        idle.append("build_config.source.storage_source.source_upload_url")
    known = {"", project, str(names.project_number(project))}
    if any(one.project_id not in known for one in config.secret_environment_variables):
        idle.append("service_config.secret_environment_variables.project_id")
    if idle:
        raise StatusError(
            grpc.StatusCode.UNIMPLEMENTED, f"another value of '{', '.join(idle)}' has no effect here"
        )


def _is_stored(path: str) -> bool:
    parts = path.split(".")
    return not {parts[0], ".".join(parts[:2])} & (_APPLIED | _ANSWERS)
