"""What a decision is made from, and what differs from where one could go back to."""

from collections.abc import Mapping
from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from shared.domain.data.events.document_triggers import EventarcTrigger
from shared.domain.data.integrity.damage import DamageFinding, writer_functions
from shared.domain.deployments.build_recipe import Recipe
from shared.domain.deployments.deployment import Deployment, Inventory, LiveFunction
from shared.domain.deployments.inventory import traffic
from shared.domain.deployments.inventory.inventory_parts import WholeInventory
from shared.domain.policy.probes import Probe
from shared.domain.policy.scenario_names import ScenarioName
from shared.domain.policy.severity import Severity, worse_severity
from shared.domain.policy.signals import Signal
from shared.domain.policy.system_policy import Policy
from shared.domain.rollback.write_quota import SavedPace
from shared.domain.signals.alert import AlertFact, EvidenceSource
from shared.domain.signals.breadth import limit_signal, measure_level
from shared.domain.signals.failure_evidence import (
    FailureEvidence,
    assess_failures,
    function_level,
    list_areas,
    spread_failure,
)
from shared.domain.signals.health import (
    FALSE_ALARMS,
    ProbeAnswer,
    RouterRequests,
    failing_functions,
    failure_ratio,
    has_failed,
    working_functions,
)
from shared.domain.signals.probe_history import DEFAULT_SLOWDOWN, PROBE_REPEATS, SLOWDOWN_SIGNAL, ProbeResult
from shared.domain.system_record import Budget, Controls, System


