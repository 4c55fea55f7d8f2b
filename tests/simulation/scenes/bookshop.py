"""The small system that is protected in every simulation, and what is kept of it at the start."""

from datetime import timedelta
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from shared.core.codec import encode
from shared.core.store import Create, Put, Write
from shared.domain import system_record as systems
from shared.domain.deployments import deployment as deployments
from shared.domain.deployments.deployment import Deployment, DeploymentStatus, placements
from shared.domain.deployments.inventory import inventory_record as stocks
from shared.domain.deployments.inventory.inventory_parts import (
    HostingSite,
    RemoteConfigTemplate,
    WholeInventory,
    json_fingerprint,
)
from shared.domain.deployments.inventory.inventory_record import InventoryRecord
from shared.domain.deployments.inventory.products import InventoryPart
from shared.domain.policy.channels import Audience, Channel, ChannelKind, Component, Rung, StatusPage
from shared.domain.policy.execution_limits import Execution, WriteQuota
from shared.domain.policy.gate_limits import Gates
from shared.domain.policy.probes import Probe
from shared.domain.policy.scenario_names import Mode, ScenarioName
from shared.domain.policy.severity import Severity
from shared.domain.policy.signals import Signal
from shared.domain.policy.system_policy import Group, Policy, Targets
from shared.domain.reports.filed_report import FILING_DELAY
from shared.domain.system_record import System
from tests.simulation.statements.truth import DATA, SIGN_IN
from tests.simulation.statements.truth import SITE as SITE_SUBJECT
from tests.support.fakes.runtime.clock import START

SYSTEM = "shop"
LONG_AGO = START - timedelta(days=1)
"""When what is stable was released."""
LOOKED_AT = START - timedelta(minutes=4, seconds=30)
"""When all that is live was last looked at: before the bad release, and soon due again."""
POLICY = Policy(
    system=SYSTEM,
    project="shop-prod",
    region="europe-west1",
    display_name="Shop",
    groups={
        "front": Group(functions=("order",), keep_warm=1),
        "core": Group(functions=("basket", "shelf"), canary="shelf", after=("front",)),
    },
    signals={
        "function_failure_rate": Signal(Severity.CRITICAL, ScenarioName.FUNCTIONS, Mode.ACT),
        "slow_response": Signal(Severity.LOW, ScenarioName.NONE, Mode.OBSERVE),
    },
    scenarios={ScenarioName.FUNCTIONS: Mode.ACT},
    probes=(Probe("shelf", "https://shelf-uc.a.run.app/", function="shelf"),),
    gates=Gates(judge_every=timedelta(seconds=15), join_window=timedelta(minutes=2), minimum_requests=5),
    execution=Execution(
        canary_probes=1,
        write_quota=WriteQuota(burst=8, per_second=1.0),
        watch=timedelta(seconds=50),
        watch_every=timedelta(seconds=25),
        verify_within=timedelta(minutes=3),
    ),
    targets=Targets(dict.fromkeys(Severity, timedelta(minutes=2)), functions=timedelta(minutes=3)),
    channels=(Channel("pager", ChannelKind.RECORDING),),
    on_call=(Rung(timedelta(minutes=1), channel="pager"),),
    fingerprint="first",
)
PROMPT: Policy = replace(
    POLICY,
    gates=replace(POLICY.gates, cool_down=timedelta(seconds=30), suspect_window=timedelta(minutes=3)),
    execution=replace(POLICY.execution, bake=timedelta(minutes=3)),
    deployments=replace(POLICY.deployments, human_first=timedelta(seconds=30)),
)
"""Automation acts again soon, and what is deployed has baked soon."""


FRONT, CATALOGUE, SIGNING_IN, WEBSITE = "Ordering", "Catalogue", "Signing in", "Website"
PART_SUBJECTS: dict[str, tuple[str, ...]] = {
    FRONT: ("order",),
    CATALOGUE: ("basket", "shelf"),
    SIGNING_IN: (SIGN_IN,),
    WEBSITE: (SITE_SUBJECT,),
}
"""What each part of the public page stands for; another name: every function."""
SIGNAL_SUBJECTS: dict[str, tuple[str, ...]] = {
    "frontend_unavailable": (SITE_SUBJECT,),
    "authentication_failure": (SIGN_IN,),
    "database_corruption": (DATA,),
    "security_breach": (),
}
"""What a signal is about that is not about functions."""
SPEAKING = replace(
    POLICY,
    signals={
        **POLICY.signals,
        "error_rate": Signal(Severity.MEDIUM, ScenarioName.FUNCTIONS, Mode.OBSERVE),
        "frontend_unavailable": Signal(Severity.CRITICAL, ScenarioName.NONE, Mode.OBSERVE),
        "authentication_failure": Signal(Severity.HIGH, ScenarioName.NONE, Mode.OBSERVE),
        "database_corruption": Signal(Severity.HIGH, ScenarioName.NONE, Mode.OBSERVE),
        "security_breach": Signal(Severity.CRITICAL, ScenarioName.NONE, Mode.OBSERVE),
    },
    channels=(
        Channel("pager", ChannelKind.WEBHOOK, url="https://pager.example.com/"),
        Channel(
            "business",
            ChannelKind.WEBHOOK,
            url="https://business.example.com/",
            audience=Audience.STAKEHOLDERS,
        ),
        Channel("users", ChannelKind.PUSH, target="users", audience=Audience.USERS),
    ),
    status_page=StatusPage(
        components=(
            Component(FRONT, functions=("order",)),
            Component(CATALOGUE, functions=("basket", "shelf")),
            Component(SIGNING_IN, ("authentication_failure",)),
            Component(WEBSITE, ("frontend_unavailable",)),
        )
    ),
    gates=replace(POLICY.gates, unobserved_after=timedelta(minutes=3)),
    fingerprint="speaking",
)
"""The policy of worlds in which much is said: four parts, three audiences, signals of each kind."""


