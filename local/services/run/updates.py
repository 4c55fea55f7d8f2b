"""What an update asks of a service, held against what has an effect here."""

from collections.abc import Collection
from typing import Any

import grpc
from google.protobuf.field_mask_pb2 import FieldMask

from local.application.applications import invalid_argument
from local.core.grpc_services import StatusError
from local.services.run.messages import ServiceMessage, TemplateMessage

_APPLIED = frozenset(("scaling", "template", "traffic"))
_ANSWERS = frozenset(
    (
        *("conditions", "create_time", "creator", "delete_time", "etag", "expire_time", "generation"),
        *("last_modifier", "latest_created_revision", "latest_ready_revision", "name"),
        *("observed_generation", "reconciling", "satisfies_pzs", "terminal_condition"),
        *("threat_detection_enabled", "traffic_statuses", "uid", "update_time", "uri", "urls"),
    )
)
"""What the service sets itself, and what a request checks: clients send it back as they read it."""


def read_update(asked: Any, current: Any, paths: Collection[str]) -> tuple[frozenset[str], Any]:
    """Return the fields that an update changes, and the service as it is to be.

    Without a mask the whole service is meant.
    Raises: StatusError INVALID_ARGUMENT for a field that a service does not have, UNIMPLEMENTED for
    another value of one that has no effect here.
    """
    mask, wanted = FieldMask(paths=paths), ServiceMessage()
    for path in mask.paths:
        if not FieldMask(paths=[path]).IsValidForDescriptor(ServiceMessage.DESCRIPTOR):
            raise invalid_argument(f"update_mask: a service has no field '{path}'")
    wanted.CopyFrom(current if paths else asked)
    mask.MergeMessage(asked, wanted, replace_message_field=True, replace_repeated_field=True)
    changed = frozenset(path.partition(".")[0] for path in paths) or _APPLIED
    _refuse_differences(wanted, current, _APPLIED | _ANSWERS)
    if "template" in changed:
        _refuse_idle_template(wanted.template, current.template)
    return changed & _APPLIED, wanted


def _refuse_idle_template(asked: Any, current: Any) -> None:
    """Of a template the image and the name of the revision have an effect."""
    if not asked.containers:
        raise invalid_argument("template.containers: a revision needs a container")
    _refuse_differences(asked.containers[0], current.containers[0], {"image"}, "template.containers.")
    same = TemplateMessage()
    same.CopyFrom(current)
    same.containers[0].image = asked.containers[0].image
    _refuse_differences(asked, same, {"revision"}, "template.")


def _refuse_differences(asked: Any, current: Any, applied: Collection[str], of: str = "") -> None:
    for field in asked.DESCRIPTOR.fields:
        if field.name not in applied and getattr(asked, field.name) != getattr(current, field.name):
            raise StatusError(
                grpc.StatusCode.UNIMPLEMENTED, f"another value of '{of}{field.name}' has no effect here"
            )