class DecisionFacts(Struct, frozen=True):
    """Everything a decision is made from, gathered before it. None: it could not be read."""

    alerts: tuple[AlertFact, ...]
    system: System
    controls: Controls | None
    budget: Budget
    deployments: tuple[Deployment, ...]
    """Newest first."""
    inventory: Inventory | None
    requests: Mapping[str, RouterRequests] | None
    """Per function, from the onset on, as far as the metrics show."""
    probes: Mapping[str, ProbeAnswer]
    other_incidents: Mapping[str, datetime]
    """When the open incidents of other systems were detected."""
    seen: WholeInventory | None = None
    """The functions now, resources as last read; None: the functions gave no answer."""
    records: Mapping[str, WholeInventory | None] = {}
    """The inventories of possible targets, by deployment; None: it could not be read."""
    triggers: tuple[EventarcTrigger, ...] | str | None = None
    """Those of Eventarc; a text: why they are not known; None: no documents are to be written."""
    damage: tuple[DamageFinding, ...] = ()
    """What our own look through the data found and has not seen mended."""
    pace: SavedPace | None = None
    """How fast the next worker may write; None: nobody has written yet."""
    failed_before: tuple[str, ...] = ()
    """Functions that an earlier check has observed to fail: the scope never shrinks."""
    asked_before: tuple[str, ...] = ()
    """Functions that the open question restores: it keeps those that are not proven to work."""
    level_before: Severity | None = None
    """The level that an earlier check has measured: it never falls."""
    seconds_since_detection: float = 0.0
    probe_counts: Mapping[str, RouterRequests] = {}
    """Answers of each probe since the onset, repeats included, and how many of them failed."""
    checks: Mapping[str, tuple[ProbeResult, ...]] = {}
    """The stored checks of each probe, oldest first."""
    other_alerts: tuple[AlertFact, ...] = ()
    """Open alerts of the system's other open incidents: evidence, and nothing to decide here."""
    first_requests: Mapping[str, RouterRequests] | None = None
    """Per function, in the first minutes of the newest release; None: they could not be read."""
    release_minutes: Mapping[datetime, Mapping[str, RouterRequests]] = {}
    """The requests of each function by minute, from the first function of that release on."""
    slowdowns: Mapping[str, float] = {}
    """By how much each function takes longer than in the hour before the onset, as a ratio."""
    slow_probes: frozenset[str] = frozenset()
    """The names of the system's probes whose checks show `performance_degraded`."""

    @property
    def onset(self) -> datetime:
        """When the trouble began."""
        return min(alert.started_at for alert in self.alerts)

    def onset_of(self, function: str) -> datetime:
        """When it began for one function: by the alerts that name it, or that name none."""
        own = [alert.started_at for alert in self.alerts if alert.function in (None, function)]
        return min(own, default=self.onset)

    def assess(self, policy: Policy) -> FailureEvidence:
        """Return what the counted requests tell of each function.

        A function that a release changed last still counts requests of before. Its first requests
        prove its failure, if it has not recovered since.
        """
        evidence = assess_failures(policy, self.requests or {})
        since_release = assess_failures(policy, self.first_requests or {}).failing
        failing = {
            name
            for name in since_release & evidence.counts.keys()
            if failure_ratio(evidence.counts[name]) > evidence.level / 2
        }
        return replace(evidence, failing=evidence.failing | failing, broken=evidence.broken | failing)

    def find_failing_functions(self, policy: Policy) -> set[str]:
        """Return the functions that fail at their rollback level.

        One that an alert of Cloud Monitoring names, or whose probe fails, is not one of them while
        enough requests work. A probe tells of no other function.
        """
        evidence = self.assess(policy)
        working = working_functions(self.requests or {}, policy.gates)
        by_probes = {alert.function for alert in self.alerts if alert.source is EvidenceSource.PROBES}
        alerted = self._alerted - (working - by_probes)
        failing = alerted | evidence.failing | self.find_slow(policy)
        probes = [*self.find_failing_probes(policy), *self.find_slow_probes(policy)]
        probed = {probe.function for probe in probes if probe.function} - working
        return spread_failure(list_areas(policy), failing, evidence) | probed

    def find_failing(self, policy: Policy) -> set[str]:
        """Return the same, and the functions that write invalid documents."""
        collections = {name for finding in self.damage_findings for name in finding.collections}
        return self.find_failing_functions(policy) | writer_functions(policy, collections)

    def find_known_failing(self, policy: Policy) -> set[str]:
        """Return the same, and what an earlier check has observed to fail and does not work."""
        waiting = {*self.asked_before} - working_functions(self.requests or {}, policy.gates)
        return self.find_failing(policy) | waiting | {*self.failed_before} - self.assess(policy).sound

    def find_observed_failing(self, policy: Policy) -> set[str]:
        """Return the functions whose requests fail, at any level, or that an alert names."""
        return self._alerted | (
            failing_functions(self.requests or {}, policy.gates) & policy.functions.keys()
        )

    def find_slow(self, policy: Policy) -> set[str]:
        """Return the functions that are slower than usual, where an alert reports slowness."""
        if not self._is_slowness_reported:
            return set()
        limit = policy.signals[SLOWDOWN_SIGNAL].threshold or DEFAULT_SLOWDOWN
        return {name for name, slowdown in self.slowdowns.items() if slowdown > limit}

    def find_failing_probes(self, policy: Policy) -> list[Probe]:
        """Return the probes whose answers prove a failure of the system at the level of functions.

        They share the budget of false alarms. The repeats of one failed answer fail together: only
        a whole check with all of them counts.
        """
        probes = [probe for probe in policy.probes if not probe.external]
        level, false_alarms = function_level(policy), FALSE_ALARMS / max(1, len(probes))
        counts = ((probe, self.probe_counts.get(probe.name)) for probe in probes)
        return [
            probe
            for probe, count in counts
            if count and count.total > PROBE_REPEATS and has_failed(count, level, false_alarms)
        ]

    def find_slow_probes(self, policy: Policy) -> list[Probe]:
        """Return the probes that are slower than usual, where an alert reports slowness."""
        return [
            probe for probe in policy.probes if self._is_slowness_reported and probe.name in self.slow_probes
        ]

    @property
    def _is_slowness_reported(self) -> bool:
        return any(alert.signal == SLOWDOWN_SIGNAL for alert in self.alerts)

    @property
    def _alerted(self) -> set[str]:
        return {alert.function for alert in self.alerts if alert.function}

    def measure_level(self, policy: Policy) -> Severity | None:
        """Return the level of what fails."""
        earlier = {*self.failed_before} - self.assess(policy).sound
        outside = {alert.function for alert in self.alerts} - policy.functions.keys()
        failing = {*self.find_failing_functions(policy), *earlier, *outside}
        measured = None if self.requests is None else measure_level(policy, failing, self.requests)
        if self.level_before is None or measured is None:
            return self.level_before or measured
        return worse_severity(self.level_before, measured)

    @property
    def damage_findings(self) -> list[DamageFinding]:
        """The damage that one of the alerts tells of."""
        signals = {alert.signal for alert in self.alerts}
        return [finding for finding in self.damage if finding.signal in signals]


class ChangeSet(Struct, frozen=True):
    """What differs between what is live and the deployment to go back to."""

    target: Deployment | None
    functions: Mapping[str, datetime]
    """The changed ones, and since when, at the earliest, they serve what they serve."""
    served_by: Mapping[str, datetime | None] = {}
    """Of those whose traffic somebody moved: when at the latest; None: not known yet."""
    created: tuple[str, ...] = ()
    """Live, and unknown to the target."""
    deleted: tuple[str, ...] = ()
    """Known to the target, and gone."""
    skipped: tuple[Deployment, ...] = ()
    """Deployments newer than the target."""
    passed_over: tuple[str, ...] = ()
    """One line for each deployment that served before what is live, and is not gone back to."""
    left: tuple[str, ...] = ()
    """Changed ones in a person's hands: automation does not touch them."""
    recipes: Mapping[str, Recipe] = {}
    """How functions that were recorded then can be built again, by name."""
    rebuilt: frozenset[str] = frozenset()
    """Of what differs, that which only a rebuild brings back: it is of the 1st generation, or was
    deleted, or its revision is gone or not ready; and we have what that needs."""
    doubts: tuple[str, ...] = ()
    """Why another deployment might be the one to go back to."""

    def changed_at(self, function: str) -> datetime | None:
        """Return when a changed function began to serve what it serves; None: not known yet."""
        return self.served_by.get(function, self.functions[function])


