"""Cloud Storage over its JSON API: buckets, objects with generations, retention."""

from local.services.storage.buckets import Buckets
from local.services.storage.server import StorageServer
from local.services.storage.service import CALLS, NAME, StorageService

__all__ = ["CALLS", "NAME", "Buckets", "StorageServer", "StorageService"]
