"""What a list of writes makes of the documents: all of it, or a refusal."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from local.services.firestore.data.field_paths import assign, lookup, parse_field_path, remove
from local.services.firestore.data.limits import normalize_document
from local.services.firestore.messages import Document, Precondition, Write, WriteResult
from local.services.firestore.names import check_document
from local.services.firestore.statuses import already_exists, failed_precondition, invalid_argument, not_found
from local.services.firestore.timeline import to_micros, to_timestamp
from local.services.firestore.writes.transforms import transform


@dataclass(frozen=True)
class WriteOutcome:
    """What a list of writes comes to; a document that is None is not there."""

    documents: dict[str, Document | None]
    """All that were written, as they are afterwards."""
    changes: dict[str, Document | None]
    """Those that are not as before."""
    results: list[WriteResult]
    """What to answer for each write."""


def apply(
    writes: Iterable[Write], database: str, read: Callable[[str], Document | None], time: int
) -> WriteOutcome:
    """The outcome of the writes, in order, on what `read` gives; nothing is changed by it.

    A write that leaves a document as it is keeps its update time, and is no change. `time` is the
    commit's, in microseconds.

    Raises: Refused for the first write that cannot be done.
    """
    documents: dict[str, Document | None] = {}
    results = []
    for write in writes:
        name = check_document(_target_name(write), database)
        before = documents[name] if name in documents else read(name)
        _check_precondition(name, write.current_document, before, time)
        documents[name], result = _apply_write(write, name, before, time)
        results.append(result)
    changes = {name: after for name, after in documents.items() if after is not read(name)}
    return WriteOutcome(documents, changes, results)


def _target_name(write: Write) -> str:
    match write.WhichOneof("operation"):
        case "update":
            name: str = write.update.name
        case "delete":
            name = write.delete
        case "transform":
            name = write.transform.document
        case _:
            raise invalid_argument("A write must update, delete or transform a document.")
    return name


def _check_precondition(name: str, condition: Precondition, before: Document | None, time: int) -> None:
    match condition.WhichOneof("condition_type"):
        case "exists" if condition.exists and before is None:
            raise not_found(f"No document to update: {name}")
        case "exists" if not condition.exists and before is not None:
            raise already_exists(f"Document already exists: {name}")
        case "update_time":
            _check_update_time(to_micros(condition.update_time), before, time)


def _check_update_time(required: int, before: Document | None, time: int) -> None:
    if required > time:
        raise invalid_argument("The required update time lies in the future.")
    stored = to_micros(before.update_time) if before is not None else 0
    if stored != required:
        raise failed_precondition(
            f"The stored version ({stored}) does not match the required base version ({required})."
        )


def _apply_write(
    write: Write, name: str, before: Document | None, time: int
) -> tuple[Document | None, WriteResult]:
    if write.WhichOneof("operation") == "delete":
        return None, WriteResult()
    after = _build_updated_document(write, name, before)
    transforms = write.update_transforms or write.transform.field_transforms
    computed = transform(after, transforms, time)
    normalize_document(after)
    after = _set_times(after, before, time)
    return after, WriteResult(update_time=after.update_time, transform_results=computed)


def _build_updated_document(write: Write, name: str, before: Document | None) -> Document:
    """A new document with the fields that the write asks for, before its transforms."""
    after = Document(name=name)
    if write.HasField("update") and not write.HasField("update_mask"):
        after.MergeFrom(Document(name=name, fields=write.update.fields))
        return after
    if before is not None:
        after.CopyFrom(before)
    for text in write.update_mask.field_paths:
        path = parse_field_path(text)
        value = lookup(write.update, path)
        if value is None:
            remove(after, path)
        else:
            assign(after, path, value)
    return after


def _set_times(after: Document, before: Document | None, time: int) -> Document:
    """The document with its times; `before` itself when nothing differs."""
    now = to_timestamp(time)
    if before is None:
        after.create_time.CopyFrom(now)
    else:
        after.create_time.CopyFrom(before.create_time)
        after.update_time.CopyFrom(before.update_time)
        if _bytes(after) == _bytes(before):
            return before
    after.update_time.CopyFrom(now)
    return after


def _bytes(document: Document) -> bytes:
    """Equal for equal documents only: unlike `==`, NaN is itself, and 0.0 is not -0.0."""
    stored: bytes = document.SerializeToString(deterministic=True)
    return stored
