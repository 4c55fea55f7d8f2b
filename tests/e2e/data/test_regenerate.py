"""An application hears that it is to make data again, over the real clients."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.installation.provisioning import REGENERATION_SUBSCRIPTION_SUFFIX
from responders.commands.registry import CONTINUATIONS
from shared.core.codec import decode, encode
from shared.core.store import Create
from shared.domain.commands import command as commands
from shared.domain.commands.command import CommandRecord
from shared.policy_files import loader
from shared.wiring.adapters import Wiring
from tests.support.fakes.runtime.clock import START
from tests.support.runtime.embedded_cloud import embedded_cloud, wired

POLICY = loader.load_policy(Path(__file__).parents[3] / "policies" / "cvplus.yaml")
HEARD = f"projects/{POLICY.project}/subscriptions/regenerate-media-{REGENERATION_SUBSCRIPTION_SUFFIX}"
PATH = commands.command_path("mine")


@pytest.fixture
def wiring() -> Iterator[Wiring]:
    """The responders, in a project of their own."""
    with embedded_cloud(POLICY, operations_project="operations") as cloud, wired(cloud, POLICY) as wiring:
        yield wiring


def test_an_application_in_another_project_is_asked(wiring: Wiring) -> None:
    """On its own topic, by the id of the command; then the command is over."""
    record = CommandRecord(
        id="mine",
        command="regenerate",
        system=POLICY.system,
        actor="anna",
        reason="podcasts were lost",
        received_at=START,
        result="",
        due_at=START,
        answer={"collection": "generatedCVs", "documents": ["generatedCVs/1"], "taken": {}, "refused": {}},
    )
    wiring.store.commit([Create(PATH, encode(record))])

    CONTINUATIONS["regenerate"](wiring, POLICY, wiring.store.get(PATH), record)

    pulled = wiring.clients.subscriber.pull({"subscription": HEARD, "max_messages": 10})
    [one] = pulled.received_messages
    assert dict(one.message.attributes) == {"rollback_command": "mine", "rollback_system": "cvplus"}
    said = json.loads(one.message.data)
    assert (said["id"], said["documents"]) == ("mine", ["generatedCVs/1"])
    assert said["fields"] == ["files", "media"]
    after = decode(CommandRecord, wiring.store.get(PATH).fields or {})
    assert after.due_at is None
    assert "was requested on regenerate-media" in after.result
