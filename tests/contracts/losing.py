"""Answers that are lost on the way back: what was asked for has happened, and nobody is told."""

from __future__ import annotations

from typing import Protocol

import grpc

from local.faults import Faults, Moment
from local.wire import Refused
from shared.errors import Ambiguous
from tests.fakes.hooks import Hook, no_hook


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


def lose_on_the_wire(faults: Faults, lost: str) -> None:
    """The service's next call of that name takes effect, and its answer is lost."""

    def hook(call: str, moment: Moment) -> None:
        if (call, moment) == (lost, Moment.AFTER):
            faults.remove(hook)
            raise Refused(grpc.StatusCode.UNAVAILABLE, "the answer was lost")

    faults.add(hook)
