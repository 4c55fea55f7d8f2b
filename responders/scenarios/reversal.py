"""Functions to where a person wants them after rollbacks: as these found them, or unpinned."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import chain
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from shared.deployment import Inventory, Live
from shared.documents import decode, encode
from shared.execution import Execution
from shared.facts import Difference, served
from shared.pin import Pin
from shared.plan import Plan, Step, StepStatus, frozen
from shared.policy import Policy, ScenarioName
from shared.steps import redeploy, shift
from shared.traffic import LATEST, Scaling, Traffic, same_list, shares

AFTER_DOCUMENTS: Final = "documents are put back first, behind a fence: say undo again for it"


class Wanted(Struct, frozen=True):
    """One function, and where its traffic is to go."""

    function: str
    traffic: Traffic
    """Verbatim."""
    left: tuple[Traffic, ...]
    """The lists that our rollbacks may have left: any other means that a person is there."""
    newest: str = ""
    """The newest revision that may serve as LATEST; empty: whichever is newest."""
    scaling: Scaling | None = None
    """What its instances were; None: ours have left them alone."""
    scaled: Scaling | None = None
    """What ours have made of them: anything else means that a person is there, and they stay."""
    rebuilt: bool = False
    """Whether ours have built it again: the newest revision is that build."""


class Reversal(Struct, frozen=True):
    """What would be done, and what would not."""

    plan: Plan | None
    """None: there is nothing that can be done."""
    shown: list[Difference]
    refused: tuple[str, ...]
    """One line for each function that is left as it is."""


def found_by(rollbacks: Iterable[Iterable[Step]]) -> dict[str, Wanted]:
    """What an incident's rollbacks have found of each function, and where they left it.

    The steps of each, the first rollback first. What one of them has put back is not wanted any
    more; a shift that failed may have been asked for all the same.
    """
    wanted: dict[str, Wanted] = {}
    for step in chain.from_iterable(rollbacks):
        done = step.status is StepStatus.DONE
        if step.kind == redeploy.KIND and done:
            before = wanted.get(step.target, Wanted(step.target, (), ()))
            wanted[step.target] = replace(before, rebuilt=True)
        if step.kind != shift.KIND or not (done or step.status is StepStatus.FAILED):
            continue
        goal, origin = decode(shift.Goal, step.goal), decode(shift.Origin, step.origin)
        known = wanted.get(step.target)
        first = known or Wanted(step.target, origin.traffic, (), origin.latest_created)
        left = (goal.traffic,) if done else (*first.left, goal.traffic)
        wanted[step.target] = replace(first, left=left)
        if goal.scaling is not None:
            scaling = first.scaling or origin.scaling
            wanted[step.target] = replace(first, left=left, scaling=scaling, scaled=goal.scaling)
        if done and same_list(goal.traffic, first.traffic):
            del wanted[step.target]
    return wanted


def unpinned(pins: Iterable[Pin], inventory: Inventory) -> dict[str, Wanted]:
    """What each pinned function is to serve once it is not pinned any more."""
    return {
        pin.function: Wanted(
            pin.function,
            pin.lifted(live.service) if (live := inventory.get(pin.function)) else (),
            # A tag that somebody gave meanwhile stays: it is no share of the requests.
            (live.service.traffic if live and pin.holds(live.service.traffic) else pin.held,),
        )
        for pin in pins
    }


def plan(
    policy: Policy, inventory: Inventory, wanted: Mapping[str, Wanted], target: str
) -> Reversal:
    """All of them beside each other, the first one asked about with validate_only.

    No canary goes first: what is wanted is what was live before, or what a person has looked at.
    """
    steps: list[Step] = []
    shown: list[Difference] = []
    refused: list[str] = []
    for function, one in sorted(wanted.items()):
        live = inventory.get(function)
        if live is not None and same_list(live.service.traffic, one.traffic):
            continue
        against = _against(live, one)
        if live is None or against:
            refused.append(f"{function}: {against}")
            continue
        if one.scaling is not None and live.service.scaling != one.scaled:
            now = live.service.scaling
            refused.append(f"{function}: its instances were changed since, and stay {now}")
        steps.append(_step(live, one, policy.execution, rehearsed=not steps))
        shown.append(_difference(live, one))
    lines = tuple(refused)
    made = frozen(ScenarioName.FUNCTIONS, target, steps, policy.fingerprint, lines)
    return Reversal(made if steps else None, shown, lines)


def with_documents(found: Reversal, steps: Iterable[Step], policy: Policy, target: str) -> Reversal:
    """The same, and what puts documents back beside it; behind a fence, that alone.

    A fence stops functions that are put back, and putting one back starts it.
    """
    known, before = list(steps), found.plan.steps if found.plan is not None else ()
    if not known:
        return found
    if policy.fence is not None:
        left = tuple(f"{one.target}: {AFTER_DOCUMENTS}" for one in before)
        found, before = Reversal(None, [], (*found.refused, *left)), ()
    made = frozen(
        ScenarioName.DATABASE, target, [*before, *known], policy.fingerprint, found.refused
    )
    return replace(found, plan=made)


def _against(live: Live | None, one: Wanted) -> str:
    """Why a function must be left as it is; empty: nothing speaks against it."""
    if live is None:
        return "it is gone"
    if one.rebuilt:
        return "it was built again, and that is its newest revision: deploy what is wanted"
    service = live.service
    if not any(same_list(service.traffic, left) for left in one.left):
        return "its traffic was changed by somebody since"
    for name in sorted({entry.revision for entry in one.traffic} - {LATEST}):
        revision = live.revision(name)
        if revision is None:
            return f"its revision {name} is gone"
        if not revision.ready and any(
            entry.percent for entry in one.traffic if entry.revision == name
        ):
            return f"its revision {name} is not ready"
    if all(entry.revision != LATEST for entry in one.traffic):
        return ""
    if service.latest_ready != service.latest_created:
        return f"its newest revision {service.latest_created} is not ready"
    if one.newest not in ("", service.latest_created):
        return (
            f"{service.latest_created} was deployed since, and LATEST would serve it: "
            "unpin it, where that is wanted"
        )
    return ""


def _step(live: Live, one: Wanted, execution: Execution, *, rehearsed: bool) -> Step:
    service = live.service
    goal = shift.Goal(
        service.name,
        one.traffic,
        rehearsed=rehearsed,
        verbatim=True,
        scaling=one.scaling if service.scaling == one.scaled else None,
    )
    return Step(
        name=f"shift {live.function}",
        kind=shift.KIND,
        target=live.function,
        goal=encode(goal),
        origin=encode(shift.Origin(service.traffic, service.latest_created, service.scaling)),
        writes=2 if rehearsed else 1,
        within_seconds=execution.step_within.total_seconds(),
        seen=service.etag,
    )


def _difference(live: Live, one: Wanted) -> Difference:
    now = served(live)
    made = [revision.created_at for revision in live.revisions if revision.name in now]
    since = max(made or [revision.created_at for revision in live.revisions])
    target = shares(one.traffic, live.service.latest_created)
    return Difference(live.function, now, target, since)
