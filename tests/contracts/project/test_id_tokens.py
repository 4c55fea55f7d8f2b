"""What every Identity says of a token: in memory, and over Google's libraries with signed tokens.

The libraries run as they are: they find the embedded cloud by HTTPS_PROXY, and fetch certificates
and users from it over TLS.
"""

import base64
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from local.cloud import Cloud
from local.control.proxy import build_proxy_environment
from local.services.identity import Account
from shared.adapters.gcp.firebase.id_tokens import GoogleIdentity
from shared.core.errors import Rejected, Unavailable
from shared.domain.commands.credential import ROLE_CLAIM, CredentialKind, decode_unverified_token, hash_token
from shared.domain.policy.operator_identity import Role
from shared.domain.policy.system_policy import Policy
from shared.ports.identity import TokenVerifier
from tests.local.support.run import policy
from tests.support.fakes.identity import FakeIdentity
from tests.support.fakes.runtime.clock import START, FakeClock
from tests.support.runtime.embedded_cloud import embedded_cloud

ADA = "ada@example.com"
DEPLOY = "deploy@bookshop-prod.iam.gserviceaccount.com"
SECOND = timedelta(seconds=1)
SHOP: Policy = policy()


class InMemory:
    """The fake."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self._fake = FakeIdentity(self.clock, SHOP.project)
        self.identity: TokenVerifier = self._fake

    def person(self, **changes: Any) -> str:
        """A well-signed token of Ada, a commander with a second factor, but for these claims."""
        return self._fake.person(**changes)

    def service(self, audience: str, **changes: Any) -> str:
        """A well-signed token of a service account, but for these claims."""
        return self._fake.service(audience, **changes)

    def change(self, what: str) -> None:
        """Ada is disabled, revoked or deleted."""
        self.clock.advance(2 * SECOND)
        match what:
            case "disabled":
                self._fake.disabled.add("uid-ada")
            case "deleted":
                self._fake.deleted.add("uid-ada")
            case "revoked":
                self._fake.valid_since["uid-ada"] = self.clock.now().timestamp()


class Embedded:
    """firebase-admin and google-auth, over TLS."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._place = cloud.identity
        self._account = Account(ADA, "pw", role="commander")
        self._uid: str = self._place.put(self._account)["uid"]
        self.google = GoogleIdentity(SHOP.project, anonymous=True)
        self.identity: TokenVerifier = self.google

    def person(self, **changes: Any) -> str:
        user = self._place.users.get(self._uid)
        assert user is not None
        auth_time = int((self._cloud.clock.now() - timedelta(minutes=1)).timestamp())
        claims = self._place.person_claims(user, second_factor=True, auth_time=auth_time)
        return self._place.person_token({**claims, **changes})

    def service(self, audience: str, **changes: Any) -> str:
        claims = self._place.service_claims(DEPLOY, audience)
        return self._place.service_token({**claims, **changes})

    def change(self, what: str) -> None:
        self._cloud.clock.advance(2 * SECOND)
        match what:
            case "disabled":
                self._account.disabled = True
            case "revoked":
                self._account.revoke = True
            case "deleted":
                self._place.users.remove(self._uid)
                return
        self._place.put(self._account)


Place = InMemory | Embedded
"""Somewhere that people sign in."""


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    with embedded_cloud(SHOP) as cloud:
        yield cloud


@pytest.fixture
def embedded(cloud: Cloud, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Embedded]:
    """Google's libraries, led to the embedded cloud."""
    for name, value in build_proxy_environment(cloud.addresses["control"], tmp_path).items():
        monkeypatch.setenv(name, value)
    embedded = Embedded(cloud)
    with closing(embedded.google):
        yield embedded


@pytest.fixture(params=["memory", "google"])
def place(request: pytest.FixtureRequest) -> Place:
    """Both, one after the other."""
    if request.param == "memory":
        return InMemory()
    embedded: Embedded = request.getfixturevalue("embedded")
    return embedded


def seconds(after: timedelta) -> int:
    """A moment by the machine's clock as well as by the cloud's, which stands before it."""
    return int((START + after).timestamp())


def test_a_person(place: Place) -> None:
    """Name, role, second factor and times are those of the token."""
    token = place.person()

    credential = place.identity.verify(token)

    assert (credential.name, credential.kind, credential.role) == (ADA, CredentialKind.PERSON, Role.COMMANDER)
    assert credential.second_factor
    assert credential.authenticated_at == START - timedelta(minutes=1)
    assert credential.issued_at == START
    assert credential.expires_at >= START + timedelta(hours=1)
    assert credential.token_hash == hash_token(token)
    assert credential.audience == SHOP.project


