"""What is made when it is first asked for: once, by one thread, whoever asks meanwhile.

Two threads that import two ends of a package at once (`requests`, `requests.adapters`) wait for
each other; Python lets one of them on, who finds the module half there: ImportError, AttributeError
or `_DeadlockError`. And two that build at once build two: `functools.cached_property` has no lock
from Python 3.12 on, `functools.cache` never had one. So the wiring and its adapters import and
build under one lock of the process; a plain value may well be made twice.
"""

from collections.abc import Callable
from functools import cached_property, wraps
from threading import RLock
from typing import Any, ParamSpec, Self, TypeVar, overload

P = ParamSpec("P")
T = TypeVar("T")

creation_lock = RLock()
"""Held by whoever makes something; what is made may ask for what it needs."""


class LockedCachedProperty(cached_property[T]):
    """A `cached_property` that all threads find the same."""

    @overload
    def __get__(self, instance: None, owner: type[Any] | None = None) -> Self: ...
    @overload
    def __get__(self, instance: object, owner: type[Any] | None = None) -> T: ...
    def __get__(self, instance: object, owner: type[Any] | None = None) -> Self | T:
        """What is kept; made now, where nothing is."""
        with creation_lock:
            return super().__get__(instance, owner)


def synchronized(function: Callable[P, T]) -> Callable[P, T]:
    """The function, in one thread at a time."""

    @wraps(function)
    def called(*args: P.args, **kwargs: P.kwargs) -> T:
        with creation_lock:
            return function(*args, **kwargs)

    return called
