"""What doctor says of one thing that it looked at, and of one that gave no answer."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from enum import StrEnum
from typing import Final, TypeVar

from msgspec import Struct

from shared.core import text
from shared.core.errors import RollbackError

T = TypeVar("T")
Facts = TypeVar("Facts")


class CheckVerdict(StrEnum):
    """How a thing stands."""

    WELL = "well"
    DOUBTFUL = "doubtful"
    """It works, or may; a person should know."""
    WRONG = "wrong"
    """Something will not happen when it must."""
    UNKNOWN = "unknown"
    """It could not be looked at."""


class CheckFinding(Struct, frozen=True):
    """One row of the table."""

    check: str
    what: str
    verdict: CheckVerdict
    why: str
    what_to_do: str = ""


ESSENTIAL_CHECKS: Final = frozenset(
    {"state", "topics", "subscriptions", "letters-kept", "clock", "stable", "functions"}
)
"""The checks where not knowing is itself bad news: without these nothing goes back."""


class UnreadFact(Exception):
    """A check lacks an answer that it needs."""

    def __init__(self, what: str, error: RollbackError) -> None:
        super().__init__(what)
        self.what = what
        self.error = error


def require_read(answer: T | RollbackError, what: str) -> T:
    """The answer. Raises: Unseen, when an error stands in its place."""
    if isinstance(answer, RollbackError):
        raise UnreadFact(what, answer)
    return answer


def run_checks(
    checks: Mapping[str, Callable[[Facts], Iterable[CheckFinding]]], facts: Facts
) -> Iterator[CheckFinding]:
    """Every finding of some checks, by name; one that lacks an answer says so, and ends there."""
    for name, check in checks.items():
        try:
            yield from check(facts)
        except UnreadFact as lacking:
            yield unread_finding(name, lacking.what, lacking.error)


def exit_code(findings: Iterable[CheckFinding]) -> int:
    """0: nothing is wrong; 1: something is; 3: something essential could not be looked at."""
    found = [*findings]
    if any(one.verdict is CheckVerdict.WRONG for one in found):
        return 1
    unknown = {one.check for one in found if one.verdict is CheckVerdict.UNKNOWN}
    return 3 if unknown & ESSENTIAL_CHECKS else 0


def unread_finding(check: str, what: str, error: RollbackError) -> CheckFinding:
    """The finding of what gave no answer."""
    said = f"could not look: {error}"
    return CheckFinding(check, what, CheckVerdict.UNKNOWN, said, "look again; do you have the rights?")


def name_first(names: Collection[str], most: int = 5) -> str:
    """The first of them, and how many more."""
    return text.join_names(sorted(names), most)