@pytest.mark.parametrize(
    ("claim", "role"),
    [
        ("viewer", Role.VIEWER),
        ("admin", Role.ADMIN),
        ("Admin", None),
        ("root", None),
        (["admin"], None),
        (None, None),
    ],
)
def test_a_role_is_one_of_four_words(place: Place, claim: object, role: Role | None) -> None:
    """Anything else is no role."""
    assert place.identity.verify(place.person(**{ROLE_CLAIM: claim})).role is role


def test_a_person_without_a_second_factor(place: Place) -> None:
    """The token is good; that something is missing is said, and judged elsewhere."""
    token = place.person(firebase={"sign_in_provider": "password", "identities": {}})

    assert not place.identity.verify(token).second_factor


def test_a_person_whose_address_nobody_has_verified(place: Place) -> None:
    """Anybody may write any address into an account: the trail shows the id instead."""
    credential = place.identity.verify(place.person(email="boss@x.org", email_verified=False))

    assert credential.name == credential.subject


def test_a_service_account(place: Place) -> None:
    """It has no role; its audience is told, and judged where the command is known."""
    credential = place.identity.verify(place.service("a" * 64))

    assert (credential.name, credential.kind, credential.role) == (DEPLOY, CredentialKind.SERVICE, None)
    assert credential.audience == "a" * 64
    assert not credential.second_factor


@pytest.mark.parametrize(
    ("change", "reason"), [("disabled", "disabled"), ("revoked", "revoked"), ("deleted", "does not exist")]
)
def test_a_token_of_somebody_who_may_not_any_more(place: Place, change: str, reason: str) -> None:
    """Well signed and alive, and yet refused: the user is looked up each time."""
    token = place.person()
    place.identity.verify(token)

    place.change(change)

    with pytest.raises(Rejected, match=reason):
        place.identity.verify(token)


def test_a_person_who_is_looked_up(place: Place) -> None:
    """Their role as of now, whatever an older token of theirs says, and since when that holds."""
    token = place.person(**{ROLE_CLAIM: "admin"})
    subject = place.identity.verify(token).subject

    before = place.identity.look_up(subject)
    place.change("revoked")
    after = place.identity.look_up(subject)

    assert (before.role, after.role) == (Role.COMMANDER, Role.COMMANDER)
    assert before.valid_since <= START < after.valid_since


@pytest.mark.parametrize(("change", "reason"), [("disabled", "disabled"), ("deleted", "not exist")])
def test_a_person_who_may_not_sign_in_any_more(place: Place, change: str, reason: str) -> None:
    """There is nobody to speak for."""
    subject = place.identity.verify(place.person()).subject
    place.change(change)

    with pytest.raises(Rejected, match=reason):
        place.identity.look_up(subject)


FOREIGN = "foreign issuer or project"
PEOPLE = f"https://securetoken.google.com/{SHOP.project}"
PERSON_CLAIMS = [
    ({"exp": seconds(-timedelta(hours=1))}, "expired"),
    ({"iat": 4_000_000_000, "exp": 4_000_003_600}, "future"),
    ({"iss": "https://securetoken.google.com/elsewhere"}, FOREIGN),
    ({"aud": "elsewhere"}, FOREIGN),
    ({"aud": [SHOP.project]}, FOREIGN),
    ({"iss": PEOPLE + "x"}, FOREIGN),
    ({"iss": "https://accounts.google.com.evil.example"}, FOREIGN),
    ({"iss": None}, FOREIGN),
    ({"iss": "https://session.firebase.google.com/" + SHOP.project}, FOREIGN),
    ({"firebase": {"tenant": "t1"}}, "tenant"),
    ({"firebase": "x"}, "malformed"),
    ({"auth_time": "soon"}, "malformed"),
    ({"auth_time": 10**30}, "malformed"),
    ({"auth_time": 10**17}, "malformed"),
    ({"email": ["a"], "email_verified": True}, "malformed"),
]


@pytest.mark.parametrize(("claims", "reason"), PERSON_CLAIMS)
def test_a_person_s_token_that_says_the_wrong_thing(
    place: Place, claims: dict[str, Any], reason: str
) -> None:
    """Well signed, and refused for what it says, in words that hold no part of it."""
    token = place.person(**claims)

    assert_refused(place, token, reason)


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"exp": seconds(-timedelta(hours=1))}, "expired"),
        ({"email_verified": False}, "no verified e-mail"),
        ({"email_verified": "true"}, "no verified e-mail"),
        ({"iss": "accounts.google.com"}, FOREIGN),
    ],
)
def test_a_service_s_token_that_says_the_wrong_thing(
    place: Place, claims: dict[str, Any], reason: str
) -> None:
    """As for people."""
    assert_refused(place, place.service("a" * 64, **claims), reason)


def other_signature(token: str) -> str:
    return token[:-6] + ("AAAAAA" if token[-6:] != "AAAAAA" else "BBBBBA")


