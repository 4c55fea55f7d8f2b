"""What the last proof of the deployment to go back to has found."""

from collections.abc import Iterable, Iterator

from cli.doctor.finding import CheckFinding, doubtful, name_first, require_read, unknown, well, wrong
from cli.doctor.system.facts import SystemFacts
from shared.domain.deployments.deployment import Deployment, DeploymentStatus, Restorability

SHOWN = 2
"""Of the lines of a proof; `rollback deployments show` has all of them."""


def newest_stable(deployments: Iterable[Deployment]) -> Deployment | None:
    """The first STABLE one; None: there is none."""
    return next((one for one in deployments if one.status is DeploymentStatus.STABLE), None)


def check_proof(facts: SystemFacts) -> Iterator[CheckFinding]:
    """Whether all that it needs was seen."""
    stable = newest_stable(require_read(facts.deployments, facts.policy.system))
    if stable is not None and stable.restorable is not None:
        yield _proof_finding(stable, stable.restorable)
    elif stable is not None:
        why, to_do = "nobody has proven it yet", "look again in a few minutes"
        yield unknown(stable.id, why, to_do)


def sources_stored(facts: SystemFacts) -> Iterator[CheckFinding]:
    """Whether what its functions are built from is kept."""
    stable = newest_stable(require_read(facts.deployments, facts.policy.system))
    if stable is None or stable.restorable is None:
        return
    if stable.restorable.rebuild:
        lacking = name_first(stable.restorable.rebuild, SHOWN)
        yield doubtful(stable.id, f"not every function could be built again: {lacking}", _first_names(stable))
    else:
        yield well(stable.id, "what its functions are built from is kept")


def _proof_finding(deployment: Deployment, found: Restorability) -> CheckFinding:
    name = deployment.id
    if found.faults:
        why = f"it cannot be gone back to whole: {name_first(found.faults, SHOWN)}"
        return wrong(name, why, f"{_first_names(deployment)}; bring it back, or mark another as stable")
    if found.unknown:
        why = f"these could not be checked: {name_first(found.unknown, SHOWN)}"
        return unknown(name, why, "the log of on_deployment tells")
    return well(name, f"all is there, as of {found.checked_at:%Y-%m-%d %H:%M}")


def _first_names(deployment: Deployment) -> str:
    return f"rollback deployments show {deployment.id} --system {deployment.system}"
