"""Heads of audit chains, anchored outside the database, where nobody can replace them."""

import re
from datetime import datetime

import msgspec

from shared.core.codec import FrozenStruct, StoredDocument, encode, from_json
from shared.core.store import Create
from shared.domain.audit.chain import AuditEntry

ANCHOR_PREFIX = "heads/"
PENDING_ANCHORS = "anchors"
"""The collection of those that are still to be written."""

_ANCHOR_NAME = re.compile(r"heads/(?P<chain>[a-z]+/[^/]+)/(?P<sequence>\d{6,})-(?P<hash>[0-9a-f]{64})")


class Anchor(FrozenStruct):
    """One head; its name says all but the expiry, so that a list is enough to verify."""

    chain: str
    """`rollbacks/INC-…` or `systems/cvplus`."""
    sequence: int
    hash: str
    expires_at: datetime | None = None
    """From when on the chain that it proves may be gone; None: it is held."""

    @property
    def name(self) -> str:
        """The object's name, in which the head itself stands: it cannot be overwritten."""
        return f"{chain_anchor_prefix(self.chain)}{self.sequence:06d}-{self.hash}"


class PendingAnchor(StoredDocument):
    """An anchor that a commit asks for, until it is written."""

    name: str
    anchor: Anchor
    waiting: bool = True
    expires_at: datetime | None = None


def pending_anchor_write(chain: str, entry: AuditEntry, expires_at: datetime | None) -> Create:
    """The write, in the entry's own commit, that has its hash anchored soon after."""
    anchor = Anchor(chain, entry.sequence, entry.hash, expires_at)
    waiting = PendingAnchor(anchor.name, anchor, expires_at=expires_at)
    return Create(f"{PENDING_ANCHORS}/{chain.replace('/', ':')}:{entry.sequence:06d}", encode(waiting))


def encode_anchor(anchor: Anchor) -> bytes:
    """The object's content."""
    return msgspec.json.encode(anchor)


def parse_anchor_name(name: str) -> Anchor | None:
    """The anchor that an object's name tells of; None for the name of something else."""
    found = _ANCHOR_NAME.fullmatch(name)
    if found is None:
        return None
    return Anchor(found["chain"], int(found["sequence"]), found["hash"])


def anchor_with_expiry(anchor: Anchor, content: bytes | None) -> Anchor:
    """The anchor with the expiry that its object's content says; held, where it says nothing."""
    try:
        said = from_json(content or b"", Anchor)
    except msgspec.MsgspecError:
        return anchor
    return msgspec.structs.replace(anchor, expires_at=said.expires_at)


def chain_anchor_prefix(chain: str) -> str:
    """What the names of a chain's anchors begin with."""
    return f"{ANCHOR_PREFIX}{chain}/"
