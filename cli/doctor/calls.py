"""Calls beside each other, for doctor: an error stands where one gave no answer."""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

from responders.support.parallel_calls import call_all
from shared.wiring.adapters import Wiring

CALL_TIMEOUT_SECONDS = 40.0
"""For all of it; some calls make others, and give each their own time."""

Call = Callable[[], Any]
Calls = Mapping[str, Call]


def call_in_parallel(
    wiring: Wiring, calls: Calls, groups: Mapping[str, Calls], seconds: float = CALL_TIMEOUT_SECONDS
) -> dict[str, Any]:
    """The answer of each call, and of each group those of its own calls, by name."""
    grouped = {f"{name} {one}": call for name, group in groups.items() for one, call in group.items()}
    answers = call_all(wiring, {**calls, **grouped}, seconds)
    return {name: answers[name] for name in calls} | {
        name: {one: answers[f"{name} {one}"] for one in group} for name, group in groups.items()
    }


def api_state_calls(wiring: Wiring, service: str, projects: Iterable[str]) -> Calls:
    """Whether each of some projects has an API on."""
    return {one: partial(wiring.inspection.apis.is_on, one, service) for one in sorted({*projects})}
