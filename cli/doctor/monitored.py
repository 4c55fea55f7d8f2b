"""What Cloud Monitoring is asked for in a project, and what it says to that, read side by side."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from cli.doctor import measuring
from responders.asking import ask_all
from shared.errors import RollbackError
from shared.installation import Asked
from shared.wiring import Wiring

MEASURED_SECONDS = 30.0
"""For all that is looked up of one project's alerts, beside each other."""


def asked(wiring: Wiring, project: str) -> list[Asked]:
    """What all alert policies and dashboards of a project ask for."""
    monitoring = wiring.monitoring(project)
    return [*monitoring.policies(), *monitoring.dashboards()]


def measured(
    wiring: Wiring,
    project: str,
    found: list[Asked] | RollbackError,
    ours: Callable[[Asked], bool],
    *others: Asked,
) -> measuring.Measured | RollbackError:
    """What Cloud Monitoring says to what ours, and others, ask for."""
    if isinstance(found, RollbackError):
        return found
    monitoring, wanted = wiring.monitoring(project), [*filter(ours, found), *others]
    filters = measuring.filters(wanted)
    queries = {query for one in wanted for query in one.queries}
    counted = {measuring.counting(one) for query in queries for one in measuring.series(query)}
    answers = ask_all(
        wiring,
        {
            **{f"metric {one.metric}": partial(monitoring.metric, one.metric) for one in filters},
            **{
                f"resource {one.resource}": partial(monitoring.resource, one.resource)
                for one in filters
                if one.resource
            },
            **{f"query {one}": partial(monitoring.series, one) for one in queries | counted},
        },
        MEASURED_SECONDS,
    )
    return measuring.Measured(
        project=project,
        asked=wanted,
        metrics=by("metric ", answers),
        resources=by("resource ", answers),
        answers=by("query ", answers),
    )


def by(prefix: str, answers: Mapping[str, Any]) -> dict[str, Any]:
    """The answers whose names begin so, by what follows."""
    return {
        name.removeprefix(prefix): answer
        for name, answer in answers.items()
        if name.startswith(prefix)
    }
