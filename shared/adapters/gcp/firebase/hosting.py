"""Sites of Firebase Hosting."""

from dataclasses import dataclass
from datetime import datetime

from shared.adapters.gcp.errors import RECHECKED_EFFECT_ERRORS
from shared.adapters.gcp.rest import Answer, Rest
from shared.core.errors import Gone, Unavailable
from shared.core.text import last_segment
from shared.domain.deployments.inventory.inventory_parts import LIVE_CHANNEL, HostingSite

HOST = "firebasehosting.googleapis.com"
PERMISSIONS = ("firebasehosting.sites.get", "firebasehosting.sites.list")
WRITE_PERMISSIONS = (*PERMISSIONS, "firebasehosting.sites.update")

_PAGE = 100


class _Version(Answer):
    name: str = ""
    status: str = ""


class _Release(Answer):
    version: _Version = _Version()
    release_time: datetime | None = None


class _Channel(Answer):
    name: str
    release: _Release = _Release()


@dataclass
class FirebaseHosting:
    """A Hosting over `v1beta1`."""

    _rest: Rest

    def site(self, name: str) -> HostingSite | None:
        try:
            channels = list(self._rest.items(f"/v1beta1/sites/{name}/channels", "channels", _Channel, _PAGE))
        except Gone:
            return None
        releases = {last_segment(one.name): one.release for one in channels}
        live = releases.pop(LIVE_CHANNEL, None)
        if live is None:
            raise Unavailable(f"the channels of {name} lack {LIVE_CHANNEL}")
        return HostingSite(
            version=last_segment(live.version.name),
            released_at=live.release_time,
            channels={channel: last_segment(release.version.name) for channel, release in releases.items()},
        )

    def version(self, site: str, version: str) -> str | None:
        path = f"/v1beta1/sites/{site}/versions/{version}"
        try:
            return self._rest.get(path, _Version).status
        except Gone:
            return None

    def release(self, site: str, channel: str, version: str, message: str) -> None:
        """Let a channel serve a version.

        A version that is live already is refused with FAILED_PRECONDITION ("is the current active
        version", github.com/firebase/firebase-tools/issues/10730, read 2026-11), as one is that is
        not FINALIZED any more.
        """
        self._rest.send_change(
            "POST",
            f"/v1beta1/sites/{site}/channels/{channel}/releases",
            {"message": message},
            query={"versionName": f"sites/{site}/versions/{version}"},
            meanings=RECHECKED_EFFECT_ERRORS,
        )
