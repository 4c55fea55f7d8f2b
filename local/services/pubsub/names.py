"""Resource names: `projects/P/topics/T`, `projects/P/subscriptions/S`, `projects/P/snapshots/N`.

The rules of ids: https://cloud.google.com/pubsub/docs/pubsub-basics#resource_names (read 2026-11).
"""

import re

from local.services.pubsub.statuses import invalid_argument

DELETED_TOPIC = "_deleted-topic_"
"""Stands in a subscription for its topic once that is deleted."""
DELETED_SCHEMA = "_deleted-schema_"
"""Stands in a topic for its schema once that is deleted."""

_ID = re.compile(r"[A-Za-z][A-Za-z0-9._~%+-]{2,254}")


def require_resource_name(name: str, collection: str) -> str:
    """The name itself, once it is a good one of its collection (`topics`).

    Raises: Refused INVALID_ARGUMENT.
    """
    parts = name.split("/")
    shaped = len(parts) == 4 and parts[0] == "projects" and parts[1] and parts[2] == collection
    if not shaped or not _ID.fullmatch(parts[3]) or parts[3].startswith("goog"):
        raise invalid_argument(f"Invalid [{collection}] name: (name={name})")
    return name


def project_of(name: str) -> str:
    """The project that a resource lies in, by its id."""
    return name.split("/")[1]


def short_name(name: str) -> str:
    """The resource's own id, the last part of its name."""
    return name.rpartition("/")[2]