class Setting(Struct, frozen=True):
    """A plain world that faults are planned for: a site goes back in it, and functions do."""

    policy: Policy
    rebuilt: str = ""
    """The function of which no image is left; empty: none."""
    template: bool = False
    """Whether a template goes back as well."""
    reported_after: timedelta = FILING_DELAY
    """How long after an incident's end its report is written."""


WHOLE = Setting(POLICY, rebuilt="basket", template=True)
SMALL = Setting(
    replace(
        POLICY,
        groups={"core": Group(functions=("basket", "shelf"), canary="shelf")},
        execution=replace(POLICY.execution, watch=timedelta(seconds=20), watch_every=timedelta(seconds=20)),
        deployments=replace(POLICY.deployments, quiet=timedelta(seconds=45)),
    ),
    rebuilt="basket",
    template=True,
    reported_after=timedelta(seconds=5),
)
"""The least that has every kind of point: a canary, who waits for it, and a short watch.

A release goes on for three looks of the verification, not for a dozen that are all alike, and a
report is written soon, not after sweeps in which nothing is due.
"""
LEAST = Setting(
    replace(
        SMALL.policy,
        groups={"core": Group(functions=("shelf",))},
        execution=replace(POLICY.execution, watch=timedelta(seconds=10), watch_every=timedelta(seconds=10)),
        gates=replace(POLICY.gates, minimum_requests=1),
        deployments=replace(POLICY.deployments, quiet=timedelta(seconds=12)),
        targets=Targets(dict.fromkeys(Severity, timedelta(seconds=55)), functions=timedelta(seconds=55)),
        on_call=(),
    ),
    reported_after=SMALL.reported_after,
)
"""The least that has both kinds of effect: a function is shifted, where the platform compares what
it is asked for, and a site released, where nothing does. All of it is over in two sweeps.
"""


def changed(policy: Policy) -> Policy:
    """What a policy changes to in the middle: one more channel, another canary."""
    core = replace(policy.groups["core"], canary="basket", after=())
    return replace(
        policy,
        channels=(*policy.channels, Channel("chat", ChannelKind.RECORDING)),
        groups={**policy.groups, "core": core},
        fingerprint="second",
    )


def at_the_start(recorded: WholeInventory) -> list[Write]:
    """A system that was promoted to act, one stable deployment, and what a look has found live."""
    functions = recorded.functions or {}
    stable = Deployment("v1", SYSTEM, LONG_AGO, DeploymentStatus.STABLE, placements(functions))
    nothing: dict[str, Any] = {part: {} for part in InventoryPart}
    whole = WholeInventory(**{**nothing, InventoryPart.FUNCTIONS: functions})
    stock = InventoryRecord(SYSTEM, LOOKED_AT, LOOKED_AT + POLICY.deployments.look_every, whole)
    return [
        Create(systems.system_path(SYSTEM), encode(System(SYSTEM, mode=Mode.ACT))),
        Create(deployments.deployment_path(SYSTEM, stable.id), encode(stable)),
        Create(stocks.inventory_path(SYSTEM), stocks.encode(stock)),
    ]


def kept(recorded: WholeInventory) -> list[Write]:
    """The stable deployment with its record: everything can be built again."""
    functions = recorded.functions or {}
    stable = Deployment(
        "v1", SYSTEM, LONG_AGO, DeploymentStatus.STABLE, placements(functions), settled_at=LONG_AGO
    )
    fields = {"live": stocks.pack_inventory(recorded), "at": LONG_AGO}
    return [
        Put(deployments.deployment_path(SYSTEM, stable.id), encode(stable)),
        Put(deployments.record_path(SYSTEM, stable.id), fields),
    ]


def _beside(version: str, colour: str, number: str) -> WholeInventory:
    content = f'{{"parameters":{{"colour":"{colour}"}}}}'
    said = json_fingerprint({"parameters": {"colour": colour}})
    return WholeInventory(
        sites={SITE: HostingSite(version)},
        remote_config={"firebase": RemoteConfigTemplate(number, f"etag-{number}", said, content)},
    )


SITE = "shop"
GOOD = _beside("site-1", "green", "1")
BAD = _beside("site-2", "red", "2")
"""What is beside the functions, before and after the bad release."""
