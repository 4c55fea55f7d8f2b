"""Answers that are not the service's own: lost on the way back, or a refusal in their place."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import grpc
import pytest

from local.core.grpc_services import StatusError
from local.faults.hooks import CallMoment, FaultHooks
from shared.core.errors import Ambiguous, Rejected, RollbackError, Throttled
from tests.support.fakes.runtime.hooks import Hook, no_hook

EFFECT_MEANINGS: tuple[tuple[str, type[RollbackError]], ...] = (
    ("UNAVAILABLE", Ambiguous),
    ("RESOURCE_EXHAUSTED", Throttled),
    ("PERMISSION_DENIED", Rejected),
)
"""What each status means in the place of the answer to an effect."""


class Hooked(Protocol):
    """A fake."""

    hook: Hook


def lose_in_memory(fake: Hooked, lost: str) -> None:
    """The fake's next verb of that name takes effect, and its answer is lost."""

    def hook(verb: str, side: str) -> None:
        if (verb, side) == (lost, "after"):
            fake.hook = no_hook
            raise Ambiguous("the answer was lost")

    fake.hook = hook


def lose_on_the_wire(faults: FaultHooks, lost: str) -> None:
    """The service's next call of that name takes effect, and its answer is lost."""
    answer_once(faults, lost, refusal("UNAVAILABLE"), CallMoment.AFTER)


def refusal(status: str) -> StatusError:
    """An answer of that status."""
    return StatusError(grpc.StatusCode[status], "injected")


def answer_once(
    faults: FaultHooks, call: str, answer: StatusError, moment: CallMoment = CallMoment.BEFORE
) -> None:
    """The service's next call whose name ends so has that answer; each after it has its own."""

    def hook(asked: str, at: CallMoment) -> None:
        if asked.endswith(f"/{call}") and at is moment:
            faults.remove(hook)
            raise answer

    faults.add(hook)


@contextmanager
def raises_exactly(error: type[RollbackError]) -> Iterator[pytest.ExceptionInfo[Any]]:
    """The block raises that error, and not one of its subclasses."""
    with pytest.raises(RollbackError) as raised:
        yield raised
    assert type(raised.value) is error
