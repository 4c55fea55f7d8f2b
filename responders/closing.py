"""Whether the conditions of an incident's alerts are over, not only the notifications of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import partial

from msgspec import Struct

from responders.asking import METRICS_WINDOW, ask_all, or_none, read_back
from responders.case import Case
from responders.joined import open_ones
from shared import conditions
from shared.alert_record import Alert
from shared.conditions import Condition
from shared.deployment import by_service
from shared.health import Requests
from shared.policy import service_of


class Ends(Struct, frozen=True):
    """What became of what the alerts of an incident told of."""

    stands: bool
    """Whether any of it is known not to be over."""
    lines: tuple[str, ...]
    """What is not over, or not known to be; nothing: all of it is over."""


def ends(case: Case, joined: Collection[Alert]) -> Ends:
    """The condition of each alert as it is now."""
    opened = [alert for alert in joined if alert.is_open]
    newest = sorted(opened, key=lambda alert: alert.started_at, reverse=True)
    asked = list(dict.fromkeys(one.monitoring_id for one in newest if one.is_of_monitoring))
    said = read_back(case.ports, case.policy.system, asked)
    requests = _counted(case) if len(said) < len(asked) else None
    standing, gates = open_ones(joined), case.policy.gates
    judged = [
        (alert, conditions.condition(alert, said, requests, gates, closed=alert not in standing))
        for alert in newest
    ]
    stands = any(found is Condition.STANDS for _, found in judged)
    return Ends(stands, tuple(conditions.told(judged)))


def _counted(case: Case) -> Mapping[str, Requests] | None:
    """The requests of the newest minutes, per function; None: they could not be read."""
    now, metrics = case.now(), case.ports.metrics(case.policy.system)
    count = partial(metrics.requests, now - METRICS_WINDOW, now)
    found = or_none(ask_all(case.ports, {"metrics": count})["metrics"])
    services = {name: service_of(name) for name in case.policy.functions}
    return None if found is None else by_service(found, services)
