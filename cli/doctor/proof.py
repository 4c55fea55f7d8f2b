"""What the last proof of the deployment to go back to has found."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from cli.doctor.finding import Finding, Verdict, named, unseen
from shared.deployment import Deployment, Restorability, Status
from shared.errors import RollbackError

SHOWN = 2
"""Of the lines of a proof; `rollback deployments show` has all of them."""


def newest_stable(deployments: Iterable[Deployment]) -> Deployment | None:
    """The first STABLE one; None: there is none."""
    return next((one for one in deployments if one.status is Status.STABLE), None)


def proofs(system: str, deployments: Iterable[Deployment] | RollbackError) -> Iterator[Finding]:
    """Whether all that it needs was seen, and could be built again."""
    if isinstance(deployments, RollbackError):
        yield unseen("proof", system, deployments)
        return
    stable = newest_stable(deployments)
    if stable is None:
        return
    if stable.restorable is None:
        why, to_do = "nobody has proven it yet", "look again in a few minutes"
        yield Finding("proof", stable.id, Verdict.UNKNOWN, why, to_do)
        return
    yield _proof(stable, stable.restorable)
    yield _kept(stable, stable.restorable)


def _proof(deployment: Deployment, found: Restorability) -> Finding:
    name = deployment.id
    if found.faults:
        why = f"it cannot be gone back to whole: {named(found.faults, SHOWN)}"
        to_do = f"{_shown(deployment)}; bring it back, or mark another as stable"
        return Finding("proof", name, Verdict.WRONG, why, to_do)
    if found.unknown:
        why = f"these could not be looked at: {named(found.unknown, SHOWN)}"
        return Finding("proof", name, Verdict.UNKNOWN, why, "the log of on_deployment tells")
    why = f"all is there, as of {found.checked_at:%Y-%m-%d %H:%M}"
    return Finding("proof", name, Verdict.WELL, why)


def _kept(deployment: Deployment, found: Restorability) -> Finding:
    name = deployment.id
    if found.rebuild:
        why = f"not every function could be built again: {named(found.rebuild, SHOWN)}"
        return Finding("kept", name, Verdict.DOUBTFUL, why, _shown(deployment))
    return Finding("kept", name, Verdict.WELL, "what its functions are built from is kept")


def _shown(deployment: Deployment) -> str:
    return f"rollback deployments show {deployment.id} --system {deployment.system}"
