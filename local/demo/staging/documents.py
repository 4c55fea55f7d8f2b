"""The documents of the play: what is valid in each declared collection, and how they get there."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from google.cloud.firestore_v1 import types

from local.demo.staging.processes import DemoStage
from shared.domain.policy.data_rules import Collection
from shared.domain.policy.system_policy import Policy

MAX_WRITES_PER_COMMIT = 400

Document = tuple[str, Mapping[str, int | str]]
"""Its path and its fields."""


def build_valid_documents(policy: Policy, documents: int) -> Iterator[Document]:
    """So many of each collection, numbered from 0; each names the one of its own number."""
    for name, collection in policy.collections.items():
        for number in range(documents):
            yield f"{name}/{number}", build_valid_fields(collection, number)


def build_valid_fields(collection: Collection, number: int) -> dict[str, Any]:
    """A document that keeps what is declared of the collection's."""
    kinds = collection.schema.get("properties", {})
    needed = {
        field: 1 if kinds.get(field, {}).get("type") == "number" else "open"
        for field in collection.schema.get("required", ())
    }
    return {"number": number, **needed, **dict.fromkeys(collection.references, str(number))}


def find_referencing_collection(policy: Policy) -> tuple[str, Collection, str]:
    """A collection whose documents name others, with the field in which they do."""
    return next(
        (name, one, next(iter(one.references))) for name, one in policy.collections.items() if one.references
    )


def write_documents(stage: DemoStage, documents: Iterable[Document]) -> None:
    """Let the documents be so, as the application would."""
    policy = stage.policy
    database = f"projects/{policy.project}/databases/{policy.integrity.database}"
    waiting = list(documents)
    for first in range(0, len(waiting), MAX_WRITES_PER_COMMIT):
        request = types.CommitRequest.pb()(database=database)
        for path, content in waiting[first : first + MAX_WRITES_PER_COMMIT]:
            message = request.writes.add()
            message.update.name = f"{database}/documents/{path}"
            for field, value in content.items():
                kind = "integer_value" if isinstance(value, int) else "string_value"
                setattr(message.update.fields[field], kind, value)
        stage.wiring.clients.firestore.commit(request, retry=None)
