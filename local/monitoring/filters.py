"""The part of the Monitoring filter language that asks for a metric and equal labels."""

from __future__ import annotations

import re
from collections.abc import Mapping

from local.application.estate import invalid

_COMPARISON = re.compile(
    r'\s*(?P<subject>(?:metric|resource)\.(?:type|labels?\."?\w+"?))\s*=\s*"(?P<value>[^"]*)"\s*'
)


def parse(text: str) -> dict[str, str]:
    """What must be equal to what: `metric.type`, `resource.type`, `resource.label.X`, ….

    Comparisons are joined by AND. Raises: Refused INVALID_ARGUMENT for anything else, and without
    a metric type.
    """
    wanted: dict[str, str] = {}
    for part in re.split(r"\sAND\s", text):
        found = _COMPARISON.fullmatch(part)
        if found is None:
            raise invalid(f"The filter part '{part.strip()}' is not supported")
        wanted[field(found["subject"])] = found["value"]
    if "metric.type" not in wanted:
        raise invalid("The filter must specify a single metric.type")
    return wanted


def field(name: str) -> str:
    """The one spelling of a field: `resource.labels."x"` and `resource.label.x` are the same."""
    return name.replace(".labels.", ".label.").replace('"', "")


def matches(wanted: Mapping[str, str], labels: Mapping[str, str]) -> bool:
    """Whether a series with these fields is asked for; a field that it lacks is not equal."""
    return all(labels.get(name) == value for name, value in wanted.items())
