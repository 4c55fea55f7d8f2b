"""Functions to where a person wants them after rollbacks: the plan of an undo, or of an unpin."""

from collections.abc import Iterable, Mapping

from msgspec.structs import replace

from responders.scenarios.function_steps import build_redeploy, build_serve, build_shift
from responders.scenarios.undo_targets import UndoTarget
from shared.core.codec import FrozenStruct
from shared.domain.decision.facts import FunctionDifference, live_shares
from shared.domain.deployments import build_recipe
from shared.domain.deployments.deployment import Inventory, LiveFunction
from shared.domain.deployments.inventory.traffic import (
    LATEST_REVISION,
    Scaling,
    apply_shares,
    is_same_traffic_list,
    traffic_shares,
)
from shared.domain.policy.execution_limits import Execution
from shared.domain.policy.scenario_names import ScenarioName
from shared.domain.policy.system_policy import Policy
from shared.domain.rollback.plan import Plan, Step, freeze_plan
from shared.engine.steps.functions import redeploy, serve_revision, shift_traffic

DOCUMENTS_FIRST_NOTE = "documents are restored first, behind a fence: run undo again for this function"


class UndoPlan(FrozenStruct):
    """What would be done, and what would not."""

    plan: Plan | None
    """None: there is nothing that can be done."""
    shown: list[FunctionDifference]
    refused: tuple[str, ...]
    """One line for each function that is left as it is."""
    rebuilt: tuple[str, ...] = ()
    """One line for each that is built again."""
    warning: str = ""
    """How what is restored failed before."""

    @property
    def reported(self) -> tuple[str, ...]:
        """All that is said of it beside the functions themselves."""
        return (*([self.warning] if self.warning else []), *self.rebuilt, *self.refused)


class _UndoFunction(FrozenStruct):
    wanted: UndoTarget
    live: LiveFunction | None
    """None: it has no service."""
    built: build_recipe.BuiltFunction | None
    """Of what ours have built again; None: it is gone."""

    @property
    def has_original_build(self) -> bool:
        """Whether it is deployed as it was before ours have built it again, or tried to."""
        built, one = self.built, self.wanted
        if build_recipe.deployment_marker(built.state if built is not None else None) == one.found:
            return True
        if built is None or one.before is None:
            return False
        return built.active and build_recipe.is_running_as_recorded(built.state, one.before)

    @property
    def has_newest_revision(self) -> bool:
        """Whether the newest deployment made the newest revision, and nobody one beside it.

        One of ours that failed may have made one that does not come up, before its step ended.
        """
        if self.live is None or self.built is None:
            return True
        newest = self.live.service.latest_created
        if newest == self.built.revision or self.built.active or self.has_original_build:
            return newest == self.built.revision
        made, ended = self.live.revision(newest), self.wanted.built_at
        return made is not None and ended is not None and made.created_at <= ended

    @property
    def has_wanted_traffic(self) -> bool:
        """Whether its traffic is as it is wanted."""
        if self.live is None:
            return not self.wanted.traffic
        return is_same_traffic_list(self.live.service.traffic, self.wanted.traffic)

    @property
    def is_rescaled(self) -> bool:
        """Whether somebody has changed its instances since ours have."""
        one, live = self.wanted, self.live
        return one.scaling is not None and live is not None and live.service.scaling != one.scaled

    @property
    def wanted_scaling(self) -> Scaling | None:
        """What its instances are to be; None: they stay."""
        return None if self.is_rescaled else self.wanted.scaling

    @property
    def is_undone(self) -> bool:
        """Whether nothing of it is to be done."""
        return self.has_wanted_traffic and (
            not self.wanted.builds or (self.has_original_build and self.has_newest_revision)
        )


def plan_undo(
    policy: Policy,
    inventory: Inventory,
    wanted: Mapping[str, UndoTarget],
    target: str,
    built: Mapping[str, build_recipe.BuiltFunction | None] = {},
) -> UndoPlan:
    """All of them beside each other, the first shift asked about with validate_only.

    No canary goes first: what is wanted is what was live before, or what a person has looked at.
    `built` has what rollbacks have built again, as it is now; None: it is gone.
    """
    steps: list[Step] = []
    shown = []
    refused = []
    rebuilt = []
    for function, one in sorted(wanted.items()):
        found = _UndoFunction(one, inventory.get(function), built.get(function))
        if found.is_undone:
            continue
        against = (_find_build_obstacle(found) if one.builds else "") or _find_traffic_obstacle(found)
        if against:
            refused.append(f"{function}: {against}")
            continue
        rehearsed = all(step.kind != shift_traffic.KIND for step in steps)
        if found.live is not None and found.is_rescaled:
            now = found.live.service.scaling
            refused.append(f"{function}: its instances were changed later, and stay {now}")
        more = _steps(found, policy.execution, rehearsed=rehearsed)
        steps += more
        builds = any(step.kind == redeploy.KIND for step in more)
        shown += _build_differences(found, builds=builds)
        if builds:
            old = "it is not the original image"
            rebuilt.append(f"{function} is rebuilt from the stored copy of its source: {old}")
    found_all = UndoPlan(None, shown, tuple(refused), tuple(rebuilt))
    if not steps:
        return found_all
    made = freeze_plan(ScenarioName.FUNCTIONS, target, steps, policy.fingerprint, found_all.reported)
    return replace(found_all, plan=made)


