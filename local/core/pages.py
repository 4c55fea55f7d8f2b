"""Long lists in pages, as Google's list calls hand them out."""

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import TypeVar

import grpc

from local.core.grpc_services import StatusError

Item = TypeVar("Item")


def page(
    items: Sequence[Item], key: Callable[[Item], str], size: int, token: str, most: int
) -> tuple[Sequence[Item], str]:
    """The items after the one that the token names, and the token of the next page ("" at the end).

    `key` tells items apart; a size of 0, or above `most`, means `most`.
    Raises: Refused INVALID_ARGUMENT for a negative size or a token that is not of this list.
    """
    if size < 0:
        raise StatusError(grpc.StatusCode.INVALID_ARGUMENT, "page_size must not be negative")
    start = _after(items, key, token) if token else 0
    end = start + (min(size, most) or most)
    if end >= len(items):
        return items[start:], ""
    return items[start:end], base64.urlsafe_b64encode(key(items[end - 1]).encode()).decode()


def _after(items: Sequence[Item], key: Callable[[Item], str], token: str) -> int:
    refused = StatusError(grpc.StatusCode.INVALID_ARGUMENT, f"page_token '{token}' is not valid")
    try:
        last = base64.urlsafe_b64decode(token.encode()).decode()
    except (binascii.Error, UnicodeDecodeError) as error:
        raise refused from error
    position = next((at for at, item in enumerate(items) if key(item) == last), None)
    if position is None:
        raise refused
    return position + 1
