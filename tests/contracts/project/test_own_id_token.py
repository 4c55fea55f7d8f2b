"""What every Voice and every Entrance says: in memory, and over the wire."""

import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from local.control.proxy import build_proxy_environment
from local.core.clock import CloudClock
from local.services.identity import Account
from local.services.identity.users import totp_code
from shared.adapters.gcp.firebase.id_tokens import GoogleIdentity
from shared.adapters.gcp.project.service_account_token import HOST, ServiceAccountTokenSource
from shared.adapters.sign_in import SignIn
from shared.core.errors import Rejected
from shared.domain.commands.credential import CredentialKind
from shared.domain.policy.operator_identity import Role
from shared.domain.policy.system_policy import Policy
from shared.ports.identity import IdTokenSource, OperatorSignIn, TokenVerifier
from tests.contracts.support.rest import connected
from tests.local.support.run import policy
from tests.support.fakes.identity import FakeIdentity, FakeServiceIdentity, FakeSignIn
from tests.support.fakes.runtime.clock import FakeClock
from tests.support.runtime.embedded_cloud import embedded_cloud

SHOP: Policy = policy()
CONSOLE = "rollback-console@shop-ops.iam.gserviceaccount.com"
ADA = Account("ada@example.com", "pw", role="commander", totp_secret="JBSWY3DPEHPK3PXP")
EVE = Account("eve@example.com", "pw", role="commander")
"""She has no second factor."""


class Place:
    """Somewhere that people sign in, and a console speaks."""

    def __init__(
        self, identity: TokenVerifier, entrance: OperatorSignIn, voice: IdTokenSource, said: str
    ) -> None:
        self.identity = identity
        self.entrance = entrance
        self.voice = voice
        self.code = said
        """What Ada's app shows now."""


@pytest.fixture
def in_memory() -> Place:
    identity = FakeIdentity(FakeClock(), SHOP.project)
    entrance = FakeSignIn(identity)
    entrance.people[EVE.email] = "commander"
    entrance.without_app.add(EVE.email)
    return Place(identity, entrance, FakeServiceIdentity(identity, CONSOLE), FakeSignIn.CODE)


@pytest.fixture
def over_the_wire(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Place]:
    with embedded_cloud(SHOP, clock=CloudClock()) as cloud:
        for account in (ADA, EVE):
            cloud.identity.put(account)
        for name, value in build_proxy_environment(cloud.addresses["control"], tmp_path).items():
            monkeypatch.setenv(name, value)
        with (
            closing(GoogleIdentity(SHOP.project, anonymous=True)) as identity,
            connected(HOST, cloud.addresses["rest"]) as rest,
        ):
            entrance, voice = (
                SignIn("any", cloud.addresses["control"]),
                ServiceAccountTokenSource(rest, CONSOLE),
            )
            yield Place(identity, entrance, voice, totp_code(ADA.totp_secret, time.time()))


@pytest.fixture(params=["in_memory", "over_the_wire"])
def place(request: pytest.FixtureRequest) -> Place:
    place: Place = request.getfixturevalue(request.param)
    return place


def test_whoever_enters_is_known_by_the_token(place: Place) -> None:
    """With a second factor, and the role that they have; and nobody else gets one."""
    known = place.identity.verify(place.entrance.sign_in(ADA.email, ADA.password, place.code))

    assert (known.kind, known.name, known.role) == (CredentialKind.PERSON, ADA.email, Role.COMMANDER)
    assert known.second_factor
    wrong = str((int(place.code) + 500_000) % 1_000_000).zfill(6)
    for typed, why in (
        ((ADA.email, "no", place.code), "wrong address or password"),
        ((ADA.email, ADA.password, wrong), "wrong code"),
        ((EVE.email, EVE.password, place.code), "no second factor"),
    ):
        with pytest.raises(Rejected, match=why):
            place.entrance.sign_in(*typed)


def test_a_voice_is_that_of_its_account_for_its_audience(place: Place) -> None:
    """By its address, which the token must hold to be worth anything."""
    said = place.identity.verify(place.voice.token("a" * 64))

    assert (said.kind, said.name, said.audience) == (CredentialKind.SERVICE, CONSOLE, "a" * 64)


def test_a_voice_for_no_audience(place: Place) -> None:
    """There is no such token."""
    with pytest.raises(Rejected):
        place.voice.token("")
