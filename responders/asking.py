"""Calls beside each other, each of which may give no answer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from functools import partial
from typing import Any

from msgspec import Struct

from shared.errors import RollbackError, Unavailable
from shared.health import ProbeAnswer, Requests
from shared.policy import Probe
from shared.ports import Metrics, Ports

ANSWER_SECONDS = 20.0
"""Well within the lease."""


class Seen(Struct, frozen=True):
    """How a system looks: to its routers, and from outside."""

    requests: Mapping[str, Requests] | None
    """Per service (short name); None: the metrics could not be read."""
    probes: Mapping[str, ProbeAnswer]
    """By name; a probe that could not be asked is not among them."""


def ask_all(ports: Ports, calls: Mapping[str, Callable[[], Any]]) -> dict[str, Any]:
    """The answers of calls made beside each other; a call that got none: its RollbackError.

    Raises: whatever is no RollbackError.
    """
    pool = ports.pool()
    answers: dict[str, Any] = {
        name: Unavailable(f"{name}: no answer in {ANSWER_SECONDS:.0f} s") for name in calls
    }
    give_up_at = ports.clock.monotonic() + ANSWER_SECONDS
    try:
        for name, call in calls.items():
            pool.submit(name, call)
        while len(pool) and (remaining := give_up_at - ports.clock.monotonic()) > 0:
            answers.update(pool.wait(remaining))
    finally:
        pool.close()
    for answer in answers.values():
        if isinstance(answer, BaseException) and not isinstance(answer, RollbackError):
            raise answer
    return answers


def looking(
    ports: Ports, metrics: Metrics, probes: Iterable[Probe], since: datetime, now: datetime
) -> dict[str, Callable[[], Any]]:
    """The calls that look at a system, to be made beside others."""
    return {
        "metrics": partial(metrics.requests, since, now),
        **{f"probe {probe.name}": partial(ports.prober.ask, probe) for probe in probes},
    }


def seen(answers: Mapping[str, Any]) -> Seen:
    """What the calls of `looking` found."""
    counted = answers["metrics"]
    return Seen(
        requests=None if isinstance(counted, RollbackError) else counted,
        probes={
            name.removeprefix("probe "): answer
            for name, answer in answers.items()
            if isinstance(answer, ProbeAnswer)
        },
    )


def answered(answer: Any) -> Any:
    """The answer. Raises: the RollbackError that stands in its place."""
    if isinstance(answer, RollbackError):
        raise answer
    return answer


def or_none(answer: Any) -> Any:
    """The answer; None when there is none."""
    return None if isinstance(answer, RollbackError) else answer
