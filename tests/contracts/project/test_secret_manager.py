"""The newest value of a secret, or why there is none."""

import base64
from collections.abc import Iterator
from typing import Any

import pytest

from local.core.clock import CloudClock
from local.core.journal import Journal
from local.core.rest import RestServer
from local.faults.hooks import FaultHooks
from local.services.secret_manager import secrets as local_secrets
from local.services.secret_manager.secrets import Secrets
from shared.adapters.gcp.clients import Clients
from shared.adapters.gcp.project.secret_manager import HOST, SecretManager
from shared.core.errors import Rejected
from tests.support.fakes.runtime.clock import START


@pytest.fixture
def vault() -> Iterator[tuple[Secrets, SecretManager, Any]]:
    made = Secrets(CloudClock(START, scale=0), Journal())
    served = RestServer({local_secrets.HOST: made.calls()}, FaultHooks())
    clients = Clients({"rest": served.address}, deployed=False)
    rest = clients.rest(HOST)
    made.provision("ops", "chat", START)
    yield made, SecretManager(rest, "ops"), rest
    clients.close()
    served.close()


def add(rest: Any, content: bytes) -> None:
    payload = {"payload": {"data": base64.b64encode(content).decode()}}
    rest.post("/v1/projects/ops/secrets/chat:addVersion", payload, dict)


def test_the_newest_value_of_a_secret(vault: tuple[Secrets, SecretManager, Any]) -> None:
    """What was added last, at once."""
    _, values, rest = vault
    for content in ("slack://a", "slack://b\nmailto://é"):
        add(rest, content.encode())
        assert values.read("chat") == content


@pytest.mark.parametrize("trouble", ["absent", "disabled", "no text"])
def test_a_secret_that_says_nothing(trouble: str, vault: tuple[Secrets, SecretManager, Any]) -> None:
    """The answer is no, and quotes nothing."""
    _, values, rest = vault
    add(rest, b"\xff\xfehush" if trouble == "no text" else b"hush")
    if trouble == "disabled":
        rest.post("/v1/projects/ops/secrets/chat/versions/2:disable", {}, dict)

    with pytest.raises(Rejected) as caught:
        values.read("nowhere" if trouble == "absent" else "chat")

    assert "hush" not in str(caught.value)
