"""The statuses that Firestore answers with, by name."""

from __future__ import annotations

import grpc

from local.core.grpc_services import Refused


def invalid(message: str) -> Refused:
    """INVALID_ARGUMENT: no state of the database makes this request right."""
    return Refused(grpc.StatusCode.INVALID_ARGUMENT, message)


def unmet(message: str) -> Refused:
    """FAILED_PRECONDITION: the state of the database forbids it."""
    return Refused(grpc.StatusCode.FAILED_PRECONDITION, message)


def missing(message: str) -> Refused:
    """NOT_FOUND: the document that it needs is not there."""
    return Refused(grpc.StatusCode.NOT_FOUND, message)


def exists(message: str) -> Refused:
    """ALREADY_EXISTS: the document that it creates is there."""
    return Refused(grpc.StatusCode.ALREADY_EXISTS, message)


def aborted(message: str) -> Refused:
    """ABORTED: lost against another transaction; begin again."""
    return Refused(grpc.StatusCode.ABORTED, message)


def cancelled(message: str) -> Refused:
    """CANCELLED: nobody is there to hear the answer."""
    return Refused(grpc.StatusCode.CANCELLED, message)


def unimplemented(message: str) -> Refused:
    """UNIMPLEMENTED: the real service can, this one does not."""
    return Refused(grpc.StatusCode.UNIMPLEMENTED, message)
