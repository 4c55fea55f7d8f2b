"""The registry of checks: what each key of a policy file must be beyond its shape."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from shared.policy_files import data_validation, validation
from shared.policy_files.yaml_document import Finding

CHECKS: dict[str, Callable[[Any], Iterator[Finding]]] = {
    "groups": validation.group_findings,
    "group_aliases": validation.alias_findings,
    "assets": data_validation.validate_assets,
    "backups": validation.backup_findings,
    "channels": validation.channel_findings,
    "collections": data_validation.validate_collections,
    "contacts": validation.contact_findings,
    "execution": validation.execution_findings,
    "findings": validation.security_findings,
    "identity": validation.principal_findings,
    "on_call": validation.on_call_findings,
    "probes": validation.probe_findings,
    "signals": validation.signal_findings,
    "status_page": validation.component_findings,
    "verification": validation.verification_findings,
}
"""By the key. Each check reads the whole policy file's plain value and yields its faults."""


def findings(policy: Any) -> Iterator[Finding]:
    """Yield every fault that a check finds in one policy file's value."""
    if isinstance(policy, dict):
        for check in CHECKS.values():
            yield from check(policy)
