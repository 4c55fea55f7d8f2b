"""Preconditions on generation and metageneration, from a request's query."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from local.services.storage.refusals import invalid, unchanged, unmet
from local.services.storage.values import Stored


class Conditions(Struct, frozen=True):
    """What must hold of an object; None: nothing is asked.

    cloud.google.com/storage/docs/request-preconditions (read 2026-11): a generation of 0 means
    that there is no live object.
    """

    generation: int | None = None
    other_generation: int | None = None
    metageneration: int | None = None
    other_metageneration: int | None = None

    def check(self, stored: Stored | None, *, reading: bool = False) -> None:
        """Return when they hold. Raises: Refusal 412, or 304 where a read asks for another one."""
        generation = stored.generation if stored else 0
        metageneration = stored.metageneration if stored else 0
        if self.generation not in (None, generation):
            raise unmet("If-Match")
        if self.metageneration not in (None, metageneration):
            raise unmet("If-Match")
        if self.other_generation == generation or self.other_metageneration == metageneration:
            raise unchanged() if reading else unmet("If-None-Match")


def conditions(query: Mapping[str, str]) -> Conditions:
    """The preconditions of a request. Raises: Refusal 400.

    Google's own Python client writes one of them as `ifMetaGenerationNotMatch` on uploads.
    """
    lowered = {name.lower(): value for name, value in query.items()}
    return Conditions(
        generation=number(lowered, "ifgenerationmatch"),
        other_generation=number(lowered, "ifgenerationnotmatch"),
        metageneration=number(lowered, "ifmetagenerationmatch"),
        other_metageneration=number(lowered, "ifmetagenerationnotmatch"),
    )


def number(query: Mapping[str, str], name: str) -> int | None:
    """A parameter that is a number, if it is there. Raises: Refusal 400."""
    value = query.get(name)
    if value is None:
        return None
    if not value.isdecimal():
        raise invalid(f"Invalid value for parameter {name}: {value}")
    return int(value)
