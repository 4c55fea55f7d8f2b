"""Pages of a list of objects: by name, with what a delimiter folds together."""

import base64
import binascii
from collections.abc import Mapping

from local.services.storage.conditions import number
from local.services.storage.errors import invalid_request
from local.services.storage.values import StoredObject

MAX_PAGE_SIZE = 1000


def list_page(
    found: list[StoredObject], query: Mapping[str, str]
) -> tuple[list[StoredObject], list[str], str]:
    """The objects and the prefixes of one page, and the token of the next ("" at the end)."""
    size = min(number(query, "maxResults") or MAX_PAGE_SIZE, MAX_PAGE_SIZE)
    after = decode_token(query["pageToken"]) if query.get("pageToken") else ("", 0)
    items: list[StoredObject] = []
    prefixes: list[str] = []
    last = after
    for stored in _filter_objects(found, query):
        prefix = _prefix(stored.name, query)
        place = (prefix, 2**63) if prefix else (stored.name, stored.generation)
        if place <= after or prefix in prefixes:
            continue
        if len(items) + len(prefixes) == size:
            return items, prefixes, encode_token(last)
        if prefix:
            prefixes.append(prefix)
        else:
            items.append(stored)
        last = place
    return items, prefixes, ""


def _filter_objects(found: list[StoredObject], query: Mapping[str, str]) -> list[StoredObject]:
    start, end = query.get("startOffset", ""), query.get("endOffset", "")
    return [
        stored
        for stored in found
        if stored.name.startswith(query.get("prefix", ""))
        and stored.name >= start
        and (not end or stored.name < end)
    ]


def _prefix(name: str, query: Mapping[str, str]) -> str:
    """What a delimiter makes of a name: the part up to it; "" for a name that is listed itself."""
    delimiter, prefix = query.get("delimiter", ""), query.get("prefix", "")
    if not delimiter:
        return ""
    head, found, _ = name.removeprefix(prefix).partition(delimiter)
    return f"{prefix}{head}{delimiter}" if found else ""


def encode_token(place: tuple[str, int]) -> str:
    """A place in a list, or in an object that is copied."""
    return base64.urlsafe_b64encode(f"{place[1]}/{place[0]}".encode()).decode()


def decode_token(token: str) -> tuple[str, int]:
    """The place in a token. Raises: Refusal 400."""
    try:
        generation, _, name = base64.urlsafe_b64decode(token.encode()).decode().partition("/")
        return name, int(generation)
    except (binascii.Error, ValueError) as error:
        raise invalid_request(f"Invalid page token: {token[:100]}") from error
