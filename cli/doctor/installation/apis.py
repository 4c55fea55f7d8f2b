"""Whether APIs are on that the responders' requests need: answer in, finding out."""

from collections.abc import Iterator, Mapping

from cli.doctor.finding import CheckFinding, unread, well, wrong
from shared.core.errors import RollbackError

SIGN_IN = "identitytoolkit.googleapis.com"
"""Whoever commands is looked up through it, in the identity project."""
PUSH = "fcm.googleapis.com"
"""Users of an application are reached through it; messages belong to its project."""

Answers = Mapping[str, bool | RollbackError]
"""By project. Requests count in that of the account that makes them, which needs the API too."""


def check_apis(service: str, answers: Answers) -> Iterator[CheckFinding]:
    """Whether each of some projects has an API switched on."""
    for project, answer in answers.items():
        what = f"{project} {service}"
        if isinstance(answer, RollbackError):
            yield unread(what, answer)
        elif answer:
            yield well(what, "it is on")
        else:
            yield wrong(what, "it is off: whatever is asked through it is refused", "terraform apply")
