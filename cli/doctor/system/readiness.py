"""What the last proof of the deployment to go back to has found."""

from collections.abc import Iterable, Iterator
from datetime import timedelta

from cli.doctor.finding import CheckFinding, doubtful, name_first, require_read, unknown, well, wrong
from cli.doctor.system.facts import SystemFacts
from cli.support.output import format_lasting
from shared.domain.deployments.deployment import Deployment, DeploymentStatus, Restorability
from shared.domain.deployments.image_cleanup import (
    FIREBASE_POLICY,
    KEEP,
    OPT_OUT_LABEL,
    RETENTION,
    find_deletion_time,
    retention_command,
)
from shared.domain.deployments.images import StoredImage

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


def check_image_cleanup(facts: SystemFacts) -> Iterator[CheckFinding]:
    """Whether the images of the last deployments stay, so that none is built again."""
    later, kept = facts.now + timedelta(seconds=1), facts.policy.deployments.kept
    for place, answer in facts.cleanup.items():
        found, oldest = require_read(answer, place), StoredImage(f"{place}/image@0", facts.now)
        newer = [StoredImage(f"{place}/image@{number}", later) for number in range(1, kept)]
        deleted_at = find_deletion_time(oldest, newer, found)
        stay = deleted_at - facts.now if deleted_at is not None else RETENTION
        if not found.cleanup_policies and found.labels.get(OPT_OUT_LABEL) != "true":
            why = "no clean-up policy: `firebase deploy` exits with 1, or with --force sets one of 1 day"
            yield doubtful(place, why, retention_command(place))
        elif stay < RETENTION:
            deleting = {name for name, one in found.policies.items() if one.action != KEEP}
            others = ", ".join(sorted(deleting - {FIREBASE_POLICY}))
            why = f"it deletes images after {format_lasting(stay)}; older deployments are built again"
            then = f"; then correct the policies {others}" * bool(others)
            yield doubtful(place, why, retention_command(place) + then)
        else:
            yield well(place, f"it keeps the images of the last {kept} deployments, or {RETENTION.days} days")


def _proof_finding(deployment: Deployment, found: Restorability) -> CheckFinding:
    name = deployment.id
    if found.faults:
        why = f"it cannot be gone back to whole: {name_first(found.faults, SHOWN)}"
        return wrong(name, why, f"{_first_names(deployment)}; bring it back, or mark another as stable")
    if found.unknown:
        why = f"these could not be checked: {name_first(found.unknown, SHOWN)}"
        return unknown(name, why, "the log of on_deployment tells")
    lines = (f"all is there, as of {found.checked_at:%Y-%m-%d %H:%M}", *found.image_lines)
    judge = doubtful if found.image_warning or found.rebuilt else well
    return judge(name, "; ".join(lines))


def _first_names(deployment: Deployment) -> str:
    return f"rollback deployments show {deployment.id} --system {deployment.system}"
