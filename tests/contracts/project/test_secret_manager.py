"""The newest value of a secret, or why there is none."""

import base64
from collections.abc import Iterator

import pytest

from local.core.clock import CloudClock
from local.core.journal import Journal
from local.services.secret_manager.secrets import Secrets
from shared.adapters.gcp.project.secret_manager import HOST, SecretManager
from shared.adapters.gcp.rest import Rest
from shared.core.errors import Rejected
from tests.contracts.support.rest import served
from tests.support.fakes.runtime.clock import START


@pytest.fixture
def vault() -> Iterator[tuple[SecretManager, Rest]]:
    made = Secrets(CloudClock(START, scale=0), Journal())
    made.provision("ops", "chat", START)
    with served(HOST, made.calls()) as rest:
        yield SecretManager(rest, "ops"), rest


def add(rest: Rest, content: bytes) -> None:
    payload = {"payload": {"data": base64.b64encode(content).decode()}}
    rest.post("/v1/projects/ops/secrets/chat:addVersion", payload, dict)


def test_the_newest_value_of_a_secret(vault: tuple[SecretManager, Rest]) -> None:
    """What was added last, at once."""
    values, rest = vault
    for content in ("slack://a", "slack://b\nmailto://é"):
        add(rest, content.encode())
        assert values.read("chat") == content


@pytest.mark.parametrize("trouble", ["absent", "disabled", "no text"])
def test_a_secret_that_says_nothing(trouble: str, vault: tuple[SecretManager, Rest]) -> None:
    """The answer is no, and quotes nothing."""
    values, rest = vault
    add(rest, b"\xff\xfehush" if trouble == "no text" else b"hush")
    if trouble == "disabled":
        rest.post("/v1/projects/ops/secrets/chat/versions/2:disable", {}, dict)

    with pytest.raises(Rejected) as caught:
        values.read("nowhere" if trouble == "absent" else "chat")

    assert "hush" not in str(caught.value)
