"""Functions and revisions as Google's messages write them, to what is compared and kept."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC
from typing import Any

from google.cloud import functions_v2
from google.protobuf.json_format import MessageToDict

from shared.core.codec import JsonObject
from shared.core.text import last_segment
from shared.domain.deployments.inventory.inventory_parts import (
    Configuration,
    FunctionState,
    Generation,
    RevisionState,
    SecretUse,
    SourceObject,
    build_configuration,
    values_hash,
)
from shared.domain.deployments.inventory.traffic import Scaling, Service
from shared.domain.deployments.source_copies import VariableValues

_FIRST_GENERATION = functions_v2.Environment.GEN_1

_EXCLUDED_FIELDS = {
    "": ("state", "state_messages", "update_time", "create_time", "url", "satisfies_pzs"),
    "build_config": ("build", "source", "source_provenance", "environment_variables"),
    "service_config": (
        "service",
        "uri",
        "revision",
        "environment_variables",
        "all_traffic_on_latest_revision",
    ),
    "event_trigger": ("trigger",),
}
"""Of a function's definition: what is output only (google/cloud/functions/v2/functions.proto in
google-cloud-functions 1.25.0), is traffic, or is kept elsewhere; by the message that it is in."""


def function_states(
    functions: Iterable[Any], services: Mapping[str, Service], revisions: Iterable[Any]
) -> dict[str, FunctionState]:
    """Every function by its short name; of its revisions those that can be reached."""
    known = {message.name: message for message in revisions}
    return {state.name: state for state in (_function(message, services, known) for message in functions)}


def _function(message: Any, services: Mapping[str, Service], revisions: Mapping[str, Any]) -> FunctionState:
    service = services.get(message.service_config.service)
    return FunctionState(
        name=last_segment(message.name),
        generation=Generation.FIRST if message.environment == _FIRST_GENERATION else Generation.SECOND,
        runtime=message.build_config.runtime,
        entry_point=message.build_config.entry_point,
        source=_source(message.build_config),
        configuration=_function_configuration(message.service_config),
        service=service.name if service else "",
        latest=service.latest_ready if service else "",
        traffic=service.traffic if service else (),
        scaling=service.scaling if service else Scaling(),
        trigger=message.event_trigger.trigger,
        revisions=dict(_reachable_revisions(service, revisions)) if service else {},
        definition=_definition(message),
        build_variables=tuple(sorted(message.build_config.environment_variables)),
        build_variables_hash=values_hash(message.build_config.environment_variables),
    )


def variable_values(message: Any) -> VariableValues:
    """The values of a function's plain variables, which are nowhere in its state."""
    return VariableValues(
        dict(message.service_config.environment_variables), dict(message.build_config.environment_variables)
    )


def _definition(message: Any) -> JsonObject:
    """All that whoever deployed it has said, but for values of plain variables and its source."""
    said = type(message)()
    said.CopyFrom(message)
    for place, names in _EXCLUDED_FIELDS.items():
        if not place or said.HasField(place):
            holder = getattr(said, place) if place else said
            for name in names:
                holder.ClearField(name)
    written: JsonObject = MessageToDict(said)
    return written


def _reachable_revisions(
    service: Service, revisions: Mapping[str, Any]
) -> Iterator[tuple[str, RevisionState]]:
    """The revisions that the traffic list names; one that is gone is not among them."""
    for name in sorted({entry.revision or service.latest_ready for entry in service.traffic}):
        message = revisions.get(f"{service.name}/revisions/{name}")
        if message is not None:
            yield (
                name,
                RevisionState(
                    created_at=message.create_time.ToDatetime(tzinfo=UTC),
                    image=message.containers[0].image if message.containers else "",
                    configuration=_revision_configuration(message),
                ),
            )


def _source(build: Any) -> SourceObject | None:
    """What was built: the resolved object has a generation, the one asked for perhaps not."""
    for place in (build.source_provenance.resolved_storage_source, build.source.storage_source):
        if place.bucket:
            return SourceObject(place.bucket, place.object_, place.generation)
    return None


def _function_configuration(config: Any) -> Configuration:
    return build_configuration(
        config.environment_variables,
        _function_secret_uses(config),
        account=config.service_account_email,
        min_instances=config.min_instance_count,
        max_instances=config.max_instance_count,
        concurrency=config.max_instance_request_concurrency,
    )


def _function_secret_uses(config: Any) -> Iterator[SecretUse]:
    for variable in config.secret_environment_variables:
        yield SecretUse(variable.key, last_segment(variable.secret), variable.version)
    for volume in config.secret_volumes:
        for version in volume.versions:
            place = f"{volume.mount_path}/{version.path.lstrip('/')}"
            yield SecretUse(place, last_segment(volume.secret), version.version)


def _revision_configuration(message: Any) -> Configuration:
    """Over all containers; side cars have variables too."""
    variables = [one for container in message.containers for one in container.env]
    return build_configuration(
        {one.name: one.value for one in variables if not one.HasField("value_source")},
        _revision_secret_uses(message, variables),
        account=message.service_account,
        min_instances=message.scaling.min_instance_count,
        max_instances=message.scaling.max_instance_count,
        concurrency=message.max_instance_request_concurrency,
    )


def _revision_secret_uses(message: Any, variables: Iterable[Any]) -> Iterator[SecretUse]:
    for variable in variables:
        if variable.HasField("value_source"):
            reference = variable.value_source.secret_key_ref
            yield SecretUse(variable.name, last_segment(reference.secret), reference.version)
    paths = {
        mount.name: mount.mount_path for container in message.containers for mount in container.volume_mounts
    }
    for volume in message.volumes:
        for item in volume.secret.items:
            place = f"{paths.get(volume.name, volume.name)}/{item.path}"
            yield SecretUse(place, last_segment(volume.secret.secret), item.version)
