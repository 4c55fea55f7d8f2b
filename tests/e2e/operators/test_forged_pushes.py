"""Requests to on_override that our own subscription did not send, judged by Google's library."""

import base64
import json
import time
from collections.abc import Mapping

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from google.auth import jwt
from google.auth.crypt import RSASigner

from local.installation.provisioning import push_account, push_audience
from responders.support.push_authentication import REJECTED_EVENT, REMOVED_SIGNATURE
from shared.core import topics
from shared.domain.system_record import GLOBAL_CONTROLS_PATH
from tests.e2e.support.world import OPERATIONS, World, until

OVERRIDE = f"projects/{OPERATIONS}/topics/{topics.OVERRIDE}"
PAUSE = {"version": 1, "command": "pause", "reason": "a test", "actor": "eve"}
STRANGER = rsa.generate_private_key(public_exponent=65537, key_size=2048)


def audience(entry_point: str) -> str:
    return push_audience(OPERATIONS).replace("{function}", topics.deployed_function(entry_point))


def attacks(world: World) -> Mapping[str, tuple[str, str, str]]:
    """Path, token and reason of each attack."""
    identity = world.cloud.identity
    claims = identity.service_claims(push_account(OPERATIONS), audience("on_override"))
    good = identity.service_token(claims)
    header, body, signature = good.split(".")
    kid = json.loads(base64.urlsafe_b64decode(header + "=="))["kid"]
    stranger = jwt.encode(RSASigner(STRANGER, key_id=kid), claims).decode()
    unknown = jwt.encode(RSASigner(STRANGER, key_id="eve"), claims).decode()
    unsigned = base64.urlsafe_b64encode(b'{"alg": "none"}').rstrip(b"=").decode()
    other = identity.service_claims("eve@evil.iam.gserviceaccount.com", audience("on_override"))
    elsewhere = identity.service_claims(push_account(OPERATIONS), audience("on_command"))
    past = {**claims, "iat": int(time.time()) - 7200, "exp": int(time.time()) - 3600}
    own = f"/{OVERRIDE}"
    not_signed = "the token's signature is not valid"
    return {
        "no token": (f"/projects/evil/topics/{topics.OVERRIDE}", "", "the push has no token"),
        "our token, another project": (
            f"/projects/evil/topics/{topics.OVERRIDE}",
            good,
            "the push is of another topic",
        ),
        "another entry point": (own, identity.service_token(elsewhere), "the token is for another audience"),
        "another account": (own, identity.service_token(other), "the token belongs to another account"),
        "another issuer": (
            own,
            identity.service_token({**claims, "iss": "https://evil.example.com"}),
            "the token is of a foreign issuer",
        ),
        "expired": (own, identity.service_token(past), "the token has expired"),
        "unsigned": (own, f"{unsigned}.{body}.", "the token is malformed"),
        "alg none": (own, f"{unsigned}.{body}.{signature}", "the token is not signed with RS256"),
        "another key of the same name": (own, stranger, not_signed),
        "an unknown key": (own, unknown, not_signed),
        "no signature": (own, f"{header}.{body}{REMOVED_SIGNATURE}", not_signed),
    }


def test_only_the_push_of_our_own_subscription_overrides(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each forged push is rejected and on record; the real one, signed as Google does, counts."""
    data = base64.b64encode(json.dumps(PAUSE).encode()).decode()
    push = {
        "message": {"data": data, "messageId": "1"},
        "subscription": f"projects/{OPERATIONS}/subscriptions/{topics.OVERRIDE}-push",
    }
    address = f"http://{world.addresses['on_override']}"

    for kind, (path, token, _) in attacks(world).items():
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        answer = httpx.post(f"{address}{path}", json=push, headers=headers, trust_env=False)
        assert answer.status_code == 403, kind

    assert world.wiring.store.get(GLOBAL_CONTROLS_PATH).fields is None
    events = [one for one in world.evidence.events_without_system() if one.name == REJECTED_EVENT]
    recorded = {str(one.facts["reason"]) for one in events}
    for kind, (_, _, reason) in attacks(world).items():
        assert [one for one in recorded if one.startswith(reason)], kind
    assert capsys.readouterr().err.count('"push rejected: ') == len(attacks(world))

    world.publish(topics.OVERRIDE, PAUSE)
    until("the pause", lambda: world.wiring.store.get(GLOBAL_CONTROLS_PATH).fields)
