"""Policy: which documents belong to a person, for erasure."""

from msgspec import Struct

from shared.domain.policy.document_scope import Scope


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
