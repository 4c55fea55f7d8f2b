"""Sites of Firebase Hosting."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from msgspec import Struct

from shared.errors import Unavailable
from shared.gcp.rest import Gone, Rest
from shared.inventory import HostingSite

HOST: Final = "firebasehosting.googleapis.com"
PERMISSIONS: Final = ("firebasehosting.sites.get", "firebasehosting.sites.list")

LIVE = "live"
_PAGE = 100


class _Version(Struct, frozen=True):
    name: str = ""


class _Release(Struct, frozen=True, rename="camel"):
    version: _Version = _Version()
    release_time: datetime | None = None


class _Channel(Struct, frozen=True):
    name: str
    release: _Release = _Release()


class _Channels(Struct, frozen=True, rename="camel"):
    channels: list[_Channel] = []
    next_page_token: str = ""


class FirebaseHosting:
    """A Hosting over `v1beta1`."""

    def __init__(self, rest: Rest) -> None:
        self._rest = rest

    def site(self, name: str) -> HostingSite | None:
        """What a site serves, from the list of its channels; None when there is no such site."""
        try:
            pages = list(self._rest.pages(f"/v1beta1/sites/{name}/channels", _Channels, _PAGE))
        except Gone:
            return None
        releases = {_short(one.name): one.release for page in pages for one in page.channels}
        live = releases.pop(LIVE, None)
        if live is None:
            raise Unavailable(f"the channels of {name} lack {LIVE}")
        return HostingSite(
            version=_short(live.version.name),
            released_at=live.release_time,
            channels={
                channel: _short(release.version.name) for channel, release in releases.items()
            },
        )


def _short(name: str) -> str:
    return name.rpartition("/")[2]
