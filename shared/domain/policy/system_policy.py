"""What a protected system is and how it may be rolled back: one policy file per system, typed.

`policies/policy.schema.json` says what each key means; a field's docstring, what is not said there.
"""

from collections.abc import Container, Mapping
from datetime import timedelta
from enum import StrEnum

from msgspec import field

from shared.core.codec import FrozenStruct
from shared.domain.policy.channels import Channel, Contact, IncidentStage, Rung, StatusPage, TeamRole
from shared.domain.policy.data_rules import Collection, ErasureRules, FenceRules, IntegrityRules
from shared.domain.policy.execution_limits import Execution
from shared.domain.policy.gate_limits import Gates
from shared.domain.policy.operator_identity import IdentityRules
from shared.domain.policy.probes import Probe, VerificationCheck
from shared.domain.policy.resources import AssetRules, BackupRules, Resources
from shared.domain.policy.scenario_names import Mode, ScenarioName
from shared.domain.policy.severity import Severity
from shared.domain.policy.signals import AUTHENTICATION_SIGNALS, BreadthLimits, Signal


def service_of(function: str) -> str:
    """Return a function's Cloud Run service, which admits no capitals or underscores."""
    return function.lower().replace("_", "-")


WILDCARDS = frozenset("*?")
"""In a pattern of function names: any characters, one character."""


def is_pattern(function: str) -> bool:
    """Return whether an entry of a group's functions is a pattern, and no name."""
    return not WILDCARDS.isdisjoint(function)


class Group(FrozenStruct):
    """Functions that are rolled back together."""

    functions: tuple[str, ...] = ()
    """Names, and patterns until `function_groups.resolve_groups` has put names in their place."""
    codebases: tuple[str, ...] = ()
    canary: str | None = None
    after: tuple[str, ...] = ()
    keep_warm: int = 0


class DeploymentRules(FrozenStruct):
    """When a change of what is live is a deployment, and what a change by hand means."""

    quiet: timedelta = timedelta(minutes=2)
    look_every: timedelta = timedelta(minutes=5)
    human_first: timedelta = timedelta(minutes=60)
    pinned_for: timedelta = timedelta(days=3)
    kept: int = 30
    secrets_renewed_within: timedelta = timedelta(days=365)


class Targets(FrozenStruct):
    """The runbook's times, from detection until an incident has recovered."""

    by_severity: dict[Severity, timedelta] = field(
        default_factory=lambda: {
            Severity.CRITICAL: timedelta(minutes=5),
            Severity.HIGH: timedelta(minutes=15),
            Severity.MEDIUM: timedelta(minutes=60),
            Severity.LOW: timedelta(hours=4),
        }
    )
    functions: timedelta = timedelta(minutes=10)
    database: timedelta = timedelta(minutes=15)
    status_page: timedelta = timedelta(seconds=60)


class Outage(FrozenStruct):
    """What it means that the system does not work, as its owner declares."""

    per_minute: float | None = None
    currency: str = ""
    users: str = ""


class FindingClass(StrEnum):
    """What kind of thing was found, of those that can be a breach.

    https://cloud.google.com/security-command-center/docs/reference/rest/v2/organizations.sources.locations.findings
    (read 2026-11).
    """

    THREAT = "THREAT"
    TOXIC_COMBINATION = "TOXIC_COMBINATION"
    VULNERABILITY = "VULNERABILITY"


class FindingRules(FrozenStruct):
    """Which findings of Security Command Center are a breach."""

    classes: tuple[FindingClass, ...] = (FindingClass.THREAT,)
    severities: tuple[Severity, ...] = (Severity.CRITICAL,)


