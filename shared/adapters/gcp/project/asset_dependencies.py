"""What assets rely on: where buckets of Cloud Storage lie, which topics Pub/Sub has."""

from dataclasses import dataclass
from typing import Any

from google.api_core.exceptions import NotFound

from shared.adapters.gcp.errors import call_once
from shared.adapters.gcp.storage import objects
from shared.core.errors import Gone

PERMISSIONS = ("pubsub.topics.get", "storage.buckets.get")
_PAGE = 1000
"""The most that a page may hold (pubsub.proto)."""


@dataclass
class CloudAssetDependencies:
    """AssetDependencies over every bucket and topic that the account may look at."""

    _storage: Any
    _publisher: Any

    def location_type(self, bucket: str) -> str:
        with objects.translate_http_errors():
            try:
                found = self._storage.get_bucket(bucket, **objects.CALL_ONCE)
            except NotFound:
                return ""
        return str(found.location_type)

    def count_subscriptions(self, project: str, topic: str) -> int | None:
        """By the first page of the topic's own list, which takes `pubsub.topics.get` on it.

        https://cloud.google.com/pubsub/docs/access-control (read 2026-11).
        """
        asked = {"topic": f"projects/{project}/topics/{topic}", "page_size": _PAGE}
        try:
            found = call_once(self._publisher.list_topic_subscriptions, asked)
        except Gone:
            return None
        page: Any = next(iter(found.pages))
        return len(page.subscriptions)
