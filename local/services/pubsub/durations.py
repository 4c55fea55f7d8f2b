"""Durations within their limits."""

from datetime import timedelta

from google.protobuf.duration_pb2 import Duration

from local.services.pubsub.statuses import invalid_argument


def check_within(value: Duration, least: timedelta, most: timedelta, field: str) -> None:
    """Nothing, once the duration lies within its limits, both included.

    Raises: Refused INVALID_ARGUMENT.
    """
    if not least <= value.ToTimedelta() <= most:
        raise invalid_argument(
            f"Invalid {field}: must be between {least.total_seconds():.0f} and"
            f" {most.total_seconds():.0f} seconds."
        )
