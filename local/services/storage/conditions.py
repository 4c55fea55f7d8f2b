"""Preconditions on generation and metageneration, from a request's query."""

from collections.abc import Mapping

from msgspec import Struct

from local.services.storage.errors import condition_not_met, invalid_request, not_modified
from local.services.storage.values import Bucket, StoredObject


class Preconditions(Struct, frozen=True):
    """What must hold of an object; None: nothing is asked.

    cloud.google.com/storage/docs/request-preconditions (read 2026-11): a generation of 0 means
    that there is no live object.
    """

    generation: int | None = None
    other_generation: int | None = None
    metageneration: int | None = None
    other_metageneration: int | None = None

    def check(self, stored: StoredObject | Bucket | None, *, reading: bool = False) -> None:
        """Return when they hold. Raises: Refusal 412, or 304 where a read asks for another one."""
        generation = stored.generation if isinstance(stored, StoredObject) else 0
        metageneration = stored.metageneration if stored else 0
        if self.generation not in (None, generation):
            raise condition_not_met("If-Match")
        if self.metageneration not in (None, metageneration):
            raise condition_not_met("If-Match")
        if self.other_generation == generation or self.other_metageneration == metageneration:
            raise not_modified() if reading else condition_not_met("If-None-Match")


def read_preconditions(query: Mapping[str, str], of: str = "") -> Preconditions:
    """The preconditions of a request, or of the `source` of a copy. Raises: Refusal 400.

    Google's own Python client writes one of them as `ifMetaGenerationNotMatch` on uploads.
    """
    lowered = {name.lower(): value for name, value in query.items()}
    return Preconditions(
        generation=number(lowered, f"if{of}generationmatch"),
        other_generation=number(lowered, f"if{of}generationnotmatch"),
        metageneration=number(lowered, f"if{of}metagenerationmatch"),
        other_metageneration=number(lowered, f"if{of}metagenerationnotmatch"),
    )


def read_header_preconditions(headers: Mapping[str, str]) -> Preconditions:
    """Those of a read at /BUCKET/NAME, which stand in its headers. Raises: Refusal 400."""
    prefix = "x-goog-if-"
    said = {name.removeprefix(prefix): value for name, value in headers.items() if name.startswith(prefix)}
    return read_preconditions({f"if{name.replace('-', '')}": value for name, value in said.items()})


def number(query: Mapping[str, str], name: str) -> int | None:
    """A parameter that is a number, if it is there. Raises: Refusal 400."""
    value = query.get(name)
    if value is None:
        return None
    if not value.isdecimal():
        raise invalid_request(f"Invalid value for parameter {name}: {value}")
    return int(value)
