"""The steps in one worker's hands, as far as they have come."""

from __future__ import annotations

from collections.abc import Mapping
from operator import attrgetter

from shared.domain.rollback.plan import Step, StepStatus

_number = attrgetter("number")


class InHand(dict[str, Step]):
    """Steps by name, in the plan's order; of a thousand it knows those that are under way."""

    def __init__(self, steps: Mapping[str, Step]) -> None:
        super().__init__(steps)
        self.touched: set[str] = set()
        """Names of those that were set since whoever keeps them has emptied this."""
        self._begun = {name for name, step in steps.items() if step.status is StepStatus.BEGUN}

    def __setitem__(self, name: str, step: Step) -> None:
        super().__setitem__(name, step)
        self.touched.add(name)
        if step.status is StepStatus.BEGUN:
            self._begun.add(name)
        else:
            self._begun.discard(name)

    def begun(self) -> list[Step]:
        """Those that have begun and not ended, in the plan's order."""
        return sorted([self[name] for name in self._begun], key=_number)
