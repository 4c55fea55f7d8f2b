"""Preconditions on generation and metageneration, from a request's query."""

from collections.abc import Mapping

from msgspec import Struct

from local.services.storage.errors import condition_not_met, invalid_request, not_modified
from local.services.storage.values import StoredObject


class Preconditions(Struct, frozen=True):
    """What must hold of an object; None: nothing is asked.

    cloud.google.com/storage/docs/request-preconditions (read 2026-11): a generation of 0 means
    that there is no live object.
    """

    generation: int | None = None
    other_generation: int | None = None
    metageneration: int | None = None
    other_metageneration: int | None = None

    def check(self, stored: StoredObject | None, *, reading: bool = False) -> None:
        """Return when they hold. Raises: Refusal 412, or 304 where a read asks for another one."""
        generation = stored.generation if stored else 0
        metageneration = stored.metageneration if stored else 0
        if self.generation not in (None, generation):
            raise condition_not_met("If-Match")
        if self.metageneration not in (None, metageneration):
            raise condition_not_met("If-Match")
        if self.other_generation == generation or self.other_metageneration == metageneration:
            raise not_modified() if reading else condition_not_met("If-None-Match")


def read_preconditions(query: Mapping[str, str]) -> Preconditions:
    """The preconditions of a request. Raises: Refusal 400.

    Google's own Python client writes one of them as `ifMetaGenerationNotMatch` on uploads.
    """
    lowered = {name.lower(): value for name, value in query.items()}
    return Preconditions(
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
        raise invalid_request(f"Invalid value for parameter {name}: {value}")
    return int(value)
