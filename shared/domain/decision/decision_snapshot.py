"""A decision of automation as it is stored with its facts, so that it can be evaluated again."""

import lzma
from datetime import datetime

import msgspec
from msgspec.structs import replace

from shared.core.chunks import MAX_DOCUMENT_BYTES
from shared.core.codec import StoredDocument, collections_below, from_msgpack
from shared.domain.decision.facts import DecisionFacts
from shared.domain.decision.gates.base import GateAnswer, Outcome

snapshots_path = collections_below("rollbacks", "decisions")
MAX_SNAPSHOTS = 5
"""Of one rollback; each later decision replaces the last one."""
MAX_PACKED_BYTES = MAX_DOCUMENT_BYTES - 100_000
"""The rest of the document is for the answers."""
_FILTERS = [{"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": 16 * 1024 * 1024}]
"""Inventories and deployments repeat each other at distances beyond the 32 KB of zlib.

1,000 functions with 30 deployments take 11 MB, and 0.2 MB after 0.1 s.
"""


class DecisionSnapshot(StoredDocument):
    """One decision about an incident, before people answered it."""

    rollback: str
    at: datetime
    deadline: datetime
    asked: bool
    """Whether people had been asked for approval."""
    outcome: Outcome
    functions: int
    """How many a rollback would restore."""
    answers: tuple[GateAnswer, ...]
    facts: bytes
    """As `pack_facts` returns them; empty: they were too large, or no plan could be made."""
    expires_at: datetime | None = None


def pack_facts(facts: DecisionFacts) -> bytes:
    """Return the facts without paths of documents, compressed; empty: they are too large."""
    damage = tuple(replace(finding, samples=()) for finding in facts.damage)
    content = msgspec.msgpack.encode(replace(facts, damage=damage))
    packed = lzma.compress(content, filters=_FILTERS)
    return packed if len(packed) <= MAX_PACKED_BYTES else b""


def unpack_facts(content: bytes) -> DecisionFacts:
    """Return the facts. Raises: msgspec.ValidationError, msgspec.DecodeError, lzma.LZMAError."""
    return from_msgpack(lzma.decompress(content), DecisionFacts)
