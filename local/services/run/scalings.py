"""A service's scaling as it comes in, checked."""

from typing import Any

from local.application.applications import invalid_argument
from local.application.service import InstanceScaling
from local.services.run.messages import MANUAL


def read_scaling(asked: Any) -> InstanceScaling:
    """What a `ServiceScaling` stands for; manual scaling without a count keeps the minimum.

    Raises: Refused INVALID_ARGUMENT for counts that cannot be.
    """
    least, most, manual = asked.min_instance_count, asked.max_instance_count, None
    if asked.scaling_mode == MANUAL:
        counted = asked.HasField("manual_instance_count")
        manual = asked.manual_instance_count if counted else least
    if min(least, most, manual or 0) < 0:
        raise invalid_argument("counts of instances must not be negative")
    if 0 < most < least:
        raise invalid_argument("min_instance_count must not be above max_instance_count")
    return InstanceScaling(least, most, manual)
