"""The retry of a commit that met a write conflict."""

from collections.abc import Callable
from typing import TypeVar

from shared.core.errors import Moved, Unavailable

T = TypeVar("T")


def retry_on_conflict(
    attempt: Callable[[], T],
    attempts: int,
    gave_up: str,
    sleep: Callable[[float], object] = lambda _: None,
    seconds: float = 0.1,
) -> T:
    """Return what the attempt returns; repeat it as long as a write conflict ends it.

    Each attempt reads again what its commit is conditional on; it sleeps so many seconds before.
    Raises: Unavailable, with `gave_up`, when so many attempts met a conflict; as the attempt.
    """
    for _ in range(attempts):
        try:
            return attempt()
        except Moved:
            sleep(seconds)
    raise Unavailable(gave_up)
