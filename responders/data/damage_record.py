"""What is known of damage to the data, and who wants them looked through before their time."""

from contextlib import suppress

from msgspec.structs import replace

from shared.core.codec import decode, encode
from shared.core.errors import Moved
from shared.core.store import Document, conditional_write
from shared.domain.data.integrity.damage import IntegrityRecord, damage_path
from shared.domain.policy.system_policy import Policy
from shared.ports.groups import Ports


def request_data_check(ports: Ports, document: Document, record: IntegrityRecord, why: str) -> None:
    """Have the data looked through, unless that is under way or asked for."""
    if record.run is None and not record.asked:
        with suppress(Moved):  # somebody looks just now
            ports.store.commit([conditional_write(document, encode(replace(record, asked=why)))])


def read_known_damage(ports: Ports, policy: Policy) -> tuple[Document, IntegrityRecord]:
    """What the last run has found of a system, and its document. Raises: Unavailable."""
    document = ports.store.get(damage_path(policy.system))
    record = decode(IntegrityRecord, document.fields) if document.fields else IntegrityRecord(policy.system)
    return document, record
