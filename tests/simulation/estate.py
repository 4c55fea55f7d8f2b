"""The small system that is protected in every simulation, and what is kept of it at the start."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from msgspec.structs import replace

from shared import deployment as deployments
from shared import system as systems
from shared.deployment import Deployment, Status, placements
from shared.documents import encode
from shared.inventory import FunctionState
from shared.plan import Step
from shared.policy import (
    Channel,
    ChannelKind,
    Execution,
    Gates,
    Group,
    Mode,
    Policy,
    Probe,
    Rung,
    ScenarioName,
    Severity,
    Signal,
    Targets,
    WriteQuota,
)
from shared.ports import Create, Write
from shared.steps import Look, Verdict
from shared.system import System
from tests.fakes.clock import START
from tests.fakes.hooks import Hook, around

SYSTEM = "shop"
LONG_AGO = START - timedelta(days=1)
"""When what is stable was released."""
POLICY = Policy(
    system=SYSTEM,
    project="shop-prod",
    region="europe-west1",
    display_name="Shop",
    groups={
        "front": Group(functions=("order",)),
        "core": Group(functions=("basket", "shelf"), canary="shelf", after=("front",)),
    },
    signals={
        "function_failure_rate": Signal(Severity.CRITICAL, ScenarioName.FUNCTIONS, Mode.ACT),
        "slow_response": Signal(Severity.LOW, ScenarioName.NONE, Mode.OBSERVE),
    },
    scenarios={ScenarioName.FUNCTIONS: Mode.ACT},
    probes=(Probe("shelf", "https://shelf-uc.a.run.app/", function="shelf"),),
    gates=Gates(
        judge_every=timedelta(seconds=15),
        join_window=timedelta(minutes=2),
        minimum_requests=5,
    ),
    execution=Execution(
        canary_probes=1,
        write_quota=WriteQuota(burst=8, per_second=1.0),
        watch=timedelta(seconds=50),
        watch_every=timedelta(seconds=25),
        verify_within=timedelta(minutes=3),
    ),
    targets=Targets(by_severity=dict.fromkeys(Severity, timedelta(minutes=2))),
    channels=(Channel("pager", ChannelKind.RECORDING),),
    on_call=(Rung(timedelta(minutes=1), channel="pager"),),
    fingerprint="first",
)
SMALL = replace(
    POLICY,
    groups={"core": Group(functions=("basket", "shelf"), canary="shelf")},
    execution=replace(
        POLICY.execution, watch=timedelta(seconds=20), watch_every=timedelta(seconds=20)
    ),
)
"""The least that has every kind of point: a canary, who waits for it, and a short watch."""


def changed(policy: Policy) -> Policy:
    """What a policy changes to in the middle: one more channel, another canary."""
    core = replace(policy.groups["core"], canary="basket", after=())
    return replace(
        policy,
        channels=(*policy.channels, Channel("chat", ChannelKind.RECORDING)),
        groups={**policy.groups, "core": core},
        fingerprint="second",
    )


def at_the_start(functions: Mapping[str, FunctionState]) -> list[Write]:
    """A system that was promoted to act, and one stable deployment."""
    stable = Deployment("v1", SYSTEM, LONG_AGO, Status.STABLE, placements(functions))
    return [
        Create(systems.path(SYSTEM), encode(System(SYSTEM, mode=Mode.ACT))),
        Create(deployments.path(SYSTEM, stable.id), encode(stable)),
    ]


class Site:
    """A hosting site: one version is live, and a release is unconditional."""

    def __init__(self, hook: Hook) -> None:
        self.live = "site-1"
        self._hook = hook

    def version(self) -> str:
        """What is live."""
        with around(self._hook, "site.version"):
            return self.live

    def release(self, version: str) -> None:
        """Make a version live, whatever was."""
        with around(self._hook, "site.release"):
            self.land(version)

    def land(self, version: str) -> None:
        """A release takes effect."""
        self.live = version


class Release:
    """The step kind of the simulation that no precondition protects."""

    KIND = "release"
    expected_seconds = 0.0
    unconditional_timeout_seconds: float | None = 10.0

    def __init__(self, site: Site) -> None:
        self._site = site

    def look(self, step: Step) -> Look:
        """Compare what is live with goal and origin."""
        live = self._site.version()
        verdicts = {
            step.goal["version"]: Verdict.AT_GOAL,
            step.origin["version"]: Verdict.AT_ORIGIN,
        }
        return Look(verdicts.get(live, Verdict.ELSEWHERE), token=live, note=f"{live} is live")

    def rehearse(self, step: Step) -> None:
        """Nothing can be asked beforehand."""

    def set(self, step: Step) -> str:
        """Release the goal's version."""
        self._site.release(step.goal["version"])
        return ""
