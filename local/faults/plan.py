"""A fault plan: which call, operation or message goes wrong, in which way, and how often.

A plan is JSON; `local/faults/fault_plan.schema.json` says its shape. It is checked whole: every
fault that it has itself is listed.
"""

from collections.abc import Collection, Iterator
from enum import StrEnum
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any, Literal

import jsonschema_rs
import msgspec
from msgspec import Meta, Struct

from shared.core import codec

PUSH = "push "
"""Begins the name of a push to an endpoint: `push projects/P/subscriptions/S`."""

Share = Annotated[float, Meta(ge=0, le=1, description="Of those that match, drawn by the seed.")]
Times = Annotated[int, Meta(ge=1, description="How often at most; absent: without an end.")]
Skip = Annotated[int, Meta(ge=0, description="How many that match are left alone first.")]
Pattern = Annotated[str, Meta(min_length=1)]
Seconds = Annotated[float, Meta(ge=0, le=30 * 86_400, description="Of cloud time.")]


class Answer(StrEnum):
    """What a call is answered with instead: a status, or the end of its connection."""

    ABORTED = "ABORTED"
    ALREADY_EXISTS = "ALREADY_EXISTS"
    CANCELLED = "CANCELLED"
    DEADLINE_EXCEEDED = "DEADLINE_EXCEEDED"
    FAILED_PRECONDITION = "FAILED_PRECONDITION"
    INTERNAL = "INTERNAL"
    INVALID_ARGUMENT = "INVALID_ARGUMENT"
    NOT_FOUND = "NOT_FOUND"
    PERMISSION_DENIED = "PERMISSION_DENIED"
    RESOURCE_EXHAUSTED = "RESOURCE_EXHAUSTED"
    UNAUTHENTICATED = "UNAUTHENTICATED"
    UNAVAILABLE = "UNAVAILABLE"
    UNKNOWN = "UNKNOWN"
    DROP = "DROP"


class CallFault(Struct, frozen=True, forbid_unknown_fields=True):
    """Calls that are answered otherwise, or late, or both."""

    call: Annotated[
        Pattern, Meta(description="`google.firestore.v1.Firestore/Commit`, or `push …`; * and ? stand in.")
    ]
    answer: Answer | None = None
    when: Literal["before", "after"] = "before"
    """On which side of the effect: `after` the call has done what was asked."""
    delay_seconds: Seconds = 0.0
    retry_after_seconds: Annotated[Seconds, Meta(description="RetryInfo of RESOURCE_EXHAUSTED.")] = 0.0
    share: Share = 1.0
    times: Times | None = None
    skip: Skip = 0


class OperationFault(Struct, frozen=True, forbid_unknown_fields=True):
    """Operations of Cloud Run, Functions and Firestore that take longer, or fail when due, or both.

    A backup schedule that fails is there and makes no backup.
    """

    service: Annotated[
        Pattern,
        Meta(
            description="`projects/P/locations/R/services/S` (functions/F),"
            " `projects/P/databases/D/exportDocuments` (restoreDatabase, cloneDatabase),"
            " `projects/P/databases/D/backupSchedules/S`; * and ? stand in."
        ),
    ]
    delay_seconds: Seconds = 0.0
    failure: str = ""
    share: Share = 1.0
    times: Times | None = None
    skip: Skip = 0


class MessageFault(Struct, frozen=True, forbid_unknown_fields=True):
    """Messages that come late, in another order, or more than once."""

    subscription: Annotated[Pattern, Meta(description="`projects/P/subscriptions/S`; * and ? stand in.")]
    delay_seconds: Seconds = 0.0
    reorder_seconds: Annotated[
        Seconds, Meta(description="Each comes later by a time drawn up to this, alone.")
    ] = 0.0
    copies: Annotated[int, Meta(ge=0, le=100, description="Deliveries after it is acknowledged.")] = 0
    share: Share = 1.0
    times: Times | None = None
    skip: Skip = 0


class FaultPlan(Struct, frozen=True, forbid_unknown_fields=True):
    """Everything that is to go wrong; the same seed draws the same faults."""

    seed: int = 0
    calls: tuple[CallFault, ...] = ()
    operations: tuple[OperationFault, ...] = ()
    messages: tuple[MessageFault, ...] = ()


class BadPlan(Exception):
    """A plan that cannot be; `faults` lists every reason, each with its place in the plan."""

    def __init__(self, *faults: str) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


def schema() -> dict[str, Any]:
    """The JSON Schema of a plan, as `local/faults/fault_plan.schema.json` publishes it."""
    described = codec.json_schema(FaultPlan)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **described}


def load(file: Path) -> FaultPlan:
    """The plan in a file. Raises: BadPlan."""
    try:
        content = file.read_bytes()
    except OSError as error:
        raise BadPlan(f"{file}: cannot be read: {error.strerror}") from error
    return parse_plan(content)


def parse_plan(content: bytes) -> FaultPlan:
    """The plan in JSON text. Raises: BadPlan."""
    try:
        value = codec.from_json(content)
    except msgspec.DecodeError as error:
        raise BadPlan(f"not JSON: {error}") from error
    found = jsonschema_rs.validator_for(schema()).iter_errors(value)
    if wrong := [f"{_format_path(error.instance_path)}: {error.message}" for error in found]:
        raise BadPlan(*sorted(wrong))
    plan: FaultPlan = codec.from_builtins(value, FaultPlan)
    if idle := list(_find_ineffective_faults(plan)):
        raise BadPlan(*idle)
    return plan


def check_calls(plan: FaultPlan, served: Collection[str]) -> None:
    """Nothing, once every call fault means a call that is served, or a push. Raises: BadPlan."""
    unknown = [
        f"calls[{index}].call: '{fault.call}' is none of the calls that are served"
        for index, fault in enumerate(plan.calls)
        if not fault.call.startswith(PUSH) and not any(fnmatchcase(call, fault.call) for call in served)
    ]
    if unknown:
        raise BadPlan(*unknown)


def _find_ineffective_faults(plan: FaultPlan) -> Iterator[str]:
    """What would have no effect."""
    for index, call in enumerate(plan.calls):
        if call.answer is None and not call.delay_seconds:
            yield f"calls[{index}]: neither an answer nor a delay"
        if call.retry_after_seconds and call.answer is not Answer.RESOURCE_EXHAUSTED:
            yield f"calls[{index}].retry_after_seconds: only RESOURCE_EXHAUSTED carries it"
    for index, operation in enumerate(plan.operations):
        if not (operation.delay_seconds or operation.failure):
            yield f"operations[{index}]: neither a delay nor a failure"
    for index, message in enumerate(plan.messages):
        if not (message.delay_seconds or message.reorder_seconds or message.copies):
            yield f"messages[{index}]: neither late, nor in another order, nor copied"


def _format_path(path: list[str | int]) -> str:
    """`calls[0].share`; the whole plan is `plan`."""
    steps = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return "".join(steps).lstrip(".") or "plan"
