"""The permissions that a custom role may hold: those of Google's predefined roles.

From https://github.com/iann0036/iam-dataset, commit 2073fa52 of 2026-08-22, of the services that
this project uses; `cloudmessaging` from Google's page of its roles (read 2026-11).
"""

from functools import cache
from pathlib import Path

_FILE = Path(__file__).with_name("permissions.txt")
"""A line for each resource: `pubsub.topics: create delete get`."""


@cache
def read_permissions() -> frozenset[str]:
    """Return their names: `pubsub.topics.create`."""
    lines = (line.partition(": ") for line in _FILE.read_text().splitlines())
    return frozenset(f"{resource}.{verb}" for resource, _, verbs in lines for verb in verbs.split())
