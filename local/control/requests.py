"""Requests to the control plane: what one says, or everything that is wrong about it."""

from typing import TypeVar

import msgspec

from shared.core.codec import from_json

T = TypeVar("T")


class BadRequest(Exception):
    """A control request that cannot be carried out, with everything that is wrong about it."""

    def __init__(self, *faults: str) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


def decode_request(body: bytes, kind: type[T]) -> T:
    """The request in a JSON body; an empty body is `{}`. Raises: BadRequest."""
    try:
        return from_json(body or b"{}", kind)
    except msgspec.DecodeError as error:  # ValidationError is one
        raise BadRequest(str(error)) from error
