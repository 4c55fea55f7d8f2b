"""One HTTP exchange that ends in time, whatever the other side does."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import cache
from ssl import SSLContext

import httpx


def exchange(
    method: str,
    url: str,
    *,
    seconds: float,
    headers: Mapping[str, str] | None = None,
    content: bytes = b"",
    server_name: str | None = None,
    reads: int = 0,
) -> int:
    """The status of the answer; a redirect is not followed.

    Of its body that many bytes are read at most, as they come on the wire: what is packed stays
    packed, and nothing is kept. Its headers may have 100 KiB (httpcore's limit).

    `seconds` are wall time, and bound the whole exchange: a side that sends a byte now and then
    gains nothing. `server_name` is what the certificate must be for, where `url` holds an address.
    Raises: TimeoutError, httpx.TransportError (refused, cut off, not HTTP, a bad certificate).
    """

    async def answered() -> int:
        client = httpx.AsyncClient(verify=_trust(), timeout=None, trust_env=False)  # noqa: S113
        extensions = {"sni_hostname": server_name} if server_name else None
        async with (
            asyncio.timeout(seconds),
            client,
            client.stream(
                method, url, headers=headers, content=content, extensions=extensions
            ) as response,
        ):
            await _read(response, reads)
            return response.status_code

    return asyncio.run(answered())


async def _read(response: httpx.Response, limit: int) -> None:
    """Return when the body has ended, or that many bytes of it have come."""
    if not limit:
        return
    async for _ in response.aiter_raw():
        if response.num_bytes_downloaded >= limit:
            return


@cache
def _trust() -> SSLContext:
    """The public certificate authorities; reading them takes as long as a quick exchange."""
    return httpx.create_ssl_context(trust_env=False)
