"""What doctor says of one thing that it looked at, and of one that gave no answer."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from enum import StrEnum
from typing import Final, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from shared.core import text
from shared.core.errors import RollbackError

T = TypeVar("T")
Facts = TypeVar("Facts")
ESSENTIAL_CHECKS: Final = frozenset(
    {"state", "topics", "subscriptions", "letters-kept", "clock", "stable", "functions"}
)
"""The checks where not knowing is itself bad news: without these nothing goes back."""


class CheckVerdict(StrEnum):
    """How a thing stands."""

    WELL = "well"
    DOUBTFUL = "doubtful"
    """It works, or may; a person should know."""
    WRONG = "wrong"
    """Something will not happen when it must."""
    UNKNOWN = "unknown"


class CheckFinding(Struct, frozen=True):
    """One row of the table."""

    check: str
    """Empty until `run_checks` fills it in."""
    what: str
    verdict: CheckVerdict
    why: str
    what_to_do: str = ""


def well(what: str, why: str) -> CheckFinding:
    """Return the finding of a thing that works."""
    return CheckFinding("", what, CheckVerdict.WELL, why)


def doubtful(what: str, why: str, what_to_do: str = "") -> CheckFinding:
    """Return the finding of a thing that a person should know."""
    return CheckFinding("", what, CheckVerdict.DOUBTFUL, why, what_to_do)


def wrong(what: str, why: str, what_to_do: str) -> CheckFinding:
    """Return the finding of a thing that will not happen when it must."""
    return CheckFinding("", what, CheckVerdict.WRONG, why, what_to_do)


def unknown(what: str, why: str, what_to_do: str = "") -> CheckFinding:
    """Return the finding of a thing that could not be looked at."""
    return CheckFinding("", what, CheckVerdict.UNKNOWN, why, what_to_do)


def unread(what: str, error: RollbackError) -> CheckFinding:
    """Return the finding of a thing that gave no answer."""
    return unknown(what, f"check failed: {error}", "run the check again; check your permissions")


class UnreadFact(Exception):
    """A check lacks an answer that it needs: of what, and the error in its place."""


def require_read(answer: T | RollbackError, what: str) -> T:
    """Return the answer. Raises: UnreadFact, when an error stands in its place."""
    if isinstance(answer, RollbackError):
        raise UnreadFact(what, answer)
    return answer


def run_checks(
    checks: Mapping[str, Callable[[Facts], Iterable[CheckFinding]]], facts: Facts
) -> Iterator[CheckFinding]:
    """Every finding of some checks, by name; one that lacks an answer says so, and ends there."""
    for name, check in checks.items():
        try:
            for one in check(facts):
                yield replace(one, check=name)
        except UnreadFact as lacking:
            yield replace(unread(*lacking.args), check=name)


def exit_code(findings: Iterable[CheckFinding]) -> int:
    """0: nothing is wrong; 1: something is; 3: something essential could not be looked at."""
    found = [*findings]
    if any(one.verdict is CheckVerdict.WRONG for one in found):
        return 1
    unknown = {one.check for one in found if one.verdict is CheckVerdict.UNKNOWN}
    return 3 if unknown & ESSENTIAL_CHECKS else 0


def name_first(names: Collection[str], most: int = 5) -> str:
    """The first of them, and how many more."""
    return text.join_names(sorted(names), most)