def other_claims(token: str) -> str:
    header, claims, signature = token.split(".")
    said = json.loads(base64.urlsafe_b64decode(claims + "=="))
    return ".".join((header, encoded({**said, ROLE_CLAIM: "admin"}), signature))


def unsigned(token: str) -> str:
    _, claims, _ = token.split(".")
    return ".".join((encoded({"alg": "none", "kid": "x"}), claims, "AA"))


def other_header(**header: str) -> Callable[[str], str]:
    def forge(token: str) -> str:
        _, claims, signature = token.split(".")
        return ".".join((encoded(header), claims, signature))

    return forge


def encoded(content: Mapping[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=").decode()


FORGERIES: list[tuple[Callable[[str], str], str]] = [
    (other_signature, "signature"),
    (other_claims, "signature"),
    (other_header(alg="RS256", kid="x"), "signature"),
    (unsigned, "not signed with RS256"),
    (other_header(alg="HS256", kid="x"), "not signed with RS256"),
    (other_header(alg="RS256"), "not signed with RS256"),
]


@pytest.mark.parametrize(("forge", "reason"), FORGERIES)
@pytest.mark.parametrize("kind", ["person", "service"])
def test_a_forged_token(place: Place, kind: str, forge: Callable[[str], str], reason: str) -> None:
    """What nobody of Google's has signed is refused."""
    token = place.person() if kind == "person" else place.service("a" * 64)

    assert_refused(place, forge(token), reason)


def test_a_token_signed_with_the_key_of_the_other_issuer(embedded: Embedded, cloud: Cloud) -> None:
    """Each issuer has keys of its own: a service's key signs nobody into a role."""
    _, claims = decode_unverified_token(embedded.person())

    assert_refused(embedded, cloud.identity.service_token(claims), "signature")


def respelled(token: str) -> Iterator[str]:
    """The same token in other letters, for a lenient decoder."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    last = alphabet.index(token[-1])
    yield token[:-1] + alphabet[last ^ 1]  # bits that decode to nothing
    yield token + "="
    yield token + "=="
    yield token + "!"
    yield token[:-10] + "\n" + token[-10:]
    yield token[:-10] + "*" + token[-10:]
    yield " " + token
    yield token + "\n"
    yield "." + token
    yield token + "."


def test_a_token_in_another_spelling(place: Place) -> None:
    """One token has one spelling, else it could be used twice."""
    token = place.person()
    place.identity.verify(token)

    for other in respelled(token):
        assert_refused(place, other, "malformed")


@pytest.mark.parametrize(
    "token",
    [
        "",
        "x",
        "a.b",
        "a.b.c",
        "eyJhbGciOiJSUzI1NiJ9..AA",
        "é.é.é",
        "A" * 20_000,
        ".".join([base64.urlsafe_b64encode(b"[" * 3000).decode()] * 3),
        ".".join([base64.urlsafe_b64encode(b"[1,2,]").decode()] * 3),
        ".".join([base64.urlsafe_b64encode(b"[123]x").decode()] * 3),
        ".".join([base64.urlsafe_b64encode(b"[1234]").decode()] * 3),
    ],
    ids=range(11),
)
def test_what_is_no_token(place: Place, token: str) -> None:
    """Whatever stands there, the answer is no."""
    assert_refused(place, token, "malformed")


def assert_refused(place: Place, token: str, reason: str) -> None:
    with pytest.raises(Rejected, match=reason) as caught:
        place.identity.verify(token)
    said = str(caught.value)
    assert caught.value.__cause__ is None
    assert not any(part and len(part) > 3 and part in said for part in token.split("."))


def test_certificates_that_cannot_be_fetched(monkeypatch: pytest.MonkeyPatch, cloud: Cloud) -> None:
    """Without keys nothing is known: neither yes nor no."""
    place = Embedded(cloud)
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    with closing(place.google):
        for token in (place.person(), place.service("a" * 64)):
            with pytest.raises(Unavailable):
                place.identity.verify(token)


def test_a_cloud_that_nobody_vouches_for(monkeypatch: pytest.MonkeyPatch, cloud: Cloud) -> None:
    """TLS is checked: a proxy alone cannot pose as Google."""
    place = Embedded(cloud)
    monkeypatch.setenv("HTTPS_PROXY", f"http://{cloud.addresses['control']}")
    with closing(place.google), pytest.raises(Unavailable):
        place.identity.verify(place.service("a" * 64))


def test_a_user_look_up_without_an_answer() -> None:
    """The fake fails as the real one does."""
    clock = FakeClock()
    fake = FakeIdentity(clock, SHOP.project)
    fake.is_down = True

    with pytest.raises(Unavailable):
        fake.verify(fake.person())
