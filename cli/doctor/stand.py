"""The service on which revisions are made to start, and how many of them are known to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from cli.doctor.finding import Finding, Verdict, named, unseen
from cli.doctor.proof import newest_stable
from shared.deployment import Deployment
from shared.errors import Gone, RollbackError
from shared.policy import Policy
from shared.stand import OnStand, is_ours
from shared.starts import proven

CHECK = "stand"


def stand(
    policy: Policy,
    found: OnStand | RollbackError | None,
    callers: Sequence[str] | RollbackError,
    deployments: Iterable[Deployment] | RollbackError,
) -> Iterator[Finding]:
    """Whether it is there, is nobody's but ours, and what it has shown of the target."""
    name = policy.deployments.starts
    if found is None:
        return
    if isinstance(found, Gone):
        why = "there is no such service: no start is made"
        yield Finding(CHECK, name, Verdict.WRONG, why, "terraform apply")
        return
    if isinstance(found, RollbackError):
        yield unseen(CHECK, name, found)
        return
    yield from _closed(name, found, callers)
    if not is_ours(name, found.newest):
        why = f"{found.newest} stands there and is not ours: it is left, and no start is made"
        to_do = "make the service anew: see docs/operate.md"
        yield Finding(CHECK, name, Verdict.DOUBTFUL, why, to_do)
    yield from _proven(name, deployments)


def _closed(name: str, found: OnStand, callers: Sequence[str] | RollbackError) -> Iterator[Finding]:
    """Nobody but Cloud Run itself is to start what stands there."""
    if isinstance(callers, RollbackError):
        yield unseen(CHECK, name, callers)
    elif callers:
        why = f"it may be called: {named(callers)}"
        yield Finding(CHECK, name, Verdict.WRONG, why, "take that away: it runs functions' code")
    if not found.internal:
        why = "it is reachable from outside"
        yield Finding(CHECK, name, Verdict.WRONG, why, "terraform apply: ingress is internal")


def _proven(name: str, deployments: Iterable[Deployment] | RollbackError) -> Iterator[Finding]:
    if isinstance(deployments, RollbackError):
        yield unseen(CHECK, name, deployments)
        return
    target = newest_stable(deployments)
    if target is None:
        return
    known = proven(target)
    if known.seen + known.made == known.revisions:
        yield Finding(CHECK, name, Verdict.WELL, f"{target.id}: {known}")
        return
    to_do = f"look again in two hours; rollback deployments show {target.id} tells which"
    yield Finding(CHECK, name, Verdict.DOUBTFUL, f"{target.id}: {known}", to_do)
