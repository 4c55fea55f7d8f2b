"""What must hold of what is handed over and said."""

from shared.core import topics
from shared.core.codec import from_json
from shared.state import work_queue
from tests.simulation.invariants.observations import Seen


class MessageLaws:
    """Work is handed over once it is committed, and notices are said in their order."""

    def __init__(self, seen: Seen) -> None:
        self._world = seen.world
        self._break = seen.broke
        self._said: set[str] = set()

    def published(self, topic: str, data: bytes) -> None:
        """A process hands something over: it must have been committed before."""
        if topic not in (topics.WORK, topics.NOTICES):
            return
        due = from_json(data)
        kept = work_queue.COLLECTION_BY_KIND[due["kind"]]
        if self._world.store.peek(f"{kept}/{due['id']}") is None:
            self._break(11, f"{due['id']} was handed over before it was committed")

    def said(self, key: str) -> None:
        """A channel has taken a notice: what came before it in its lane was said, or is over."""
        notice = self._world.store.peek(f"notices/{key}") or {}
        if key in self._said or notice.get("unless"):
            return
        self._said.add(key)
        for path, other in self._world.store.documents_of("notices"):
            mine = (other["lane"], other["unless"]) == (notice["lane"], "")
            unsaid = other["status"] == "PENDING" and other["id"] not in self._said
            if mine and unsaid and other["since"] < notice["since"]:
                self._break(12, f"{key} was said before {path}")
