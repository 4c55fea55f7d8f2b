"""The zip that the archive provider makes, as far as its arguments decide it."""

import hashlib
import io
import zipfile
from collections.abc import Mapping
from typing import Any

NO_TIME = (1980, 1, 1, 0, 0, 0)
"""What a zip holds for a file without a time."""


def zipped(archive: Mapping[str, Any]) -> bytes:
    """The zip of `source` blocks: names in order, no time, nothing of the machine it is made on.

    As ArchiveMultiple does (hashicorp/terraform-provider-archive,
    internal/provider/zip_archiver.go, read 2026-11); how well it packs is Go's own.
    """
    into = io.BytesIO()
    with zipfile.ZipFile(into, "w", zipfile.ZIP_DEFLATED) as made:
        for one in sorted(archive["source"], key=lambda source: source["filename"]):
            entry = zipfile.ZipInfo(one["filename"], NO_TIME)
            entry.compress_type = zipfile.ZIP_DEFLATED
            made.writestr(entry, one["content"])
    return into.getvalue()


def sha256_of(archive: Mapping[str, Any]) -> str:
    """What the object's name is made of."""
    return hashlib.sha256(zipped(archive)).hexdigest()
