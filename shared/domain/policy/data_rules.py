"""What a system declares of its data: what is valid in each collection, and how it is looked at."""

from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from typing import Any

from msgspec import Struct

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


class Term(Struct, frozen=True):
    """One condition on a field; a value of another type than the field's matches nothing."""

    field: str
    """Names joined by dots; below a list each item counts."""
    op: Comparison
    value: Any = None


class FaultyQuery(Struct, frozen=True):
    """A query of the system's own: whatever document it finds is faulty."""

    name: str
    """What is wrong with it, in a few words."""
    where: tuple[Term, ...]
    """All of them hold."""


class Derived(Struct, frozen=True):
    """What the application makes from other data, and can make again."""

    topic: str
    """Where a message asks it to: a topic of the system's project."""
    fields: tuple[str, ...] = ()
    """Empty: the whole document."""


class OnRepair(StrEnum):
    """What is done about whatever a document written back would start: functions, and others."""

    REFUSE = "refuse"
    """Nothing is written back."""
    FIRE = "fire"
    """It is started, and can bear that."""


class Collection(Struct, frozen=True):
    """What is valid in one collection."""

    critical_as: str = ""
    """What people call its data; empty: it is not critical."""
    everywhere: bool = False
    """Whether collections of that name below any document are meant too."""
    schema: dict[str, Any] = {}
    """JSON Schema that each document keeps. Values that JSON lacks: `$ref: firestore:timestamp`,
    `firestore:reference`, `firestore:bytes` and `firestore:geopoint`."""
    references: dict[str, str] = {}
    """Fields that name documents, with the declared collection that these are in."""
    media: dict[str, str] = {}
    """Fields that name files, with the bucket that these are in."""
    updated_field: str = ""
    """The field in which the application writes the time of each write; empty: no newest writes."""
    largest_drop: float | None = None
    """The greatest share of its documents that may be gone within `drop_within`; None: any."""
    faulty: tuple[FaultyQuery, ...] = ()
    derived: tuple[Derived, ...] = ()
    writers: tuple[str, ...] = ()
    """Groups of functions that write it, which are suspected first; empty: all."""
    expires: str = ""
    """The field by which its documents expire; empty: by a TTL policy of the database alone."""
    on_repair: OnRepair = OnRepair.REFUSE


def declared_collection_name(collections: Mapping[str, Collection], path: str) -> str:
    """Return the name that declares a collection, by its path or its id; empty: none."""
    name = path.rpartition("/")[2]
    if name in collections and (name == path or collections[name].everywhere):
        return name
    return ""


class IntegrityRules(Struct, frozen=True):
    """When the declared collections are looked through, and what that may cost."""

    database: str = DEFAULT_DATABASE
    every: timedelta = timedelta(days=1)
    read_budget: int = 200_000
    """Documents that one run may read; more than this are looked at in samples."""
    confidence: float = 0.95
    """With which a sample's answer is stated."""
    drop_within: timedelta = timedelta(days=1)
    quiet: timedelta = timedelta(minutes=10)
    """So long no new invalid document may appear before data is moved."""


class FenceRules(Struct, frozen=True):
    """What must hold across documents, and who is stopped while it is put right."""

    invariants: tuple[str, ...]
    """In words: without one, nothing is ever fenced."""
    writers: tuple[str, ...]
    """Groups of functions."""
    canary: str
    """The probe that has the application write: the fence stands once it is refused."""
    stands_within: timedelta = timedelta(minutes=5)
    """Else it falls."""
    longest: timedelta = timedelta(minutes=30)
    """Then it falls, whatever goes on behind it."""


class Place(Struct, frozen=True):
    """Documents that belong to a person."""

    collection: str
    everywhere: bool = False
    """Whether collections of that name below any document are meant too."""
    field: str = ""
    """The field that names the person; empty: the document is called like them."""

    @property
    def scope(self) -> Scope:
        """Where they are."""
        return Scope(self.collection, self.everywhere)

    def __str__(self) -> str:
        """As a path template: `users/{person}`, or `orders where customer is {person}`."""
        if self.field:
            return f"{self.collection} where {self.field} is {{person}}"
        return f"{self.collection}/{{person}}"


class ErasureRules(Struct, frozen=True):
    """Where the application says who was erased, and where what belongs to a person stands."""

    documents: tuple[Place, ...]
    """What stands below one of them goes with it."""
    collection: str = ""
    """Where the application keeps whom it has erased; empty: people say it by command."""
    person: str = ""
    """The field there that names the person."""
    erased_at: str = ""
    """The field there that says when it was done; a document without it is not done yet."""
