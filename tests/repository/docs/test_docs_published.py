import json
import shlex
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from local.cloud import Cloud
from local.core.clock import CloudClock
from shared.adapters.gcp.firebase.id_tokens import GoogleIdentity
from shared.core import topics
from shared.core.codec import encode
from shared.core.store import Put
from shared.domain.data.backups import export
from shared.domain.rollback.rollback import LAST_STABLE
from shared.wiring.settings import LOCAL_CLOUD_VARIABLE
from tests.support.cli import operator
from tests.support.cli.documented_commands import PUBLISHED, SHORT_CVPLUS, SIGNED
from tests.support.fakes.runtime.clock import START
from tests.support.notices.system_events import refusal_reasons
from tests.support.runtime.world import World


def prepared_for(message: dict[str, Any]) -> World:
    """A world in which what a command is about is there: its target, its incident, its question."""
    world = World(policy=SHORT_CVPLUS)
    if "restore_point" in message:
        world.ports.clock.jump(-timedelta(hours=2))
        world.ports.databases.hold_documents(SHORT_CVPLUS.backups.database, users=1)
        world.ports.clock.jump(timedelta(hours=2))
        world.pass_time(timedelta(minutes=1))  # the data is checked
    if message.get("target", LAST_STABLE) != LAST_STABLE:
        world.announce(message["target"], stable=True)
    if "deployment" in message and "command" in message:
        world.announce(message["deployment"])
    if message.get("command") in ("undo", "unpin"):
        taken_back(world)
    elif "incident" in message:
        world.command(command="promote", system="cvplus", mode="ask")
        world.settle()
        world.deploy_bad()
        world.alert()
    world.settle()
    if message.get("command") in ("retry", "accept"):
        world.command(command="reject", system="cvplus", incident=message["incident"])
    if message.get("command") == "unpin":
        world.command(command="accept", system="cvplus", incident=world.incidents()[-1].id)
    held_before(world, message)
    world.settle()
    return world


def held_before(world: World, message: dict[str, Any]) -> None:
    """What is to be held lies there; what is to be released is held."""
    if "backup" in message:
        exported(world, message["backup"])
    if message.get("command") == "release":
        world.command(**{**message, "command": "hold", "id": "before"})


def exported(world: World, name: str) -> None:
    """An export of that name lies whole where it should."""
    at = datetime.strptime(name.rpartition("-")[2], "%Y%m%dT%H%MZ").replace(tzinfo=UTC)
    rules = replace(SHORT_CVPLUS, backups=replace(SHORT_CVPLUS.backups, bucket="exports"))
    made = export.mark_complete(export.create_backup(rules, at, at), at)
    assert made.id == name
    world.ports.mirrors.buckets["exports"] = {f"{made.folder}/all": b"whole"}
    world.ports.store.commit([Put(export.export_path(name), encode(made))])


def taken_back(world: World) -> None:
    """A bad release is taken back, and somebody has ended the watch."""
    world.deploy_bad(["healthCheck"])
    world.command(command="rollback", system="cvplus", auto_confirm=True)
    world.settle()
    world.command(command="cancel", system="cvplus", incident=world.incidents()[-1].id)
    world.settle()


@pytest.fixture(scope="module")
def signing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Cloud, GoogleIdentity]]:
    """A cloud where people sign in while the worlds' trouble is fresh, and who verifies them."""
    clock = CloudClock(START + timedelta(minutes=20))
    cloud = Cloud.start([SHORT_CVPLUS], seed=1, clock=clock, alerter=False, ticks=False)
    verifier = GoogleIdentity(SHORT_CVPLUS.project, anonymous=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(LOCAL_CLOUD_VARIABLE, f"http://{cloud.addresses['control']}")
        operator.connect_to_cloud_identity(patch, cloud, tmp_path_factory.mktemp("signing"))
        yield cloud, verifier
    verifier.close()
    cloud.stop()


@pytest.mark.parametrize("line", PUBLISHED)
def test_what_gcloud_would_publish_is_understood(line: str, signing: tuple[Cloud, GoogleIdentity]) -> None:
    """The payload of each gcloud line, fed to the entry point, is not refused.

    What is signed is signed by a person who has just signed in, and Google's libraries say so.
    """
    cloud, verifier = signing
    topic, signed = line.split()[4], SIGNED.search(line)
    said = signed[1] if signed else shlex.split(line)[-1].removeprefix("--message=")
    assert (topic == topics.COMMANDS) is bool(signed)
    world = prepared_for(json.loads(said))
    if signed:
        operator.sign_in_at_prompt(cloud)
        said = operator.run_cli_line("sign", said).stdout
        world.ports.identity = verifier
        world.ports.clock.jump(cloud.clock.now() - world.ports.clock.now())

    world.publish(topic, json.loads(said))
    world.settle()

    assert refusal_reasons(world) == []
