"""What an embedded cloud says of itself, over its control address."""

import json
from http.client import HTTPConnection, HTTPException
from urllib.parse import urlsplit

from shared.core.codec import JsonObject
from shared.core.errors import Unavailable

CALL_TIMEOUT_SECONDS = 5.0
LATENCY_HEADER = "x-embedded-latency-seconds"
"""The header in which the applications that it plays say how long their answer has taken."""


def read_clock(url: str, wait: float = 0.0, message: str = "") -> JsonObject:
    """Its clock: `now` in ISO 8601, `scale` and `pace` in cloud seconds per wall second.

    It answers after at most `wait` cloud seconds; until then the responder of `message` counts as
    waiting.
    """
    return _get_json(url, f"/_cloud/clock?wait={wait}&message={message}")


def service_addresses(url: str) -> dict[str, str]:
    """`host:port` of each service that it plays, by name."""
    return _get_json(url, "/_cloud/addresses")


def _get_json(url: str, path: str) -> JsonObject:
    """What it answers to a GET. Raises: Unavailable."""
    connection = HTTPConnection(urlsplit(url).netloc, timeout=CALL_TIMEOUT_SECONDS)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        answer = response.read()
        if response.status != 200:
            raise Unavailable(f"the embedded cloud answered {response.status} to {path}")
        found: JsonObject = json.loads(answer)
    except (OSError, HTTPException, ValueError) as error:
        raise Unavailable(f"the embedded cloud at {url}: {error}") from error
    finally:
        connection.close()
    return found
