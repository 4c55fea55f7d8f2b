"""Objects of several buckets in memory."""

import base64

import google_crc32c

from shared.core.errors import Exists, Rejected
from shared.domain.data.backups.backup_records import ObjectMetadata
from tests.support.fakes.runtime.hooks import Hook, ask_hook_around, no_hook

PART_BYTES = 1024 * 1024
"""How much one call copies."""


class MemoryMirrors:
    """A Mirrors; verbs for the hook: mirrors.listed, .copy, .write, .hold."""

    def __init__(self, hook: Hook = no_hook) -> None:
        self.hook = hook
        self.buckets: dict[str, dict[str, bytes]] = {}
        """Content by bucket and name: for a test to look at, and to meddle with."""
        self.held: set[tuple[str, str]] = set()
        """Bucket and name of what nobody deletes or replaces."""

    def list_objects(self, bucket: str, prefix: str) -> dict[str, ObjectMetadata]:
        """Sizes and checksums, by name."""
        with ask_hook_around(self.hook, "mirrors.listed"):
            return {
                name: ObjectMetadata(len(content), _crc32c(content))
                for name, content in self._bucket(bucket).items()
                if name.startswith(prefix)
            }

    def copy(self, source: str, name: str, target: str, token: str = "") -> str:
        """Copy a part; the token of the rest says how much is copied."""
        with ask_hook_around(self.hook, "mirrors.copy"):
            content = self._object(source, name)
            if token and not token.isdecimal():
                raise Rejected("400: Invalid rewrite token.")
            copied = int(token or 0) + PART_BYTES
            target_bucket = self._bucket(target)
            if copied < len(content):
                return str(copied)
            if (target, name) in self.held:
                raise Rejected(f"403: {name} is under active Temporary hold")
            target_bucket[name] = content
            return ""

    def write(self, bucket: str, name: str, content: bytes) -> None:
        """Keep JSON under a name that is free."""
        with ask_hook_around(self.hook, "mirrors.write"):
            if name in self._bucket(bucket):
                raise Exists(f"412: there is a {name}")
            self.buckets[bucket][name] = content

    def hold(self, bucket: str, name: str, *, held: bool) -> None:
        """Let nobody delete or replace it, or let them."""
        with ask_hook_around(self.hook, "mirrors.hold"):
            self._object(bucket, name)
            (self.held.add if held else self.held.discard)((bucket, name))

    def _bucket(self, name: str) -> dict[str, bytes]:
        if name not in self.buckets:
            raise Rejected(f"404: there is no bucket {name}")
        return self.buckets[name]

    def _object(self, bucket: str, name: str) -> bytes:
        if name not in self._bucket(bucket):
            raise Rejected(f"404: there is no {name} in {bucket}")
        return self.buckets[bucket][name]


def _crc32c(content: bytes) -> str:
    return base64.b64encode(google_crc32c.value(content).to_bytes(4, "big")).decode()
