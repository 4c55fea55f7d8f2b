"""Where what waits for a function is counted: in which metric, and under which name there."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from msgspec import Struct

from shared.inventory import FunctionState, Generation

_NUMBER = re.compile(r"-\d+$")


class Backlog(Struct, frozen=True):
    """One kind of what waits, as Cloud Monitoring counts it each minute (a gauge)."""

    filter: str
    label: str
    """The label of its resource that names it."""
    numbered: bool = False
    """Whether the name ends with a number that nobody can know before."""

    def name(self, series: Any) -> str:
        """What a series counts, without such a number."""
        name: str = series.resource.labels[self.label]
        return _NUMBER.sub("", name) if self.numbered else name


def _subscriptions(beginning: str, *, numbered: bool = False) -> Backlog:
    return Backlog(
        'metric.type="pubsub.googleapis.com/subscription/num_undelivered_messages"'
        ' AND resource.type="pubsub_subscription"'
        f' AND resource.label.subscription_id=starts_with("{beginning}")',
        "subscription_id",
        numbered,
    )


EVENTARC = _subscriptions("eventarc-", numbered=True)
"""The subscriptions of Eventarc's triggers."""
FIRST = _subscriptions("gcf-")
"""Those of functions of the 1st generation on a topic: gcf-FUNCTION-REGION-TOPIC."""
TASKS = Backlog(
    'metric.type="cloudtasks.googleapis.com/queue/depth" AND resource.type="cloud_tasks_queue"',
    "queue_id",
)
"""Firebase calls a function's queue as the function (firebase/firebase-tools
src/gcp/cloudtasks.ts, read 2026-11)."""


def backlogs(
    functions: Iterable[FunctionState], region: str
) -> dict[Backlog, dict[str, FunctionState]]:
    """The functions that something can wait for, by what it is called, by its kind.

    Other events of the 1st generation wait where nobody can look.
    """
    found: dict[Backlog, dict[str, FunctionState]] = defaultdict(dict)
    for one in functions:
        topic: str = one.definition.get("eventTrigger", {}).get("pubsubTopic", "")
        if one.has_queue:
            found[TASKS][one.name] = one
        elif one.trigger:
            found[EVENTARC][_subscription(one.trigger)] = one
        elif topic and one.generation is Generation.FIRST:
            found[FIRST][f"gcf-{one.name}-{region}-{topic.rpartition('/')[2]}"] = one
    return found


def _subscription(trigger: str) -> str:
    """How Eventarc calls a trigger's subscription, but for the number at its end."""
    *_, location, _, name = trigger.split("/")
    return f"eventarc-{location}-{name}-sub"
