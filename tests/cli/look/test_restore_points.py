"""`rollback restore-points`: what a person sees of the past."""

import json
from datetime import timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from cli.look.restore_points import NO_WINDOW, NOT_TRIED, NOTHING
from shared.core.codec import encode
from shared.core.errors import Rejected
from shared.core.store import Put
from shared.domain.data.backups import restore_test as proofs
from shared.domain.data.backups.export import Backup, ExportStatus, create_backup, export_path
from shared.domain.data.backups.filled_database import FillStatus
from tests.support.cli.in_process import WorldPrompt
from tests.support.data.exports import POLICY
from tests.support.data.restore_points import build_proof
from tests.support.fakes.firestore.restores import ORIGINAL
from tests.support.fakes.runtime.hooks import raise_error
from tests.support.runtime.world import World

DAY = timedelta(days=1)


@pytest.fixture
def shop() -> World:
    return World(policy=POLICY)


@pytest.fixture
def prompt(shop: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> WorldPrompt:
    monkeypatch.setenv("COLUMNS", "160")
    return WorldPrompt(monkeypatch, tmp_path, shop)


def exported(shop: World, ago: timedelta) -> Backup:
    """A whole export of then."""
    at = shop.now - ago
    begun = create_backup(POLICY, at, at)
    made = replace(begun, snapshot_at=at, status=ExportStatus.KEPT, places=(begun.prefix,))
    shop.store.commit([Put(export_path(made.id), encode(made))])
    return made


def test_what_there_is_is_listed(shop: World, prompt: WorldPrompt) -> None:
    """Nothing at first; then the window, and each backup with whether it was tried."""
    empty = prompt.say("restore-points")
    assert (empty.exit_code, empty.output.splitlines()) == (0, [NO_WINDOW, NOTHING])

    shop.ports.databases.hold_documents(ORIGINAL, customers=1)
    shop.advance_clock(2 * DAY)
    tried, untried = exported(shop, DAY), exported(shop, DAY / 2)
    proven = build_proof(tried.id, FillStatus.PROVEN, shop.now - DAY / 3)
    shop.store.commit([Put(proofs.restore_test_path(proven.id), encode(proven))])

    lines = prompt.say("restore-points").output.splitlines()

    assert lines[0].startswith("any whole minute from 2026-03-02 12:")
    assert lines[2].split()[0] == untried.id
    assert NOT_TRIED in lines[2]
    assert lines[3].split()[0] == tried.id
    assert "2026-03-04" in lines[3]
    told = json.loads(prompt.say("restore-points", "--json").output)
    assert [one["backup"] for one in told["backups"]] == [tried.id, untried.id]
    assert [one["source"] for one in told["window"]] == ["window", "window"]


def test_what_one_would_be(shop: World, prompt: WorldPrompt) -> None:
    """Its moment and source; one that cannot be had is a no, with the nearest that can."""
    shop.ports.databases.hold_documents(ORIGINAL, customers=1)
    shop.advance_clock(2 * DAY)
    made = exported(shop, DAY)

    shown = prompt.say("restore-points", "1h")
    assert shown.exit_code == 0
    assert shown.output.startswith("1h is 2026-03-04 11:")
    chosen = json.loads(prompt.say("restore-points", made.id, "--json").output)
    assert (chosen["backup"], chosen["proven_at"]) == (made.id, None)

    refused = prompt.say("restore-points", "30d")
    assert refused.exit_code == 1
    assert "cannot be had; nearest: 2026-03-02" in refused.output
    latest = prompt.say("restore-points", "latest")
    assert latest.exit_code == 1
    assert made.id in latest.output


def test_without_the_right_to_look(shop: World, prompt: WorldPrompt) -> None:
    """It says so: what cannot be seen is not absent."""
    shop.ports.databases.hook = raise_error(
        "backups.backups", Rejected("PERMISSION_DENIED: datastore.backups.list")
    )

    refused = prompt.say("restore-points")

    assert refused.exit_code == 3
    assert "datastore.backups.list" in refused.output
