"""The registry of checks: what each key of a policy file must be beyond its shape."""

from collections.abc import Callable
from typing import Any

from shared.policy_files import cross_checks
from shared.policy_files.yaml_document import Findings

CHECKS: dict[str, Callable[[Any], Findings]] = {
    "groups": cross_checks.group_findings,
    "group_aliases": cross_checks.alias_findings,
    "assets": cross_checks.validate_assets,
    "backups": cross_checks.backup_findings,
    "breadth": cross_checks.breadth_findings,
    "channels": cross_checks.channel_findings,
    "collections": cross_checks.validate_collections,
    "contacts": cross_checks.contact_findings,
    "execution": cross_checks.execution_findings,
    "findings": cross_checks.security_findings,
    "identity": cross_checks.principal_findings,
    "roles": cross_checks.role_findings,
    "on_call": cross_checks.on_call_findings,
    "probes": cross_checks.probe_findings,
    "signals": cross_checks.signal_findings,
    "status_page": cross_checks.component_findings,
    "verification": cross_checks.verification_findings,
}
"""By the key. Each check reads the whole policy file's plain value and yields its faults."""


def findings(policy: Any) -> Findings:
    """Yield every fault that a check finds in one policy file's value."""
    if isinstance(policy, dict):
        for check in CHECKS.values():
            yield from check(policy)
