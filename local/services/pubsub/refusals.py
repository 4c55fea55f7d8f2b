"""The statuses that Pub/Sub answers with, by name."""

from __future__ import annotations

import grpc

from local.core.grpc_services import Refused


class Ended(Refused):
    """UNAVAILABLE: the service has ended; ask its successor."""

    def __init__(self) -> None:
        super().__init__(grpc.StatusCode.UNAVAILABLE, "The service has ended.")


def invalid(message: str) -> Refused:
    """INVALID_ARGUMENT: no state of the service makes this request right."""
    return Refused(grpc.StatusCode.INVALID_ARGUMENT, message)


def unmet(message: str) -> Refused:
    """FAILED_PRECONDITION: the state of the resource forbids it."""
    return Refused(grpc.StatusCode.FAILED_PRECONDITION, message)


def missing(name: str) -> Refused:
    """NOT_FOUND: the resource of that name is not there."""
    return Refused(grpc.StatusCode.NOT_FOUND, f"Resource not found (resource={name}).")


def exists(name: str) -> Refused:
    """ALREADY_EXISTS: the resource of that name is there."""
    return Refused(
        grpc.StatusCode.ALREADY_EXISTS, f"Resource already exists in the project (resource={name})."
    )


def unimplemented(message: str) -> Refused:
    """UNIMPLEMENTED: the real service can, this one does not."""
    return Refused(grpc.StatusCode.UNIMPLEMENTED, message)


def aborted(message: str) -> Refused:
    """ABORTED: somebody else changed it in between; read again."""
    return Refused(grpc.StatusCode.ABORTED, message)