class Policy(FrozenStruct):
    """One protected system, whole."""

    system: str
    project: str
    region: str
    groups: dict[str, Group]
    signals: dict[str, Signal]
    scenarios: dict[ScenarioName, Mode]
    """Mode per scenario; absent means observe (of `feature`: as `functions`)."""
    group_aliases: dict[str, tuple[str, ...]] = {}
    """What people call one group or several: `core-api` is core and admin."""
    alert_projects: tuple[str, ...] = ()
    resources: Resources = Resources()
    backups: BackupRules = BackupRules()
    assets: AssetRules = AssetRules()
    integrity: IntegrityRules = IntegrityRules()
    collections: dict[str, Collection] = {}
    fence: FenceRules | None = None
    erasure: ErasureRules | None = None
    """None: nothing is known of whom data belongs to."""
    breadth: BreadthLimits = BreadthLimits()
    probes: tuple[Probe, ...] = ()
    verification: dict[str, VerificationCheck] = {}
    gates: Gates = Gates()
    execution: Execution = Execution()
    deployments: DeploymentRules = DeploymentRules()
    targets: Targets = Targets()
    status_page: StatusPage = StatusPage()
    identity: IdentityRules = IdentityRules()
    findings: FindingRules | None = None
    outage: Outage | None = None
    console_url: str = ""
    channels: tuple[Channel, ...] = ()
    contacts: tuple[Contact, ...] = ()
    roles: dict[str, TeamRole] = {}
    on_call: tuple[Rung, ...] = ()
    unanswered_after: timedelta = timedelta(minutes=5)
    escalate_when_observing: bool = False
    display_name: str = ""
    text: str = ""
    """The file's; filled in by the loader."""
    fingerprint: str = ""
    """SHA-256 of the file's bytes, filled in by the loader."""
    foreign: tuple[Group, ...] = ()
    """The groups of other systems in its project and region; filled in by the loader."""
    declared: dict[str, Group] = {}
    """The groups as the file has them; filled in by `function_groups.resolve_groups`."""

    @property
    def functions(self) -> dict[str, str]:
        """Every function of the system, with its group; a pattern is none."""
        members = ((function, name) for name, group in self.groups.items() for function in group.functions)
        return {function: name for function, name in members if not is_pattern(function)}

    @property
    def sign_in_groups(self) -> set[str]:
        """The groups of functions by which people sign in; none where the policy names none."""
        return set(next(filter(None, map(self.groups_by_name, AUTHENTICATION_SIGNALS)), ()))

    @property
    def critical_path(self) -> set[str]:
        """The functions and groups whose failure is as bad as a mass failure."""
        return {one for name in self.breadth.critical_path for one in (name, *self.groups_by_name(name))}

    def strictest_mode(self, signal: Signal) -> Mode:
        """How far automation may go after a signal, by the signal and by its scenario."""
        return min(signal.mode, self.scenario_mode(signal.scenario))

    def scenario_mode(self, scenario: ScenarioName) -> Mode:
        """How far automation may go in a scenario, by the policy alone."""
        absent = Mode.OBSERVE
        if scenario is ScenarioName.FEATURE:
            absent = self.scenarios.get(ScenarioName.FUNCTIONS, absent)
        return self.scenarios.get(scenario, absent)

    @property
    def answer_within(self) -> timedelta:
        """How long an incident may stay unacknowledged until it is unanswered."""
        return max((one.after for one in self.on_call), default=timedelta(0)) + self.unanswered_after

    def channels_of_step(self, rung: Rung) -> list[Channel]:
        """The channels that a step of the on-call ladder speaks on."""
        holders = self.roles[rung.role].contacts if rung.role else ()
        names = {rung.channel, *self.channels_of_contacts({rung.contact, *holders})}
        return [channel for channel in self.channels if channel.name in names]

    def channels_of_contacts(self, contacts: Container[str | None]) -> list[str]:
        """Return the names of the channels that reach these contacts."""
        return [name for one in self.contacts if one.name in contacts for name in one.channels]

    def is_wanted(self, channel: str, stage: IncidentStage) -> bool:
        """Return whether a channel is notified of a stage; one that no role has, of every stage."""
        roles = [one for one in self.roles.values() if channel in self.channels_of_contacts(one.contacts)]
        rules = [rule for one in roles for rule in one.notify if channel in (rule.channels or (channel,))]
        return not roles or any(stage in rule.stages for rule in rules)

    def groups_by_name(self, name: str) -> tuple[str, ...]:
        """The groups that people mean by `name`: a group's own name or an alias; () if unknown."""
        return (name,) if name in self.groups else self.group_aliases.get(name, ())


Policies = Mapping[str, Policy]
"""By system."""
