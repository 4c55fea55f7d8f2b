"""The embedded Identity, asked as Google is: over HTTP by its host names."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from local.cloud import Cloud
from local.services.identity import Account
from local.services.identity.service import PEOPLE_CERTIFICATES, SERVICE_CERTIFICATES
from local.services.identity.users import totp_code
from tests.local.support.run import ORIGIN, policy
from tests.support.runtime.embedded_cloud import embedded_cloud

TOOLKIT = "identitytoolkit.googleapis.com"
SECRET = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
"""The key of RFC 6238's test vectors."""
ADA = Account("ada@example.com", "pw", claims={"team": "x"}, role="admin", totp_secret=SECRET)


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    with embedded_cloud(policy(), at=ORIGIN) as cloud:
        yield cloud


def ask(cloud: Cloud, host: str, path: str, content: Any = None) -> tuple[int, dict[str, Any]]:
    """Status and content."""
    method = "GET" if content is None else "POST"
    url = f"http://{cloud.addresses['control']}{path}"
    answer = httpx.request(method, url, headers={"Host": host}, json=content)
    return answer.status_code, answer.json()


@pytest.mark.parametrize(("at", "expected"), [(59, "287082"), (1111111109, "081804")])
def test_a_one_time_password(at: int, expected: str) -> None:
    """RFC 6238, appendix B, cut to six digits."""
    assert totp_code(SECRET, at) == expected


def test_a_second_factor_is_asked_for_and_needed(cloud: Cloud) -> None:
    """The password alone gives no token."""
    cloud.identity.put(ADA)
    said = {"email": ADA.email, "password": ADA.password}
    _, begun = ask(cloud, TOOLKIT, "/v1/accounts:signInWithPassword?key=k", said)
    assert "idToken" not in begun
    proof = {
        "mfaPendingCredential": begun["mfaPendingCredential"],
        "mfaEnrollmentId": begun["mfaInfo"][0]["mfaEnrollmentId"],
        "totpVerificationInfo": {"verificationCode": totp_code(SECRET, time.time())},
    }
    finalize = "/v2/accounts/mfaSignIn:finalize?key=k"

    status, done = ask(cloud, TOOLKIT, finalize, proof)
    again, refused = ask(cloud, TOOLKIT, finalize, proof)

    assert (status, set(done)) == (200, {"idToken", "refreshToken"})
    assert (again, refused["error"]["message"]) == (400, "INVALID_MFA_PENDING_CREDENTIAL")


@pytest.mark.parametrize(
    ("path", "content", "status"),
    [
        ("/v1/accounts:signInWithPassword", {"email": ADA.email, "password": "pw"}, 403),
        ("/v1/accounts:signInWithPassword?key=k", {"email": ADA.email, "password": "no"}, 400),
        ("/v1/accounts:signInWithPassword?key=k", {}, 400),
        ("/v1/accounts:signInWithPassword?key=k", [], 400),
        ("/v2/accounts/mfaSignIn:finalize?key=k", {"mfaPendingCredential": "x"}, 400),
        ("/v1/projects/elsewhere/accounts:lookup", {"localId": ["x"]}, 404),
        ("/v1/accounts:signUp?key=k", {}, 404),
    ],
)
def test_what_is_refused(cloud: Cloud, path: str, content: Any, status: int) -> None:
    """In the shape of Google's errors."""
    cloud.identity.put(ADA)

    answered, error = ask(cloud, TOOLKIT, path, content)

    assert (answered, error["error"]["code"]) == (status, status)


def test_certificates_say_how_long_they_may_be_kept(cloud: Cloud) -> None:
    """Each issuer has its own; both may be cached."""
    found = set()
    for path in (PEOPLE_CERTIFICATES, SERVICE_CERTIFICATES):
        url = f"http://{cloud.addresses['control']}{path}"
        answer = httpx.get(url, headers={"Host": "www.googleapis.com"})
        assert "max-age=3600" in answer.headers["Cache-Control"]
        found.update(answer.json())
    assert len(found) == 2


def test_people_sessions_and_keys_survive_a_restart(tmp_path: Path) -> None:
    """Tokens that are out stay good, and whoever was told whom to trust still trusts them."""
    told, kept = [], []
    for _ in range(2):
        with embedded_cloud(policy(), data=tmp_path) as cloud:
            told.append(cloud.identity.connection_details())
            kept.append(ask(cloud, "www.googleapis.com", PEOPLE_CERTIFICATES)[1])
            if len(told) == 1:
                uid = cloud.identity.put(ADA)["uid"]
            assert cloud.identity.users.get(uid) is not None

    assert told[0] == told[1]
    assert kept[0] == kept[1]


def test_a_person_who_cannot_be(cloud: Cloud) -> None:
    """The control plane says what is wrong."""
    url = f"http://{cloud.addresses['control']}/_cloud/identity"

    answer = httpx.post(url, json={"email": "ada@example.com", "pasword": "x"})

    assert answer.status_code == 400
    assert answer.json()["faults"]


def test_a_person_is_made_once_and_enrols_only_with_a_verified_address(cloud: Cloud) -> None:
    """As an administrator makes them; claims are what is said last."""
    people = f"/v1/projects/{cloud.identity.project}/accounts"
    made = {"localId": "ada", "email": ADA.email, "password": "pw"}

    assert ask(cloud, TOOLKIT, people, made)[0] == 200
    assert ask(cloud, TOOLKIT, people, made)[1]["error"]["message"] == "EMAIL_EXISTS"
    other = {**made, "email": "eve@example.com"}
    assert ask(cloud, TOOLKIT, people, other)[1]["error"]["message"] == "DUPLICATE_LOCAL_ID"
    claims = {"localId": "ada", "customAttributes": '{"rollback_role":"viewer"}'}
    assert ask(cloud, TOOLKIT, f"{people}:update", claims)[0] == 200
    [found] = ask(cloud, TOOLKIT, f"{people}:lookup", {"localId": ["ada"]})[1]["users"]
    assert (found["customAttributes"], found["emailVerified"]) == (claims["customAttributes"], False)
    said = {"email": ADA.email, "password": "pw"}
    _, begun = ask(cloud, TOOLKIT, "/v1/accounts:signInWithPassword?key=k", said)
    asked = {"idToken": begun["idToken"], "totpEnrollmentInfo": {}}
    start = "/v2/accounts/mfaEnrollment:start?key=k"
    assert ask(cloud, TOOLKIT, start, asked)[1]["error"]["message"] == "UNVERIFIED_EMAIL"
    forged = {**asked, "idToken": f"{begun['idToken'][:-8]}AAAAAAAA"}
    assert ask(cloud, TOOLKIT, start, forged)[1]["error"]["message"] == "INVALID_ID_TOKEN"
