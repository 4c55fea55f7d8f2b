"""The clients of Google Cloud, connected to whatever the settings name as local."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from shared.core.lazy import LockedCachedProperty
from shared.domain.policy.system_policy import Policy
from shared.wiring.settings import Settings

if TYPE_CHECKING:
    from shared.adapters.gcp.clients import Clients


class Connections:
    """Settings, policies by system, and the clients built from them at first use.

    `deployed` says that this is an instance in the cloud, which must not be connected to anything
    local. `clients` raises BadConfiguration when it is, Unavailable when a local cloud does not
    answer.
    """

    def __init__(self, settings: Settings, policies: Mapping[str, Policy], *, deployed: bool) -> None:
        self.settings = settings
        self.policies = policies
        self._deployed = deployed

    @LockedCachedProperty
    def clients(self) -> Clients:
        from shared.adapters.gcp.clients import Clients

        return Clients(self._addresses(), deployed=self._deployed)

    def close(self) -> None:
        if "clients" in self.__dict__:
            self.clients.close()

    def _addresses(self) -> dict[str, str]:
        """Return the local address of each service; an emulator wins over the local cloud."""
        addresses: dict[str, str] = {}
        if self.settings.local_cloud is not None:
            from shared.adapters.embedded_cloud import service_addresses

            addresses = service_addresses(self.settings.local_cloud)
        emulators = {
            "firestore": self.settings.firestore_emulator,
            "pubsub": self.settings.pubsub_emulator,
            "storage": self.settings.storage_emulator,
        }
        local = {name: host.removeprefix("http://") for name, host in emulators.items() if host}
        return {**addresses, **local}


def local_cloud_address(settings: Settings) -> str | None:
    """Return `host:port` where a local cloud plays the hosts of the web; None: it plays none."""
    return urlsplit(settings.local_cloud).netloc if settings.local_cloud else None
