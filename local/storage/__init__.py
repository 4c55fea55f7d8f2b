"""Cloud Storage over its JSON API: buckets, objects with generations, retention."""

from local.storage.buckets import Buckets
from local.storage.server import StorageServer
from local.storage.service import CALLS, Service

__all__ = ["CALLS", "Buckets", "Service", "StorageServer"]
