"""What a system declares of its data: what is valid in each collection, and how it is looked at."""

from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from typing import Any

from shared.core.codec import FrozenStruct, JsonObject
from shared.domain.policy.document_scope import Scope
from shared.domain.policy.resources import DEFAULT_DATABASE


class Comparison(StrEnum):
    """How a term looks at a field."""

    EQUAL = "=="
    UNEQUAL = "!="
    LESS = "<"
    AT_MOST = "<="
    MORE = ">"
    AT_LEAST = ">="
    ONE_OF = "in"
    PRESENT = "present"
    ABSENT = "absent"


class Term(FrozenStruct):
    """One condition on a field; a value of another type than the field's matches nothing."""

    field: str
    op: Comparison
    value: Any = None


class FaultyQuery(FrozenStruct):
    """A query of the system's own: whatever document it finds is faulty."""

    name: str
    where: tuple[Term, ...]


class Derived(FrozenStruct):
    """What the application makes from other data, and can make again."""

    topic: str
    fields: tuple[str, ...] = ()


class OnRepair(StrEnum):
    """What is done about whatever a document written back would start: functions, and others."""

    REFUSE = "refuse"
    """Nothing is written back."""
    FIRE = "fire"
    """It is started, and can bear that."""


class Collection(FrozenStruct):
    """What is valid in one collection."""

    critical_as: str = ""
    everywhere: bool = False
    schema: JsonObject = {}
    references: dict[str, str] = {}
    """Fields that name documents, with the declared collection that these are in."""
    media: dict[str, str] = {}
    updated_field: str = ""
    largest_drop: float | None = None
    faulty: tuple[FaultyQuery, ...] = ()
    derived: tuple[Derived, ...] = ()
    writers: tuple[str, ...] = ()
    expires: str = ""
    on_repair: OnRepair = OnRepair.REFUSE


def declared_collection_name(collections: Mapping[str, Collection], path: str) -> str:
    """Return the name that declares a collection, by its path or its id; empty: none."""
    name = path.rpartition("/")[2]
    if name in collections and (name == path or collections[name].everywhere):
        return name
    return ""


class IntegrityRules(FrozenStruct):
    """When the declared collections are looked through, and what that may cost."""

    database: str = DEFAULT_DATABASE
    every: timedelta = timedelta(days=1)
    read_budget: int = 200_000
    confidence: float = 0.95
    drop_within: timedelta = timedelta(days=1)
    quiet: timedelta = timedelta(minutes=10)


class FenceRules(FrozenStruct):
    """What must hold across documents, and who is stopped while it is put right."""

    invariants: tuple[str, ...]
    writers: tuple[str, ...]
    canary: str
    stands_within: timedelta = timedelta(minutes=5)
    longest: timedelta = timedelta(minutes=30)


class Place(FrozenStruct):
    """Documents that belong to a person."""

    collection: str
    everywhere: bool = False
    field: str = ""

    @property
    def scope(self) -> Scope:
        """Where they are."""
        return Scope(self.collection, self.everywhere)

    def __str__(self) -> str:
        """As a path template: `users/{person}`, or `orders where customer is {person}`."""
        if self.field:
            return f"{self.collection} where {self.field} is {{person}}"
        return f"{self.collection}/{{person}}"


class ErasureRules(FrozenStruct):
    """Where the application says who was erased, and where what belongs to a person stands."""

    documents: tuple[Place, ...]
    collection: str = ""
    person: str = ""
    erased_at: str = ""