def add_document_steps(found: UndoPlan, steps: Iterable[Step], policy: Policy, target: str) -> UndoPlan:
    """Add the steps of documents; behind a fence these alone: to put a function back starts it."""
    known, before = list(steps), found.plan.steps if found.plan is not None else ()
    if not known:
        return found
    if policy.fence is not None:
        targets = dict.fromkeys(one.target for one in before)
        left = tuple(f"{target}: {DOCUMENTS_FIRST_NOTE}" for target in targets)
        found, before = UndoPlan(None, [], (*found.refused, *left)), ()
    made = freeze_plan(ScenarioName.DATABASE, target, [*before, *known], policy.fingerprint, found.reported)
    return replace(found, plan=made)


def _find_build_obstacle(found: _UndoFunction) -> str:
    one, built = found.wanted, found.built
    if built is None:
        return "it is gone"
    if built.deploying:
        return "it is being deployed"
    if not (
        found.has_original_build or any(build_recipe.is_built_from(built.state, made) for made in one.builds)
    ):
        return "somebody deployed it later"
    if not found.has_newest_revision:
        return "somebody created a newer revision"
    if one.before is None and not found.has_original_build:
        return f"it was rebuilt, and its earlier version cannot be rebuilt: {one.why_not}"
    return ""


def _find_traffic_obstacle(found: _UndoFunction) -> str:
    one, live = found.wanted, found.live
    if live is None:
        return "" if one.builds and not one.traffic else "it is gone"
    service = live.service
    built = (apply_shares(traffic, {service.latest_created: 100}) for traffic in one.served)
    if not any(is_same_traffic_list(service.traffic, left) for left in (*one.left, *built)):
        return "somebody changed its traffic later"
    for name in sorted({entry.revision for entry in one.traffic} - {LATEST_REVISION}):
        revision = live.revision(name)
        if revision is None:
            return f"its revision {name} is gone"
        if not revision.ready and any(entry.percent for entry in one.traffic if entry.revision == name):
            lacks = "has no image any more" if revision.lost_image else "is not ready"
            return f"its revision {name} {lacks}"
    return "" if one.builds or _is_traffic_by_name(one) else _find_newest_revision_obstacle(live, one)


def _is_traffic_by_name(one: UndoTarget) -> bool:
    return all(entry.revision != LATEST_REVISION for entry in one.traffic)


def _find_newest_revision_obstacle(live: LiveFunction, one: UndoTarget) -> str:
    service = live.service
    newest = live.revision(service.latest_created)
    if newest is not None and newest.lost_image:
        return f"its newest revision {newest.name} has no image any more: deploy it again"
    if service.latest_ready != service.latest_created:
        return f"its newest revision {service.latest_created} is not ready"
    if one.newest not in ("", service.latest_created):
        return (
            f"{service.latest_created} was deployed later, and LATEST would serve it: "
            "to serve it, unpin the function after the incident"
        )
    return ""


def _steps(found: _UndoFunction, execution: Execution, *, rehearsed: bool) -> list[Step]:
    """Return a function's steps: traffic by name before the build, LATEST after the build."""
    one, live, built = found.wanted, found.live, found.built
    steps = []
    if live is not None and not found.has_wanted_traffic and (not one.builds or _is_traffic_by_name(one)):
        service, scaling = live.service, found.wanted_scaling
        shift = shift_traffic.TrafficGoal(
            service.name, one.traffic, rehearsed=rehearsed, verbatim=True, scaling=scaling
        )
        steps.append(build_shift(live.function, service, shift, execution))
    if built is None:
        return steps
    source = built.state.source
    if one.before is not None and not found.has_original_build:
        source = one.before.source
        here = build_recipe.deployment_marker(built.state)
        newest = live.service.latest_created if live is not None else ""
        again, origin = redeploy.RedeployGoal(one.function, one.before), redeploy.RedeployOrigin(here, newest)
        steps.append(build_redeploy(again, origin, execution, tuple(step.name for step in steps)))
    if live is not None and not _is_traffic_by_name(one):
        goal = serve_revision.ServeRevisionGoal(
            one.function, live.service.name, source, one.traffic, found.wanted_scaling
        )
        now = serve_revision.ServeRevisionOrigin(live.service.traffic)
        steps.append(build_serve(goal, now, execution, tuple(step.name for step in steps)))
    return steps


def _build_differences(found: _UndoFunction, *, builds: bool) -> list[FunctionDifference]:
    one, live = found.wanted, found.live
    if live is None:
        return [FunctionDifference(one.function, {}, {}, one.built_at, builds)] if one.built_at else []
    now = live_shares(live)
    made = [revision.created_at for revision in live.revisions if revision.name in now]
    since = max(made or [revision.created_at for revision in live.revisions])
    target = traffic_shares(one.traffic, live.service.latest_created)
    return [FunctionDifference(live.function, now, target, since, builds)]
