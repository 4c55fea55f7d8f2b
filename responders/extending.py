"""A roll-out that goes on under a rollback: what it changes further goes back too, on record."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from responders.case import Case, Turn
from responders.scenarios import functions
from shared import deployment as deployments
from shared import plan as plans
from shared import system as systems
from shared.deployment import Deployment
from shared.deployment import Status as DeploymentStatus
from shared.documents import decode, encode
from shared.facts import Change, compare, unrestorable
from shared.incident import Status
from shared.plan import Plan, PlanHeader, Step
from shared.ports import Create, Query
from shared.rollback import Status as RollbackStatus
from shared.system import System

LIMIT_EXTENSIONS = 3
"""A roll-out that is not over after so many looks is left to a person."""


def going_on(case: Case) -> Deployment | None:
    """The roll-out that began before the trouble and has not settled; None: there is none.

    Only automation follows one: what a person ordered or approved is what they were shown.
    """
    rollback = case.rollback
    if rollback.order is not None or rollback.question is not None:
        return None
    ours = (("system", "==", case.policy.system),)
    found = case.ports.store.query(Query("deployments", where=ours))
    rolling = [
        one
        for one in (decode(Deployment, document.fields) for document in found)
        if one.status is DeploymentStatus.ROLLING_OUT and one.at <= case.incident.detected_at
    ]
    return max(rolling, key=lambda one: one.at, default=None)


def extend(case: Case, rolling: Deployment, steps: Iterable[Step]) -> bool:
    """Whether the roll-out has changed more, and the plan now takes that back as well.

    Steps are added, none is done again; a barrier, the blast radius and the limit stop that, and
    what is in a person's hands is left.
    Raises: Unavailable, when what is live could not be read.
    """
    header = case.rollback.plan
    if header is None or header.extensions >= LIMIT_EXTENSIONS or rolling.barrier:
        return False
    planned = {step.target for step in steps}
    addition = _addition(case, header, planned)
    if addition is None:
        return False
    plan = plans.extended(header, addition)
    expires_at = case.rollback.expires_at
    more = {step.target for step in plan.steps}
    case.take(
        Turn(
            event="plan.extended",
            note=f"{rolling.id} goes on: {len(more)} further functions back to {header.target}",
            details=(", ".join(sorted(more)[:10]), *addition.header.reported),
            facts={
                "deployment": rolling.id,
                "functions": sorted(more),
                "plan": plan.header.fingerprint,
                "before": header.fingerprint,
            },
            changes={"status": RollbackStatus.RUNNING, "plan": plan.header, "shifted_at": None},
            status=Status.ROLLING_BACK,
            occasion=f"-{plan.header.extensions}",
            writes=tuple(
                Create(
                    plans.path(case.rollback.id, step.name),
                    encode(replace(step, expires_at=expires_at)),
                )
                for step in plan.steps
            ),
        )
    )
    return True


def _addition(case: Case, header: PlanHeader, planned: set[str]) -> Plan | None:
    """The plan over what the roll-out has changed beyond `planned`; None: there is no more."""
    store, policy = case.ports.store, case.policy
    target = store.get(deployments.path(policy.system, header.target)).fields
    if target is None:
        return None
    inventory = case.ports.platform(policy.system).inventory()
    change = compare(decode(Deployment, target), inventory, (), policy)
    system = decode(System, store.get(systems.path(policy.system)).fields)
    in_hand = {name for name, until in system.suspended.items() if until > case.now()}
    more = set(change.functions) - planned - in_hand - set(unrestorable(change, inventory))
    limit = policy.gates.blast_radius
    if not more or (limit is not None and len(planned | more) > limit):
        return None
    further = Change(change.target, {name: change.functions[name] for name in more})
    return functions.plan(policy, inventory, further, more)
