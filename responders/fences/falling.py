"""How a fence falls: by what it has on record itself, whatever has become of its policy.

That is the full name of each writer's service, and what its instances were.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from msgspec.structs import replace

from responders.asking import answered, ask_all
from shared import fence as fences
from shared.errors import Gone, Moved, Rejected, RollbackError, Unavailable
from shared.fence import Fence, Status, Writer
from shared.ports import Document, Ports
from shared.traffic import Scaling, Service


class Falling:
    """One look at a fence that nobody keeps up any more, and what it takes."""

    def __init__(self, ports: Ports, fence: Fence, found: Document) -> None:
        self._ports = ports
        self._fence = fence
        self._now = found.read_at

    def after(self) -> Fence:
        """The fence after it; what gives no answer is asked again."""
        try:
            return self._after(self._fence)
        except (Unavailable, Moved, Rejected) as failure:
            return replace(self._fence, waiting=str(failure))

    def _after(self, fence: Fence) -> Fence:
        if fence.status is Status.FALLING:
            return self._fallen(fence)
        return fences.falls(fence, f"{fence.system} has no policy any more", self._now)

    def _fallen(self, fence: Fence) -> Fence:
        """The fence with its writers asked for what they were, or down."""
        if not fence.writers:
            return fences.down(fence, (), self._now)
        services, unseen = self._seen(fence)
        stand = fences.stand([one for one in fence.writers if one.service not in unseen], services)
        if stand.to_free:
            self._scale({one: one.scaling for one in stand.to_free}, services)
            names = ", ".join(one.function for one in stand.to_free)
            return replace(fence, waiting=f"to be started again: {names}")
        for failure in unseen.values():  # it holds up no other
            raise failure
        if not stand.is_settled:
            return replace(fence, waiting="instances start")
        if not fences.may_be_down(fence, self._now):
            return replace(fence, waiting="")
        return fences.down(fence, stand.theirs, self._now)

    def _services(self, fence: Fence) -> dict[str, Service]:
        """The services of its writers, without those that are gone. Raises: the first failure."""
        services, unseen = self._seen(fence)
        for failure in unseen.values():
            raise failure
        return services

    def _seen(self, fence: Fence) -> tuple[dict[str, Service], dict[str, RollbackError]]:
        """The services of its writers as they are now, without those that are gone.

        And of which there was no answer, or a no.
        """
        names = [one.service for one in fence.writers]
        calls = {name: partial(self._ports.services.service, name) for name in names}
        answers = ask_all(self._ports, calls)
        services = {name: one for name, one in answers.items() if isinstance(one, Service)}
        failures = {name: one for name, one in answers.items() if isinstance(one, RollbackError)}
        unseen = {name: one for name, one in failures.items() if not isinstance(one, Gone)}
        return services, unseen

    def _scale(self, wanted: Mapping[Writer, Scaling], services: Mapping[str, Service]) -> None:
        """Ask for instances, each at the etag that was just read. Raises: the first failure."""
        calls = {
            writer.service: partial(
                self._ports.services.shift,
                writer.service,
                services[writer.service].traffic,
                services[writer.service].etag,
                scaling=scaling,
            )
            for writer, scaling in wanted.items()
        }
        for answer in ask_all(self._ports, calls).values():
            answered(answer)
