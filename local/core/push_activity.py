"""Who works at what the embedded cloud has pushed to them, and who only waits for time to pass."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class PushActivity:
    """The endpoints that have a message in hand.

    An endpoint works unless the responder of one of its messages has said that it waits: what an
    endpoint takes one at a time queues behind that one.
    """

    def __init__(self, changed: Callable[[bool], None]) -> None:
        """`changed` hears whether any endpoint works, at each change of what is in hand."""
        self._changed = changed
        self._lock = threading.Lock()
        self._pushed: dict[object, tuple[str, str]] = {}
        """Endpoint and message of each push that is not answered."""
        self._waiting: Counter[str] = Counter()
        """Messages whose responders wait."""

    @contextmanager
    def pushed(self, endpoint: str, message: str) -> Iterator[None]:
        """The body pushes a message, and waits for the answer."""
        push = object()
        with self._lock:
            self._pushed[push] = endpoint, message
            self._tell()
        try:
            yield
        finally:
            with self._lock:
                self._pushed.pop(push, None)
                self._tell()

    def forget(self, endpoint: str) -> None:
        """Nothing is pushed to that endpoint any more: whether it ever answers is all the same."""
        with self._lock:
            self._pushed = {key: one for key, one in self._pushed.items() if one[0] != endpoint}
            self._tell()

    @contextmanager
    def waiting(self, message: str) -> Iterator[None]:
        """The responder of a message waits while the body runs; of none: nobody's."""
        with self._lock:
            self._waiting[message] += 1
            self._tell()
        try:
            yield
        finally:
            with self._lock:
                self._waiting[message] -= 1
                self._waiting += Counter()  # what nobody waits with is forgotten
                self._tell()

    def _tell(self) -> None:
        pushed = self._pushed.values()
        resting = {endpoint for endpoint, message in pushed if message in self._waiting}
        self._changed(any(endpoint not in resting for endpoint, _ in pushed))