class FunctionDifference(Struct, frozen=True):
    """What a plan changes of one function."""

    function: str
    live: Mapping[str, int]
    """Percent per revision now."""
    target: Mapping[str, int]
    """Percent per revision then."""
    since: datetime
    """When the present revision was made."""
    rebuilt: bool = False
    """Whether it is built again, from our copy of its source."""

    def describe_states(self) -> tuple[str, str]:
        """Return the present and the future state, in words."""
        then = "built again from our copy" if self.rebuilt else traffic.describe_served_revisions(self.target)
        return traffic.describe_served_revisions(self.live), then

    def __str__(self) -> str:
        return (
            f"{self.function}: {' → '.join(self.describe_states())}, changed {self.since:%Y-%m-%d %H:%M} UTC"
        )


def worst_signal(facts: DecisionFacts, policy: Policy) -> Signal:
    """Return the severest signal for what fails; of equals no warning, and that of everything."""
    order, level = list(Severity), facts.measure_level(policy)
    return min(
        (limit_signal(policy, alert.signal, level) for alert in facts.alerts),
        key=lambda signal: (
            order.index(signal.severity),
            signal.scenario is ScenarioName.NONE,
            signal.scenario is not ScenarioName.COMPLETE,
        ),
    )


def compare_traffic(
    target: Deployment, inventory: Inventory, deployments: tuple[Deployment, ...], policy: Policy
) -> ChangeSet:
    """Compare what is live with `target`, over the policy's functions; newest deployment first."""
    newer = tuple(
        deployment for deployment in deployments if deployment.at >= target.at and deployment.id != target.id
    )
    since: dict[str, datetime] = {}
    served_by: dict[str, datetime | None] = {}
    for function in policy.functions:
        live, placed = inventory.get(function), target.functions.get(function)
        if live is None or placed is None or live_shares(live) == placed.revisions:
            continue
        since[function] = _serving_since(live, target, newer)
        if not traffic.is_following_latest(live.service.traffic):
            placed_at = [
                deployment.observed_at.get(function, deployment.at)
                for deployment in newer
                if _is_same_placement(deployment, live)
            ]
            served_by[function] = min((at for at in placed_at if at >= since[function]), default=None)
    return ChangeSet(
        target=target,
        functions=since,
        served_by=served_by,
        created=tuple(sorted(set(inventory) & set(policy.functions) - set(target.functions))),
        deleted=tuple(sorted(set(target.functions) - set(inventory))),
        skipped=newer,
    )


def live_shares(live: LiveFunction) -> dict[str, int]:
    """Percent per revision that a function serves now."""
    return traffic.traffic_shares(live.service.traffic, live.service.latest_ready)


def _is_same_placement(deployment: Deployment, live: LiveFunction) -> bool:
    placed = deployment.functions.get(live.function)
    return placed is not None and placed.revisions == live_shares(live)


def _serving_since(live: LiveFunction, target: Deployment, newer: tuple[Deployment, ...]) -> datetime:
    """The earliest moment at which it can have begun to serve what it serves now.

    Not before its revisions were made; and, where traffic may have been moved to them later, not
    before the newest deployment that shows something else.
    """
    placed = target.functions[live.function].revisions
    fresh = [live.revision(name) for name in live_shares(live) if name not in placed]
    created_at = [revision.created_at for revision in fresh if revision is not None]
    if traffic.is_following_latest(live.service.traffic):
        shifts = (
            deployment
            for deployment in newer
            if deployment.let_through and live.function in deployment.changed_functions
        )
        return max(
            [*created_at, *(deployment.at for deployment in shifts if _is_same_placement(deployment, live))],
            default=target.at,
        )
    return max(
        [*created_at, *(deployment.at for deployment in newer if not _is_same_placement(deployment, live))],
        default=target.at,
    )


def function_differences(change: ChangeSet, inventory: Inventory) -> list[FunctionDifference]:
    """What going back changes, function by function."""
    if change.target is None:
        return []
    return [
        FunctionDifference(
            function=function,
            live=live_shares(inventory[function]) if function in inventory else {},
            target=placed.revisions if (placed := change.target.functions.get(function)) is not None else {},
            since=since,
            rebuilt=function in change.rebuilt,
        )
        for function, since in sorted(change.functions.items())
    ]
