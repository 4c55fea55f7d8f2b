"""By what the documents of a database expire: as it says itself, and as its policy declares."""

from shared.core.errors import Rejected, Unavailable
from shared.domain.data.ttl import TtlField, declared_ttl_fields
from shared.domain.policy.system_policy import Policy
from shared.ports.groups import Ports


def read_expiries(ports: Ports, policy: Policy, database: str) -> list[TtlField]:
    """All of them. Raises: Unavailable where they are not known, which does not mean none."""
    try:
        own = ports.system(policy.system).resources.indexes.expiries(database)
    except (Rejected, Unavailable) as no:
        raise Unavailable(f"by what documents of {database} expire is not known: {no}") from no
    return [*own, *declared_ttl_fields(policy.collections)]
