"""The statuses that Firestore answers with, by name."""

import grpc

from local.core.grpc_services import StatusError


def invalid_argument(message: str) -> StatusError:
    """INVALID_ARGUMENT: no state of the database makes this request right."""
    return StatusError(grpc.StatusCode.INVALID_ARGUMENT, message)


def failed_precondition(message: str) -> StatusError:
    """FAILED_PRECONDITION: the state of the database forbids it."""
    return StatusError(grpc.StatusCode.FAILED_PRECONDITION, message)


def not_found(message: str) -> StatusError:
    """NOT_FOUND: the document that it needs is not there."""
    return StatusError(grpc.StatusCode.NOT_FOUND, message)


def already_exists(message: str) -> StatusError:
    """ALREADY_EXISTS: the document that it creates is there."""
    return StatusError(grpc.StatusCode.ALREADY_EXISTS, message)


def aborted(message: str) -> StatusError:
    """ABORTED: lost against another transaction; begin again."""
    return StatusError(grpc.StatusCode.ABORTED, message)


def cancelled(message: str) -> StatusError:
    """CANCELLED: nobody is there to hear the answer."""
    return StatusError(grpc.StatusCode.CANCELLED, message)


def unimplemented(message: str) -> StatusError:
    """UNIMPLEMENTED: the real service can, this one does not."""
    return StatusError(grpc.StatusCode.UNIMPLEMENTED, message)
