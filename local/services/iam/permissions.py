"""Google's predefined roles, and their permissions: those that a custom role of a project may hold.

From https://github.com/iann0036/iam-dataset, commit 2073fa52 of 2026-08-22, of the services that
this project uses; `cloudmessaging` from Google's page of its roles (read 2026-11).
"""

from collections.abc import Iterator
from functools import cache
from pathlib import Path

_PERMISSIONS = Path(__file__).with_name("permissions.txt")
"""A line for each resource: `pubsub.topics: create delete get`."""
_ROLES = Path(__file__).with_name("predefined_roles.txt")
"""A line for each service: `pubsub: admin editor`."""
BASIC_ROLES = frozenset(("roles/editor", "roles/owner", "roles/viewer"))


@cache
def read_permissions() -> frozenset[str]:
    """Return the names of permissions: `pubsub.topics.create`."""
    return frozenset(_read_names(_PERMISSIONS))


@cache
def read_predefined_roles() -> frozenset[str]:
    """Return the names of roles: `roles/pubsub.admin`."""
    return BASIC_ROLES | {"roles/browser"} | {f"roles/{name}" for name in _read_names(_ROLES)}


def _read_names(file: Path) -> Iterator[str]:
    for line in file.read_text().splitlines():
        group, _, names = line.partition(": ")
        yield from (f"{group}.{name}" for name in names.split())
