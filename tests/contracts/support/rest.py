"""One product's REST API, and our client of it."""

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager

from local.core.rest import RestMethod, RestServer
from local.faults.hooks import FaultHooks
from shared.adapters.gcp.clients import Clients
from shared.adapters.gcp.rest import Rest

NOBODY = "127.0.0.1:1"
"""An address at which nothing listens."""


@contextmanager
def served(host: str, calls: Sequence[RestMethod], faults: FaultHooks | None = None) -> Iterator[Rest]:
    """The client of a product that serves these calls."""
    with (
        closing(RestServer({host: calls}, faults or FaultHooks())) as server,
        connected(host, server.address) as rest,
    ):
        yield rest


@contextmanager
def connected(host: str, address: str = NOBODY) -> Iterator[Rest]:
    """The client of a product that may be served at an address."""
    with closing(Clients({"rest": address}, deployed=False)) as clients:
        yield clients.rest(host)
