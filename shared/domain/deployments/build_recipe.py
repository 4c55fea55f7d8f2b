"""A function as its builds have left it, and what it is built from again."""

from msgspec.structs import replace

from shared.core.codec import FrozenStruct, JsonObject
from shared.domain.deployments.inventory.inventory_parts import (
    Configuration,
    FunctionState,
    Generation,
    SourceObject,
    json_fingerprint,
)

REDEPLOY = "redeploy"
"""The kind of step that builds."""
EXPECTED_REBUILD_SECONDS = 90.0


class BuiltFunction(FrozenStruct):
    """A function as the platform shows it now."""

    state: FunctionState
    """As it would be recorded, without its service's traffic."""
    service: str
    """Full name of its Cloud Run service; empty: it has none."""
    revision: str
    """Short name of the revision that its newest deployment made; empty: it has no service."""
    active: bool
    """Its newest deployment succeeded."""
    deploying: bool


class RunningDeployment(FrozenStruct):
    """A deployment of a function that has not ended."""

    operation: str
    source: SourceObject | None
    """What it was asked to build; None: it does not say so."""


class Recipe(FrozenStruct):
    """All that a function is built from, without what its plain variables hold."""

    source: SourceObject
    """Our copy."""
    definition: JsonObject
    """As recorded: `FunctionState.definition`."""
    configuration: Configuration
    """As recorded; it tells where the values of the variables are kept."""
    build_variables_hash: str = ""
    generation: Generation = Generation.SECOND
    original: SourceObject | None = None
    """What our copy is a copy of."""


def derive_recipe(recorded: FunctionState) -> Recipe | None:
    """Return how to build a function as recorded; None: our source or values are missing."""
    plain = recorded.configuration.variables or recorded.build_variables
    if recorded.copy is None or (plain and recorded.configuration.values is None):
        return None
    return Recipe(
        source=recorded.copy,
        definition=recorded.definition,
        configuration=recorded.configuration,
        build_variables_hash=recorded.build_variables_hash,
        generation=recorded.generation,
        original=recorded.source,
    )


def is_built_from(state: FunctionState, wanted: Recipe) -> bool:
    """Whether a function's newest deployment is of that source, with that configuration."""
    return state.source == wanted.source and _is_configured_as(state, wanted)


def is_running_as_recorded(state: FunctionState, wanted: Recipe) -> bool:
    """The same, or of the very source that ours is a copy of."""
    return state.source in (wanted.source, wanted.original) and _is_configured_as(state, wanted)


def _is_configured_as(state: FunctionState, wanted: Recipe) -> bool:
    return (_without_stored_copies(state.configuration), state.build_variables_hash) == (
        _without_stored_copies(wanted.configuration),
        wanted.build_variables_hash,
    )


def deployment_marker(state: FunctionState | None) -> str:
    """What tells one deployment of a function from another; of one that is not there, too."""
    if state is None:
        return "absent"
    return json_fingerprint(
        (state.source, _without_stored_copies(state.configuration), state.build_variables_hash)
    )


def _without_stored_copies(configuration: Configuration) -> Configuration:
    """Without where we keep its values: what runs does not know of that."""
    return replace(configuration, values=None)
