"""The findings of the checks of doctor, and of a check without an answer."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from enum import StrEnum
from typing import TypeVar

from msgspec.structs import replace

from shared.core import text
from shared.core.codec import FrozenStruct
from shared.core.errors import RollbackError

T = TypeVar("T")
Facts = TypeVar("Facts")
ESSENTIAL_CHECKS = frozenset(
    {"state", "topics", "subscriptions", "letters-kept", "clock", "stable", "functions"}
)
"""The checks without which no rollback is possible: no answer fails the run."""


class CheckVerdict(StrEnum):
    """The result of a check."""

    WELL = "well"
    DOUBTFUL = "doubtful"
    """It works, or may; a person should know."""
    WRONG = "wrong"
    """Something will not happen when it must."""
    UNKNOWN = "unknown"


class CheckFinding(FrozenStruct):
    """One row of the table."""

    check: str
    """Empty until `run_checks` fills it in."""
    what: str
    verdict: CheckVerdict
    why: str
    what_to_do: str = ""


Findings = Iterator[CheckFinding]


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
    """Return the finding of a check without an answer."""
    return CheckFinding("", what, CheckVerdict.UNKNOWN, why, what_to_do)


def unread(what: str, error: RollbackError) -> CheckFinding:
    """Return the finding of a fact that could not be read."""
    return unknown(what, f"could not be read: {error}", "check again; do you have the rights?")


class UnreadFact(Exception):
    """A check lacks an answer that it needs: its subject, and the error."""


def require_read(answer: T | RollbackError, what: str) -> T:
    """Return the answer. Raises: UnreadFact, when it is an error."""
    if isinstance(answer, RollbackError):
        raise UnreadFact(what, answer)
    return answer


def run_checks(checks: Mapping[str, Callable[[Facts], Iterable[CheckFinding]]], facts: Facts) -> Findings:
    """Yield every finding of some checks; a check that lacks an answer ends with that finding."""
    for name, check in checks.items():
        try:
            for one in check(facts):
                yield replace(one, check=name)
        except UnreadFact as lacking:
            yield replace(unread(*lacking.args), check=name)


def exit_code(findings: Iterable[CheckFinding]) -> int:
    """Return 0: nothing is wrong; 1: something is; 3: an essential check had no answer."""
    found = [*findings]
    if any(one.verdict is CheckVerdict.WRONG for one in found):
        return 1
    return 3 if {one.check for one in found if one.verdict is CheckVerdict.UNKNOWN} & ESSENTIAL_CHECKS else 0


def name_first(names: Collection[str], most: int = 5) -> str:
    """The first of them, and how many more."""
    return text.join_names(sorted(names), most)
