"""Settings of Identity Platform as they were, field by field."""

from collections.abc import Mapping
from typing import Any

import msgspec

from shared.core.codec import FrozenStruct, decode, from_json
from shared.domain.deployments.inventory.inventory_parts import WholeInventory, json_fingerprint
from shared.domain.deployments.inventory.products import InventoryPart
from shared.domain.rollback.plan import Step
from shared.engine.steps.base import ResourceStep, StepObservation, StepVerdict

KIND = "set_identity"

INDIVISIBLE_FIELDS = ("blockingFunctions.triggers", "smsRegionConfig")
"""Fields that are set whole: a mask does not reach into a map, and of two alternatives one goes
with the other (google/protobuf/field_mask.proto)."""
_OUTPUT_ONLY_FIELD = "updateTime"
"""Of each blocking function: when it was set."""


class AuthSetting(FrozenStruct):
    """One field."""

    path: str
    goal: str | None
    """As JSON; None: it was not set."""
    origin: str | None


class AuthConfigGoal(FrozenStruct):
    """What is to be set; all other fields stay as they are."""

    settings: tuple[AuthSetting, ...]
    functions: tuple[str, ...] = ()
    """The functions that these settings have called; they must be there."""


class SetAuthConfigStep(ResourceStep):
    """No precondition protects it: the configuration has neither etag nor versions."""

    part = InventoryPart.IDENTITY
    four_eyes = True
    expected_seconds = 1.0
    unconditional_timeout_seconds: float | None = 10.0
    """`shared.adapters.gcp.rest.EFFECT_TIMEOUT_SECONDS`: one call."""

    def look(self, step: Step) -> StepObservation:
        """Compare each field with its goal and its origin; one that is neither is a person's."""
        goal = decode(AuthConfigGoal, step.goal)
        live = mask_fields(self._estate.identity.settings())
        found = {one.path: live.get(one.path) for one in goal.settings}
        if all(found[one.path] == one.goal for one in goal.settings):
            return StepObservation(StepVerdict.AT_GOAL)
        others = [one.path for one in goal.settings if found[one.path] not in (one.goal, one.origin)]
        if others:
            return StepObservation(StepVerdict.ELSEWHERE, note=f"set to something else: {', '.join(others)}")
        known = self._platform.functions() if goal.functions else {}
        missing = [name for name in goal.functions if name not in known]
        if missing:
            return StepObservation(StepVerdict.IMPOSSIBLE, note=f"missing functions: {', '.join(missing)}")
        return StepObservation(StepVerdict.AT_ORIGIN, json_fingerprint(found))

    def set(self, step: Step) -> str:
        """Set exactly these fields, whatever they are by then."""
        goal = decode(AuthConfigGoal, step.goal)
        self._estate.identity.configure({one.path: one.goal and from_json(one.goal) for one in goal.settings})
        return ""

    @classmethod
    def touches(cls, step: Step, name: str) -> bool:
        """Return whether the step sets the field of this path, or a field that contains it."""
        return bool(_settings_of(step, name))

    @classmethod
    def is_at_goal(cls, step: Step, name: str, live: WholeInventory) -> bool:
        """Compare the fields of this path with their goals."""
        found = mask_fields(live.identity or {})
        return all(found.get(one.path) == one.goal for one in _settings_of(step, name))


def _settings_of(step: Step, name: str) -> list[AuthSetting]:
    """Return the step's settings that are the field of this path, or contain it."""
    settings = decode(AuthConfigGoal, step.goal).settings
    return [one for one in settings if f"{name}.".startswith(f"{one.path}.")]


def describe_origin(settings: tuple[AuthSetting, ...]) -> str:
    """What a look tells while every field is at its origin."""
    return json_fingerprint({one.path: one.origin for one in settings})


def mask_fields(settings: Mapping[str, Any]) -> dict[str, str]:
    """What a mask can name, each as JSON, from settings by their paths."""
    whole: dict[str, dict[str, Any]] = {}
    found = {}
    for path, value in settings.items():
        name = next((one for one in INDIVISIBLE_FIELDS if path.startswith(f"{one}.")), None)
        if name is None:
            found[path] = value
        elif path.rpartition(".")[2] != _OUTPUT_ONLY_FIELD:
            *parents, last = path.removeprefix(f"{name}.").split(".")
            place = whole.setdefault(name, {})
            for parent in parents:
                place = place.setdefault(parent, {})
            place[last] = value
    return {
        path: msgspec.json.encode(value, order="deterministic").decode()
        for path, value in {**found, **whole}.items()
    }
