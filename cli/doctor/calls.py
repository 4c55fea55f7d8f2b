"""Calls beside each other, for doctor; an error stands for no answer. Whether APIs are on."""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

from cli.doctor.finding import Findings, unread, well, wrong
from responders.support.parallel_calls import call_all
from shared.core.errors import RollbackError
from shared.wiring.adapters import Wiring

CALL_TIMEOUT_SECONDS = 40.0
"""For all of it; some calls make others, and give each their own time."""

SIGN_IN_API = "identitytoolkit.googleapis.com"
"""The API that looks up the senders of commands, in the identity project."""
PUSH_API = "fcm.googleapis.com"
"""The API that sends messages to the users of an application, in its project."""

ApiStates = Mapping[str, bool | RollbackError]
"""By project. Requests count in that of the account that makes them, which needs the API too."""

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


def check_apis(service: str, answers: ApiStates) -> Findings:
    """Whether each of some projects has an API switched on."""
    for project, answer in answers.items():
        what = f"{project} {service}"
        if isinstance(answer, RollbackError):
            yield unread(what, answer)
        elif answer:
            yield well(what, "it is on")
        else:
            yield wrong(what, "the API is off: every call to it is refused", "terraform apply")
