"""The part of the Monitoring filter language that asks for a metric and for labels.

A label is equal to a text, or begins with one (`starts_with`).
"""

import re
from collections.abc import Mapping

from msgspec import Struct

from local.application.applications import invalid_argument

_COMPARISON = re.compile(
    r'\s*(?P<subject>(?:metric|resource)\.(?:type|labels?\."?\w+"?))\s*=\s*'
    r'(?:"(?P<value>[^"]*)"|starts_with\(\s*"(?P<beginning>[^"]*)"\s*\))\s*'
)


class FieldCondition(Struct, frozen=True):
    """What the value of a field must be, or how it must begin."""

    text: str
    whole: bool = True

    def fits(self, value: str | None) -> bool:
        """Whether a value is asked for; None: the series has no such field."""
        if value is None:
            return False
        return value == self.text if self.whole else value.startswith(self.text)


def parse_filter(text: str) -> dict[str, FieldCondition]:
    """What is asked of what: `metric.type`, `resource.type`, `resource.label.X`, ….

    Comparisons are joined by AND. Raises: Refused INVALID_ARGUMENT for anything else, and without
    a metric type.
    """
    wanted: dict[str, FieldCondition] = {}
    for part in re.split(r"\sAND\s", text):
        found = _COMPARISON.fullmatch(part)
        if found is None:
            raise invalid_argument(f"The filter part '{part.strip()}' is not supported")
        whole = found["value"] is not None
        asked = found["value"] if whole else found["beginning"]
        wanted[normalize_field(found["subject"])] = FieldCondition(asked, whole)
    if "metric.type" not in wanted:
        raise invalid_argument("The filter must specify a single metric.type")
    return wanted


def normalize_field(name: str) -> str:
    """The one spelling of a field: `resource.labels."x"` and `resource.label.x` are the same."""
    return name.replace(".labels.", ".label.").replace('"', "")


def matches_conditions(wanted: Mapping[str, FieldCondition], labels: Mapping[str, str]) -> bool:
    """Whether a series with these fields is asked for; a field that it lacks fits nothing."""
    return all(one.fits(labels.get(name)) for name, one in wanted.items())
