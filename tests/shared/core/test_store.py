"""What a write conflict repeats, and what it does not."""

import pytest

from shared.core.errors import Exists, Moved, Refused, Unavailable
from shared.core.store import retry_on_conflict


class _Attempts:
    """Ends as it is told, one end after the other; a text is an answer."""

    def __init__(self, *ends: str | Exception) -> None:
        self._ends = list(ends)
        self.pauses: list[float] = []

    def __call__(self) -> str:
        end = self._ends.pop(0)
        if isinstance(end, Exception):
            raise end
        return end

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)


def test_an_attempt_that_meets_conflicts_is_repeated_after_a_pause_each() -> None:
    """A document that was created meanwhile is a conflict as well."""
    attempts = _Attempts(Moved("by another"), Exists("by another"), "landed")
    assert retry_on_conflict(attempts, 3, "gave up", attempts.sleep, 0.2) == "landed"
    assert attempts.pauses == [0.2, 0.2]


def test_conflicts_that_do_not_end_are_given_up_with_the_callers_words() -> None:
    attempts = _Attempts(Moved("first"), Moved("second"), "never asked for")
    with pytest.raises(Unavailable, match="too fast"):
        retry_on_conflict(attempts, 2, "its documents change too fast")


@pytest.mark.parametrize("end", [Refused("no"), Unavailable("no answer")])
def test_what_is_no_conflict_is_not_repeated(end: Exception) -> None:
    attempts = _Attempts(end, "never asked for")
    with pytest.raises(type(end)):
        retry_on_conflict(attempts, 2, "gave up")
