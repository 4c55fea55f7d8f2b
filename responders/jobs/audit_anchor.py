"""Heads of audit chains go outside the database, after their commits and in nobody's way."""

from contextlib import suppress
from itertools import takewhile

from shared.core import log
from shared.core.errors import Exists, Moved, Rejected, Unavailable
from shared.core.store import ObjectStore, Query, Update
from shared.domain.audit.anchor import PENDING_ANCHORS, PendingAnchor, encode_anchor
from shared.ports.groups import Ports

MAX_PARALLEL_WRITES = 100
ANCHOR_TIME_LIMIT_SECONDS = 10.0
"""No new one is begun after that long: the next sweep is half a minute after this one."""


def write_anchors(ports: Ports) -> None:
    """Write waiting anchors; a failure is logged and retried. Raises: Unavailable.

    Without a bucket they wait until they expire.
    """
    objects, store = ports.buckets.anchors, ports.store
    if objects is None:
        return
    waiting = store.query(Query(PENDING_ANCHORS, (("waiting", "==", True),), limit=MAX_PARALLEL_WRITES))
    until = ports.clock.monotonic() + ANCHOR_TIME_LIMIT_SECONDS
    written = []
    try:
        for document in takewhile(lambda _: ports.clock.monotonic() < until, waiting):
            _write_anchors(objects, document.decode(PendingAnchor))
            written.append(document.path)
    except (Rejected, Unavailable) as failure:
        log.write("ERROR", f"heads are not anchored: {failure}", waiting=len(waiting))
    if written:
        with suppress(Moved):  # one of them has expired meanwhile: the others come again
            store.commit([Update(path, {"waiting": False}) for path in written])


def _write_anchors(objects: ObjectStore, waiting: PendingAnchor) -> None:
    with suppress(Exists):  # by an earlier sweep, whose end was not noted
        objects.create(waiting.name, encode_anchor(waiting.anchor))
