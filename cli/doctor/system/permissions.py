"""What the responders may do in an application."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from shared.domain.policy.channels import ChannelKind
from shared.domain.policy.model import Policy

ROLES: Final = {
    "on_clock": (
        "assets",
        "backups",
        "copies",
        "copies_made",
        "data",
        "media",
        "proofs",
        "proofs_scratch",
    ),
    "on_command": ("past",),
    "on_deployment": ("configurations", "estate", "images", "inventory", "metrics", "sources"),
    "on_notice": ("push", "pushed_to"),
    "on_work": (
        *("alerts", "images", "media", "metrics", "rebuild", "repair", "shift"),
        "ways_back",
    ),
}
"""What each responder is given in an application: roles of its own there (terraform/locals.tf)."""
ASKED: Final[Mapping[str, Callable[[Policy], bool]]] = {
    "assets": lambda policy: bool(policy.assets.replicated or policy.assets.regenerated),
    "backups": lambda policy: policy.backups.bucket is not None or policy.backups.native,
    "copies": lambda policy: policy.backups.copies is not None,
    "copies_made": lambda policy: policy.backups.copies is not None,
    "data": lambda policy: bool(policy.collections),
    "media": lambda policy: any(one.media for one in policy.collections.values()),
    "past": lambda policy: policy.backups.copies is not None,
    "proofs": lambda policy: policy.backups.proof is not None,
    "proofs_scratch": lambda policy: policy.backups.proof is not None,
    "repair": lambda policy: bool(policy.collections),
    "push": lambda policy: any(one.kind is ChannelKind.PUSH for one in policy.channels),
    "pushed_to": lambda policy: any(one.users is not None for one in policy.channels),
}
"""Those that are given only where a policy has a use for them (terraform/iam.tf)."""


def roles_in(policy: Policy) -> dict[str, set[str]]:
    """The names of what each responder has in the application of a policy, by entry point."""
    return {
        entry_point: {
            f"projects/{policy.project}/roles/rollback_{role}"
            for role in roles
            if role not in ASKED or ASKED[role](policy)
        }
        for entry_point, roles in ROLES.items()
    }
