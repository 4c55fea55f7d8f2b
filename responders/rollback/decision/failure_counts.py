"""Warnings of a plan that brings back what failed: how many requests failed on it."""

from collections.abc import Collection, Iterable
from functools import partial

from responders.support.parallel_calls import answer_or_none, call_all
from shared.core.codec import decode
from shared.core.text import join_names
from shared.domain.decision.facts import FunctionDifference
from shared.domain.deployments.deployment import (
    TAKEN_BACK_REASON,
    Deployment,
    DeploymentStatus,
    Inventory,
    counts_by_function,
)
from shared.domain.policy.system_policy import Policy
from shared.domain.rollback.rollback import Rollback, rollback_path
from shared.domain.signals.health import sum_requests
from shared.ports.groups import Ports


def describe_bad_target(
    ports: Ports, policy: Policy, target: Deployment | None, functions: Collection[str], inventory: Inventory
) -> str:
    """Return the warning of a plan that goes back to a bad deployment; empty: it is not bad."""
    if target is None or target.status is not DeploymentStatus.BAD:
        return ""
    name = target.reason.removeprefix(TAKEN_BACK_REASON).partition(" ")[0]
    fields = ports.store.get(rollback_path(name or "-")).fields
    known = [decode(Rollback, fields)] if fields is not None and name != target.reason else []
    warning = f"warning: {target.id} is marked as bad ({target.reason})"
    return (
        f"{warning}: {count_failures(ports, policy, known, functions, inventory)} on it" if known else warning
    )


def describe_undone_failures(
    ports: Ports,
    policy: Policy,
    rollbacks: Iterable[Rollback],
    shown: Collection[FunctionDifference],
    inventory: Inventory,
) -> str:
    """Return the warning of an undo: how many requests failed on what it restores."""
    failed = count_failures(ports, policy, rollbacks, [one.function for one in shown], inventory)
    names = join_names([revision for one in shown for revision in one.target])
    return f"warning: this restores what the rollback removed: {failed} on {names}"


def count_failures(
    ports: Ports,
    policy: Policy,
    rollbacks: Iterable[Rollback],
    functions: Collection[str],
    inventory: Inventory,
) -> str:
    """Return how many requests to these functions failed before the first of the rollbacks."""
    counted = None
    for one in rollbacks:
        if counted is None and one.baseline is not None and one.started_at is not None:
            read = partial(ports.system(policy.system).metrics.requests, one.baseline.until, one.started_at)
            counted = answer_or_none(call_all(ports, {"metrics": read})["metrics"])
    requests = counts_by_function(counted or {}, inventory)
    found = sum_requests(requests[name] for name in functions if name in requests)
    failed = f"{found.failed:,} of {found.total:,}" if found.total else "an unknown number of"
    return f"{failed} requests failed"
