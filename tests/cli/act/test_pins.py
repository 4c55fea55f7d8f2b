"""`rollback pins`, `unpin` and `undo` at the prompt, over a world in one thread."""

import json
import re
from datetime import timedelta
from pathlib import Path

import pytest

from cli.support import command_sending
from shared.core.store import Update
from shared.domain.deployments.deployment import DeploymentStatus
from shared.domain.rollback.rollback import RollbackStatus
from shared.domain.signals.health import sum_requests
from shared.state.reader import StateReader
from tests.support.cli.in_process import WorldPrompt
from tests.support.data.corrupted_bookshop import build_repaired_shop
from tests.support.faults.fault_injection import shorten_watch
from tests.support.notices.notices import read_notices
from tests.support.rollbacks.pins import build_rolled_back_world, read_pins
from tests.support.rollbacks.rebuilds import AGAIN, build_world_with_rebuild
from tests.support.runtime.world import World


@pytest.fixture
def world() -> World:
    return build_rolled_back_world()


@pytest.fixture
def prompt(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> WorldPrompt:
    # In one thread the whole unpin passes before its answer can be read.
    monkeypatch.setattr(command_sending, "ANSWER_TIMEOUT_SECONDS", 3600.0)
    return WorldPrompt(monkeypatch, tmp_path, world)


def test_pins_are_listed_with_owner_age_and_the_line_that_lifts_them(
    prompt: WorldPrompt, world: World
) -> None:
    """For people and for programs; `status` tells whose they are, and how old the oldest is."""
    world.platform.deploy(["getBook"])
    world.pass_time(timedelta(minutes=6))

    shown = prompt.say("pins")
    pins = json.loads(prompt.say("pins", "--json").stdout)

    assert "bookshop: 8 pinned" in shown.stdout
    line, behind = (one for one in shown.stdout.splitlines() if "getBook" in one)
    assert line.split()[:2] == ["getBook", "getbook-00001"]
    assert line.endswith("automation, INC-20260302-001")
    assert behind == "  getBook: no traffic for the newest revision getbook-00003"
    assert "lift: rollback unpin --system bookshop" in shown.stdout
    assert len(pins) == 8
    assert pins[0]["age_seconds"] > 0
    assert pins[0]["unpin"].startswith("rollback unpin --system bookshop --function ")
    result = prompt.say("status").stdout
    assert re.search("8 functions pinned to an old revision by automation, the oldest for [0-9]+ min", result)


def test_an_unpin_is_shown_asked_said_and_followed(prompt: WorldPrompt, world: World) -> None:
    """A dry run changes nothing; the pins are gone once it has succeeded."""
    world.platform.deploy()
    world.pass_time(timedelta(minutes=6))
    words = ("unpin", "--reason", "fixed", "--function", "getBook")

    tried = prompt.say(*words, "--dry-run")
    before = set(read_pins(world))
    done = prompt.say(*words, "--yes")

    assert "getbook-00001  getbook-00003" in tried.stdout
    assert "getBook" in before
    assert done.exit_code == 0, done.output
    assert world.live["getBook"] == {"getbook-00003": 100}
    assert "getBook" not in read_pins(world)
    done = prompt.say("unpin", "--reason", "fixed", "--yes")
    assert done.exit_code == 0, done.output
    assert "bookshop: nothing is pinned" in prompt.say("pins").stdout
    again = prompt.say("unpin", "--reason", "again", "--yes")
    assert (again.exit_code, "none of these functions is pinned" in again.output) == (1, True)


def test_an_undo_is_shown_and_refused_with_its_reason(prompt: WorldPrompt, world: World) -> None:
    """Before anything is said, the prompt tells what stands against it."""
    incident = world.newest_incident.id
    words = ("undo", incident, "--reason", "it was no cure")

    tried = prompt.say(*words, "--dry-run", "--json")
    found = json.loads(tried.stdout)
    done = prompt.say(*words, "--yes")
    again = prompt.say(*words, "--yes")

    assert (found["outcome"], len(found["functions"]), found["left"]) == ("rollback", 8, [])
    assert done.exit_code == 0, done.output
    assert read_pins(world) == {}
    assert (again.exit_code, "has nothing to undo" in again.output) == (1, True)


def test_an_undo_warns_of_what_it_restores(prompt: WorldPrompt, world: World) -> None:
    """How many requests failed on the revisions that serve again, before a person says yes."""
    rolled_back = world.rollback
    assert rolled_back.baseline is not None
    assert rolled_back.shifted_at is not None
    window = rolled_back.baseline.until, rolled_back.shifted_at.replace(second=0) + timedelta(minutes=1)
    counted = sum_requests(world.ports.counts.requests(*window).values())
    words = ("undo", rolled_back.incident, "--reason", "it was no cure", "--dry-run")

    shown = " ".join(prompt.say(*words).stdout.split())
    found = json.loads(prompt.say(*words, "--json").stdout)

    failed = f"{counted.failed:,} of {counted.total:,} requests failed on createorder-00002, "
    assert counted.failed > 1000
    assert f"warning: this restores what the rollback removed: {failed}" in shown
    assert failed in found["warning"]
    assert re.search("last shift in about [0-9]+ s$", shown)


def test_an_unpin_warns_of_what_it_restores(prompt: WorldPrompt, world: World) -> None:
    """As an undo does; what was deployed since the rollback, no rollback has removed."""
    world.deploy_bad(["getBook"], rate=0.0)
    words = ("unpin", "--reason", "it was no cure", "--dry-run")

    shown = " ".join(prompt.say(*words).stdout.split())
    since = " ".join(prompt.say(*words, "--function", "getBook").stdout.split())

    assert re.search(
        "warning: this restores what the rollback removed: [0-9,]+ of [0-9,]+ requests failed on create",
        shown,
    )
    assert "warning" not in since


def test_what_failed_on_a_release_for_less_than_a_minute_is_counted_too(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Up to the last shift, by whole minutes, as the report counts."""
    world = World(policy=shorten_watch())
    world.platform.deploy(failure_rate=0.8)
    world.advance_clock(timedelta(seconds=20))
    world.send_command("rollback")
    world.pass_time(timedelta(minutes=10))
    rolled_back = world.rollback
    assert rolled_back.baseline is not None
    assert rolled_back.started_at is not None
    assert rolled_back.started_at - rolled_back.baseline.until < timedelta(minutes=1)
    prompt = WorldPrompt(monkeypatch, tmp_path, world)

    shown = prompt.say("undo", rolled_back.incident, "--reason", "it was no cure", "--dry-run").stdout

    assert re.search("removed: [0-9,]+ of [0-9,]+ requests failed on ", shown)


def test_an_undo_of_a_world_that_has_moved_is_refused_at_the_prompt(
    prompt: WorldPrompt, world: World
) -> None:
    """Each function says why; nothing is said to the responders."""
    world.platform.deploy()
    incident = world.newest_incident.id

    refused = prompt.say("undo", incident, "--reason", "any", "--yes")

    assert refused.exit_code == 1
    assert "getBook: getbook-00003 was deployed later" in refused.output
    assert len(world.rollbacks()) == 1


def test_an_undo_that_builds_is_shown_as_no_artefact_of_old(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Who is to say yes reads what they get; the plan itself then waits for their approval."""
    shop = build_world_with_rebuild()
    prompt = WorldPrompt(monkeypatch, tmp_path, shop)
    words = ("undo", shop.newest_incident.id, "--reason", "it was no cure")

    tried = prompt.say(*words, "--dry-run")
    found = json.loads(prompt.say(*words, "--dry-run", "--json").stdout)
    done = prompt.say(*words, "--yes", "--no-follow")

    assert "ask: what is built again is not the artefact of old" in tried.stdout
    assert tried.stdout.count("built again") == 2
    assert (found["outcome"], found["rebuilt"], found["left"]) == ("ask", [AGAIN], [])
    assert done.exit_code == 0, done.output
    shop.pass_time(timedelta(minutes=1))
    assert shop.newest_rollback.status is RollbackStatus.PARKED


def test_an_undo_of_documents_is_shown_before_it_is_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """How many there are, without the bucket that holds them; the plan itself asks two people."""
    shop = build_repaired_shop()
    prompt = WorldPrompt(monkeypatch, tmp_path, shop)
    repair = shop.newest
    words = ("undo", repair.incident, "--reason", "it was no cure")
    said = f"2 documents that {repair.id} has written"

    tried = prompt.say(*words, "--dry-run")
    found = json.loads(prompt.say(*words, "--dry-run", "--json").stdout)
    done = prompt.say(*words, "--yes", "--no-follow")

    assert said in tried.stdout
    assert (found["outcome"], found["functions"]) == ("ask", [])
    assert said in found["documents"]
    assert done.exit_code == 0, done.output
    shop.pass_time(timedelta(minutes=1))
    question = shop.newest.question
    assert question is not None
    assert said in question.plan.reported
    shop.approve("bob")
    assert shop.newest.status is RollbackStatus.SUCCEEDED
    assert said in prompt.say("explain", repair.incident).stdout


def test_ci_waits_for_a_rollback_that_the_system_knows_by_its_slot_alone(
    prompt: WorldPrompt, world: World
) -> None:
    """A newer incident does not hide what still has effects in flight."""
    free = prompt.say("deploy-lock", "bookshop")
    world.store.commit([Update("systems/bookshop", {"slot": "INC-0"})])

    locked = prompt.say("deploy-lock", "bookshop")

    assert (free.exit_code, locked.exit_code) == (0, 1)
    assert "rollback INC-0 goes on" in locked.stdout


def test_an_order_to_a_bad_deployment_warns_of_what_it_restores(prompt: WorldPrompt, world: World) -> None:
    """In the preview, in the answer of a dry run, and in the notice of the order."""
    world.pass_time(timedelta(hours=1))
    rolled_back = world.rollback
    stored = StateReader(world.store).deployments("bookshop")
    [bad] = [one for one in stored if one.status is DeploymentStatus.BAD]
    words = ("run", "--target", bad.id, "--reason", "it was no cure", "--severity", "LOW")

    shown = " ".join(prompt.say(*words, "--dry-run").stdout.split())
    world.send_command("rollback", id="dry", target=bad.id, dry_run=True)
    world.pass_time(timedelta(minutes=1))
    world.send_command("rollback", target=bad.id)
    world.pass_time(timedelta(minutes=5))

    warning = rf"warning: {bad.id} is marked as bad \(taken back by {rolled_back.id}[^)]*\): "
    warning += r"[\d,]+ of [\d,]+ requests failed on it"
    assert re.search(warning, shown)
    told = [str(one["text"]) for one in read_notices(world).values()]
    assert [one for one in told if one.startswith("Dry run by") and re.search(warning, one)]
    assert [one for one in told if f"going back to {bad.id}" in one and re.search(warning, one)]
