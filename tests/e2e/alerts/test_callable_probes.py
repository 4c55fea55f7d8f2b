"""CVPlus's probes reach the handlers of its callables in the embedded cloud, as its policy says."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from local.application import Application
from local.cloud import Cloud
from shared.core.codec import encode
from shared.domain.deployments.inventory.traffic import traffic_shares
from shared.domain.policy.probes import Probe
from shared.domain.rollback.plan import Step
from shared.engine.steps.base import StepVerdict, step_context
from shared.engine.steps.functions.judge_canary import KIND, CanaryGoal, JudgeCanaryStep
from shared.policy_files import loader
from shared.wiring.adapters import Wiring
from tests.support.runtime.embedded_cloud import embedded_cloud, wired

POLICY = loader.load_policy(Path(__file__).parents[3] / "policies" / "cvplus.yaml")
PROBES = {probe.name: probe for probe in POLICY.probes}
CALLS = {"podcast-status": "podcastStatus", "feature-access": "checkFeatureAccess"}


class CVPlus:
    """CVPlus in the embedded cloud, and the responders' wiring to it."""

    def __init__(self, cloud: Cloud, wiring: Wiring) -> None:
        self.cloud = cloud
        self.application: Application = cloud.application(POLICY.system)
        self.wiring = wiring

    def ask(self, name: str) -> str:
        """What becomes of a probe of the policy."""
        answer = self.wiring.prober.ask(PROBES[name])
        return "passed" if answer.passed else answer.outcome

    def judge(self, probe: Probe) -> tuple[StepVerdict, str]:
        """How the canary of a probe's function is judged while its newest revision serves."""
        system = self.wiring.system(POLICY.system)
        [service] = [
            live.service
            for function, live in system.platform.inventory().items()
            if function == probe.function
        ]
        goal = CanaryGoal(
            service.name,
            traffic_shares(service.serving, service.latest_ready),
            newest=service.latest_created,
            probe=probe.name,
            request=msgspec.json.encode(probe).decode(),
        )
        step = Step("judge", KIND, str(probe.function), goal=encode(goal))
        look = JudgeCanaryStep(step_context(self.wiring, POLICY.system)).look(step)
        return look.verdict, look.note


@pytest.fixture
def cvplus() -> Iterator[CVPlus]:
    with embedded_cloud(POLICY) as cloud, wired(cloud, POLICY) as wiring:
        yield CVPlus(cloud, wiring)


def test_each_probe_of_the_policy_passes_while_the_product_works(cvplus: CVPlus) -> None:
    """Those of callables by their handlers' own answers."""
    assert {name: cvplus.ask(name) for name in PROBES} == dict.fromkeys(PROBES, "passed")


def test_a_release_whose_containers_start_and_whose_handlers_fail(cvplus: CVPlus) -> None:
    """A plain GET passes all the same; the probe that calls the handler fails."""
    cvplus.application.deploy(release="bad", failure_rate=1.0)
    cvplus.cloud.clock.advance(timedelta(minutes=1))

    assert cvplus.ask("checkFeatureAccess") == "passed"
    assert {name: cvplus.ask(name) for name in CALLS} == dict.fromkeys(CALLS, "500, expected status 200")
    assert cvplus.ask("session-check") == "500, expected status 200"
    assert cvplus.ask("cv-status") == "500, expected status 404"


def test_a_callable_refuses_whoever_is_not_signed_in(cvplus: CVPlus) -> None:
    """A probe without the account of the policy fails: the token is what the handler takes."""
    for name in CALLS:
        anonymous = msgspec.structs.replace(PROBES[name], sign_in=None)

        assert cvplus.wiring.prober.ask(anonymous).outcome == "401, expected status 200"


@pytest.mark.parametrize("name", CALLS)
def test_a_canary_is_judged_by_its_handler(name: str, cvplus: CVPlus) -> None:
    """With body, account and expected answer: a revision whose container starts is not enough."""
    well = cvplus.judge(PROBES[name])
    cvplus.application.degrade(CALLS[name], failure_rate=1.0)
    ill = cvplus.judge(PROBES[name])

    assert well == (StepVerdict.AT_GOAL, "5 of 5 probes passed")
    assert ill == (StepVerdict.UNDER_WAY, "probe 1 of 5: 500, expected status 200")
