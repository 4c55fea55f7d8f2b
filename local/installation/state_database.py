"""The database of the responders' state as it is installed: what has ended goes by itself."""

from typing import Final

from local.services.firestore.data.ttl import CollectionGroup, TtlPolicies
from shared.wiring.settings import Settings

FIELD: Final = "expires_at"
EXPIRING_COLLECTIONS: Final = (
    "alerts",
    "anchors",
    "audit",
    "backups",
    "commands",
    "copies",
    "counters",
    "decisions",
    "deployments",
    "incidents",
    "journal",
    "notices",
    "pins",
    "proofs",
    "record",
    "reports",
    "rollbacks",
    "seals",
    "steps",
    "surveys",
    "ticks",
    "tokens",
)
"""In which something expires: those of terraform/state.tf."""


def install_expiry(expiry: TtlPolicies, project: str) -> None:
    """Let the state of the responders that run in a project expire; again: nothing more."""
    database = f"projects/{project}/databases/{Settings(project).database}"
    for collection in EXPIRING_COLLECTIONS:
        expiry.set(CollectionGroup(database, collection), FIELD)
