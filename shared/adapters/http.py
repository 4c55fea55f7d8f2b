"""One HTTP exchange that ends in time, whatever the other side does."""

import asyncio
from collections.abc import Mapping
from functools import cache
from ssl import SSLContext

import httpx


def send_request(
    method: str,
    url: str,
    *,
    seconds: float,
    headers: Mapping[str, str] | None = None,
    content: bytes = b"",
    server_name: str | None = None,
    reads: int = 0,
) -> tuple[int, bytes, Mapping[str, str]]:
    """Status, what was read of the body, and headers of the answer; no redirect is followed.

    Of the body that many bytes are read at most, as they come on the wire: what is packed stays
    packed. Its headers may have 100 KiB (httpcore's limit).

    `seconds` are wall time, and bound the whole exchange: a side that sends a byte now and then
    gains nothing. `server_name` is what the certificate must be for, where `url` holds an address.
    Raises: TimeoutError, httpx.TransportError (refused, cut off, not HTTP, a bad certificate).
    """

    async def answered() -> tuple[int, bytes, Mapping[str, str]]:
        extensions = {"sni_hostname": server_name} if server_name else None
        client = httpx.AsyncClient(verify=_certificate_authorities(), timeout=None, trust_env=False)  # noqa: S113
        asked = client.stream(method, url, headers=headers, content=content, extensions=extensions)
        async with asyncio.timeout(seconds), client, asked as response:
            return response.status_code, await _read(response, reads), response.headers

    return asyncio.run(answered())


async def _read(response: httpx.Response, limit: int) -> bytes:
    """The body, or what came of it until that many bytes were there."""
    if not limit:
        return b""
    body = bytearray()
    async for chunk in response.aiter_raw():
        body += chunk
        if response.num_bytes_downloaded >= limit:
            break
    return bytes(body)


@cache
def _certificate_authorities() -> SSLContext:
    """The public certificate authorities; reading them takes as long as a quick exchange."""
    return httpx.create_ssl_context(trust_env=False)
