"""What every kind of step has: how to look, how to set, and the facts that others ask of it."""

from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from typing import ClassVar

from shared.core.codec import FrozenStruct
from shared.domain.data.repair.repair_plan import RepairPosition
from shared.domain.deployments.inventory.inventory_parts import WholeInventory
from shared.domain.deployments.inventory.products import InventoryPart
from shared.domain.rollback.plan import Step
from shared.ports.groups import Ports
from shared.ports.platform import Builder, Platform, Prober
from shared.ports.resources import ProtectedResources


class StepVerdict(StrEnum):
    """Where the world stands for one step."""

    AT_GOAL = "at goal"
    AT_ORIGIN = "at origin"
    UNDER_WAY = "under way"
    ELSEWHERE = "elsewhere"
    """Neither where the plan started nor where it goes: a person is there."""
    IMPOSSIBLE = "impossible"


class StepObservation(FrozenStruct):
    """What one look found."""

    verdict: StepVerdict
    token: str = ""
    """The precondition under which the effect may be sent now."""
    note: str = ""
    is_further: bool = False
    """Whether an effect that comes in portions has come further: the next one is a new attempt."""


class StepContext(FrozenStruct):
    """The ports that the steps of one system reach the world by."""

    platform: Platform
    builder: Builder
    resources: ProtectedResources
    prober: Prober
    portions: Mapping[str, Callable[..., RepairPosition]]
    """By the kind of a step over documents: carries a step a portion further."""


def step_context(
    ports: Ports, system: str, portions: Mapping[str, Callable[..., RepairPosition]] = {}
) -> StepContext:
    """Return the context of one system's steps."""
    own = ports.system(system)
    return StepContext(own.platform, own.builder, own.resources, ports.prober, portions)


class DrillCheck(StrEnum):
    """How a drill tries a step."""

    NONE = "none"
    VALIDATE = "validate"
    """The platform takes a dry run of the effect."""
    LOOK = "look"
    """Only the world can be asked where it stands."""


class StepKind:
    """One kind of step: by default a precondition protects its effect, and no dry run is made."""

    expected_seconds: float
    """How long its effect usually takes."""
    unconditional_timeout_seconds: float | None = None
    """The client time-out of an effect that the platform takes without a precondition, sent once
    and not repeated by any transport; None: a precondition protects it."""
    drill: ClassVar[DrillCheck] = DrillCheck.NONE
    four_eyes: ClassVar[bool] = False
    """Whether two people must approve it, whatever the scenario."""

    def __init__(self, context: StepContext) -> None:
        """Keep the ports that it reaches the world by."""
        self._platform = context.platform
        self._builder = context.builder
        self._estate = context.resources
        self._prober = context.prober

    def look(self, step: Step) -> StepObservation:
        """Ask the world, not our memory, where it stands."""
        raise NotImplementedError

    def rehearse(self, step: Step) -> None:
        """Ask whether the platform would take the effect, and whatever else is to be known of it.

        Before any switch, and the lease, is looked at: `set` only sends. Raises: as `set`.
        """

    def set(self, step: Step) -> str:
        """Send the effect unless the world has changed since `step.seen`; an operation's name.

        Raises: Moved, Throttled, Ambiguous, Rejected.
        """
        raise NotImplementedError


class FunctionStep(StepKind):
    """A step that restores a function."""


class ResourceStep(StepKind):
    """A step that restores a resource beside the functions."""

    drill = DrillCheck.LOOK
    part: ClassVar[InventoryPart]
    """The part of an inventory that it changes."""

    @classmethod
    def touches(cls, step: Step, name: str) -> bool:
        """Return whether the step changes the thing of this name in its part."""
        return step.target == name

    @classmethod
    def is_at_goal(cls, step: Step, name: str, live: WholeInventory) -> bool:
        """Return whether the thing of this name is where the step was to lead it."""
        raise NotImplementedError

    @classmethod
    def explains(cls, name: str, before: WholeInventory, live: WholeInventory, steps: Iterable[Step]) -> bool:
        """Return whether these steps, which all touch the thing, led to all that differs of it."""
        return any(cls.is_at_goal(step, name, live) for step in steps)
