"""A probe signs in at an embedded Identity Platform, as its policy says."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from shared.domain.policy.probes import Probe, ProbeAccount
from shared.domain.signals.health import ProbeAnswer
from shared.policy_files import loader
from shared.wiring.adapters import Wiring
from tests.support.runtime.embedded_cloud import embedded_cloud, wired

ACCOUNT = ProbeAccount("probe@cvplus.com", "rollback-probe-password", "rollback-probe-key")
PROBE = Probe("signing-in", sign_in=ACCOUNT, signal="authentication_failure")
CVPLUS = loader.load_policy(Path(__file__).parents[3] / "policies" / "cvplus.yaml")
POLICY = replace(CVPLUS, probes=(*(one for one in CVPLUS.probes if one.sign_in is None), PROBE))
ENABLED = "signIn.email.enabled"


@pytest.fixture(params=["cvplus", "operations"])
def wiring(request: pytest.FixtureRequest) -> Iterator[Wiring]:
    """The responders in the application's project, or in one of their own."""
    with embedded_cloud(POLICY, operations_project=request.param) as cloud, wired(cloud, POLICY) as wiring:
        yield wiring


def without_time(answer: ProbeAnswer) -> ProbeAnswer:
    return replace(answer, seconds=0.0)


def test_a_test_account_signs_in_while_anybody_can(wiring: Wiring) -> None:
    """With what its secrets hold; refused as long as signing in by e-mail is off."""
    identity = wiring.system(POLICY.system).resources.identity
    assert without_time(wiring.prober.ask(PROBE)) == ProbeAnswer(True, 200)

    identity.configure({ENABLED: False})
    refused = without_time(wiring.prober.ask(PROBE))
    identity.configure({ENABLED: True})

    assert refused == ProbeAnswer(False, 400, "PASSWORD_LOGIN_DISABLED")
    assert without_time(wiring.prober.ask(PROBE)) == ProbeAnswer(True, 200)
