"""Cloud Storage by itself, with Google's Python client and plain HTTP."""

from pathlib import Path

from google.auth.credentials import AnonymousCredentials
from google.cloud import storage

from local.core.clock import CloudClock
from local.core.journal import Journal
from local.faults.hooks import FaultHooks
from local.services.storage import Buckets, StorageServer, StorageService
from tests.local.support.run import ORIGIN


class StorageWorld:
    """A service at a clock that stands still, and the client that speaks with it."""

    def __init__(self, folder: Path | None = None) -> None:
        self.clock = CloudClock(ORIGIN, scale=0)
        self._journal = Journal(folder)
        self.buckets = Buckets(self.clock, self._journal)
        self._server = StorageServer(StorageService(self.buckets), FaultHooks())
        self.url = f"http://{self._server.address}"
        self.client = storage.Client(
            project="shop", credentials=AnonymousCredentials(), client_options={"api_endpoint": self.url}
        )
        self.client._bucket_metadata_cache = None  # as in shared/adapters/gcp/clients.py

    def close(self) -> None:
        self.client.close()
        self._server.close()
        self._journal.close()
