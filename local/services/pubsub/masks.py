"""Updates by field mask."""

from collections.abc import Collection

from google.protobuf.field_mask_pb2 import FieldMask

from local.services.pubsub.messages import Resource, copy_resource
from local.services.pubsub.statuses import invalid_argument


def merge_masked_fields(
    resource: Resource, change: Resource, mask: FieldMask, mutable: Collection[str]
) -> Resource:
    """A copy of the resource with the masked fields taken from `change`, cleared where unset there.

    Raises: Refused INVALID_ARGUMENT for an empty mask and for paths that are unknown or fixed.
    """
    if not mask.paths:
        raise invalid_argument("The update_mask in the request must name at least one field.")
    for path in mask.paths:
        if path.partition(".")[0] not in mutable:
            raise invalid_argument(f"Invalid update_mask provided in the request: '{path}' is not mutable.")
    if not mask.IsValidForDescriptor(resource.DESCRIPTOR):
        raise invalid_argument(f"Invalid update_mask provided in the request: {', '.join(mask.paths)}")
    copy = copy_resource(resource)
    mask.MergeMessage(change, copy, replace_message_field=True, replace_repeated_field=True)
    return copy
