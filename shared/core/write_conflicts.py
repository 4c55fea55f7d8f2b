"""The retry of a commit that met a write conflict."""

from collections.abc import Callable
from typing import TypeVar

from shared.core.errors import Moved, Unavailable

T = TypeVar("T")


def retry_on_conflict(
    attempt: Callable[[], T], attempts: int, gave_up: str, pause: Callable[[], object] = lambda: None
) -> T:
    """Return what the attempt returns; repeat it as long as a write conflict ends it.

    Each attempt reads again what its commit is conditional on; `pause` is called between two.
    Raises: Unavailable, with `gave_up`, when so many attempts met a conflict; as the attempt.
    """
    for _ in range(attempts):
        try:
            return attempt()
        except Moved:
            pause()
    raise Unavailable(gave_up)
