"""When instances of revisions have started: by what the routers send them, never generated.

An instance starts with the first request to a revision that has none, or with the first of its
minimum; it is kept for a while without requests, and is replaced now and then while it serves.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from msgspec.structs import replace

from local.application.service import KEPT_TRIES, Service

IDLE = timedelta(minutes=15)
"""At most so long an instance without requests is kept
(https://cloud.google.com/run/docs/about-instance-autoscaling, read 2026-11)."""
REPLACED_EVERY = timedelta(hours=6)
"""Cloud Run does so whenever it likes (https://cloud.google.com/run/docs/configuring/min-instances,
read 2026-11); here one instance follows another at this age."""


def starts(service: Service, until: datetime) -> Iterator[tuple[str, datetime]]:
    """Each revision that has started, by its name, and when, before `until`.

    `until` is now. One instance speaks for all that a revision has at once; one that does not come
    up has none.
    """
    ends = [period.since for period in service.periods[1:]] + [until]
    yield from service.tried
    begun: dict[str, datetime] = {}
    had_until: dict[str, datetime] = {}
    for period, end in zip(service.periods, ends, strict=True):
        for flow in period.flows:
            name = flow.revision
            if not flow.starts or not _is_asked_for(service, name):
                had_until.pop(name, None)
                continue
            if name not in had_until or period.since - had_until[name] > IDLE:
                begun[name] = period.since
            past = (period.since - begun[name]) // -REPLACED_EVERY  # rounded up, and negative
            moment = begun[name] - past * REPLACED_EVERY
            while moment < end:
                yield name, moment
                moment += REPLACED_EVERY
            had_until[name] = end


def tried(service: Service, name: str, now: datetime) -> Service:
    """The service, once a tag's address was asked for a revision that comes up.

    An instance has started, unless one serves anyway or did so for the last such request.
    """
    serving = {flow.revision for flow in service.periods[-1].flows}
    has_one = any(one == name and now - moment <= IDLE for one, moment in service.tried)
    if name in serving or has_one:
        return service
    return replace(service, tried=(*service.tried, (name, now))[-KEPT_TRIES:])


def _is_asked_for(service: Service, name: str) -> bool:
    """Whether it has an instance while it serves: requests come, or one is kept without any."""
    revision = service.revision(name)
    own = revision.configuration.min_instances if revision is not None else 0
    return service.asked or own > 0 or service.scaling.minimum > 0
