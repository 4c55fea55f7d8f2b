"""The statuses that Pub/Sub answers with, by name."""

import grpc

from local.core.grpc_services import StatusError


class ServiceEnded(StatusError):
    """UNAVAILABLE: the service has ended; ask its successor."""

    def __init__(self) -> None:
        super().__init__(grpc.StatusCode.UNAVAILABLE, "The service has ended.")


def invalid_argument(message: str) -> StatusError:
    """INVALID_ARGUMENT: no state of the service makes this request right."""
    return StatusError(grpc.StatusCode.INVALID_ARGUMENT, message)


def failed_precondition(message: str) -> StatusError:
    """FAILED_PRECONDITION: the state of the resource forbids it."""
    return StatusError(grpc.StatusCode.FAILED_PRECONDITION, message)


def not_found(name: str) -> StatusError:
    """NOT_FOUND: the resource of that name is not there."""
    return StatusError(grpc.StatusCode.NOT_FOUND, f"Resource not found (resource={name}).")


def already_exists(name: str) -> StatusError:
    """ALREADY_EXISTS: the resource of that name is there."""
    return StatusError(
        grpc.StatusCode.ALREADY_EXISTS, f"Resource already exists in the project (resource={name})."
    )


def unimplemented(message: str) -> StatusError:
    """UNIMPLEMENTED: the real service can, this one does not."""
    return StatusError(grpc.StatusCode.UNIMPLEMENTED, message)


def aborted(message: str) -> StatusError:
    """ABORTED: somebody else changed it in between; read again."""
    return StatusError(grpc.StatusCode.ABORTED, message)
