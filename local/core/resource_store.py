"""JSON resources by their names, kept through the journal."""

import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import grpc
import msgspec

from local.core.grpc_services import StatusError
from local.core.journal import Journal
from shared.core.codec import from_json

Resource = dict[str, Any]


class ResourceStore:
    """The resources of one product. What is handed out is replaced, never changed in place.

    Whoever reads before writing holds `lock` meanwhile.
    """

    def __init__(self, journal: Journal, kept_as: str) -> None:
        self.lock = threading.RLock()
        self._journal = journal
        self._kept_as = kept_as
        self._resources: dict[str, Resource] = {
            name: from_json(value) for name, value in journal.read(kept_as)
        }

    def __contains__(self, name: str) -> bool:
        return name in self._resources

    def find(self, name: str) -> Resource:
        """The resource of that name. Raises: Refused NOT_FOUND."""
        with self.lock:
            if name not in self._resources:
                raise StatusError(grpc.StatusCode.NOT_FOUND, f"Requested entity was not found: {name}")
            return self._resources[name]

    def below(self, parent: str) -> list[Resource]:
        """The resources whose names continue `parent` by exactly one part, by name."""
        with self.lock:
            return [
                self._resources[name] for name in sorted(self._resources) if name.rpartition("/")[0] == parent
            ]

    def under(self, prefix: str) -> list[Resource]:
        """The resources whose names begin so, by name."""
        with self.lock:
            return [self._resources[name] for name in sorted(self._resources) if name.startswith(prefix)]

    def put(self, *resources: Resource) -> None:
        """Keep resources under their names, all or none."""
        self.write({one["name"]: one for one in resources})

    def write(self, changes: Mapping[str, Resource | None]) -> None:
        """Keep or (None) remove resources, all or none."""
        with self.lock:
            self._journal.write(
                self._kept_as,
                [(name, None if one is None else msgspec.json.encode(one)) for name, one in changes.items()],
            )
            for name, one in changes.items():
                if one is None:
                    self._resources.pop(name, None)
                else:
                    self._resources[name] = one


def written_time(moment: datetime) -> str:
    """RFC 3339 in UTC, as Google writes it in JSON."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
