"""`rollback backups`: what a person sees of the catalogue, over the wire."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from typer.testing import CliRunner

from cli.app import app
from cli.look.backups import NONE_YET, NOT_PROVEN, NOTHING, reads_a_day
from local.cloud import Cloud
from local.core.clock import CloudClock
from shared.core.codec import encode
from shared.core.store import Put
from shared.domain.data.backups import filled_database, native_backups
from shared.domain.data.backups.export import (
    ExportStatus,
    create_backup,
    export_path,
    mark_complete,
    mark_failed,
)
from shared.domain.data.backups.filled_database import FillStatus
from shared.domain.data.backups.native_backups import ManagedBackupStatus
from shared.domain.data.backups.restore_test import choose_backup, mark_closed, restore_test_path
from shared.policy_files import loader
from shared.wiring.adapters import Wiring
from shared.wiring.settings import EMULATOR_VARIABLES, LOCAL_CLOUD_VARIABLE, Settings
from tests.support.data.exports import MINUTE, POLICY
from tests.support.fakes.runtime.clock import START

EXAMPLE = Path("policies/example.yaml")
BACKUPS = "\nbackups: { bucket: shop-exports, second: shop-copies, native: true, proof: {} }\n"
WATCHED = ManagedBackupStatus("bookshop", START, ("there is no weekly backup schedule",))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "bookshop.yaml").write_text(EXAMPLE.read_text() + BACKUPS)
    return tmp_path


@pytest.fixture
def wiring(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Wiring]:
    """The responders' state in an embedded cloud that this shell names."""
    policies = loader.load_policies(folder)
    cloud = Cloud.start(
        [*policies.values()], seed=1, clock=CloudClock(START, scale=0), alerter=False, ticks=False
    )
    for name in ("K_SERVICE", *EMULATOR_VARIABLES):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", cloud.home)
    monkeypatch.setenv("ROLLBACK_POLICIES", str(folder))
    url = f"http://{cloud.addresses['control']}"
    monkeypatch.setenv(LOCAL_CLOUD_VARIABLE, url)
    wired = Wiring(Settings(cloud.home, local_cloud=url), policies, deployed=False)
    wired.store.commit([Put("pages/bookshop", {"system": "bookshop"})])
    yield wired
    wired.close()
    cloud.stop()


def shown(*arguments: str) -> str:
    done = CliRunner().invoke(app, ["backups", *arguments])
    assert done.exit_code == 0, done.output
    return done.output


def value() -> Any:
    return json.loads(shown("--json"))


def test_the_catalogue_is_shown(wiring: Wiring) -> None:
    """Empty at first; then what is kept and what failed, what it costs, and what is missing."""
    assert NONE_YET in shown()
    assert "Google's own backups were not checked yet" in shown()
    assert value() == {"exports": [], "proofs": [], "native": None, "reads_a_day": None}

    begun = create_backup(POLICY, START, START)
    kept = mark_complete(replace(begun, documents=55, size_bytes=1234), START)
    later = create_backup(POLICY, START + POLICY.backups.every, START)
    failed = mark_failed(later, "no space", START)
    writes = [Put(export_path(one.id), encode(one)) for one in (kept, failed)]
    wiring.store.commit([*writes, Put(native_backups.managed_backups_path("bookshop"), encode(WATCHED))])

    lines = shown().splitlines()
    assert lines[1].split()[0] == failed.id
    assert f"{failed.id}: no space" in lines
    assert lines[2].split() == [
        *(kept.id, "2026-03-02", "12:00:00", "KEPT", "55", "1,234", "2"),
        "2026-04-01",
    ]
    assert NOT_PROVEN in lines
    assert "an export each 6h costs about 220 reads a day, by the newest one" in lines
    assert lines[-3:-1] == [
        "Google's own backups were incomplete at 2026-03-02 12:00:00 UTC",
        "there is no weekly backup schedule",
    ]
    [intent] = [choose_backup(POLICY, [kept], [], START)]
    assert intent is not None
    there = replace(intent, status=FillStatus.CHECKING, filled_at=START + 9 * MINUTE)
    proven = mark_closed(replace(there, counts={"users": 30}, compared=20), START)
    unproven = filled_database.mark_failed(intent, "no room", START)
    later_on = replace(unproven, id="bookshop-2", began_at=START + MINUTE)
    wiring.store.commit([Put(restore_test_path(one.id), encode(one)) for one in (proven,)])
    assert shown().splitlines()[2].split()[-1] == "2026-03-02"
    assert f"{kept.id} was restored in 9 min, 30 documents counted, 20 compared" in shown()
    wiring.store.commit([Put(restore_test_path("2"), encode(mark_closed(later_on, START)))])
    assert f"{kept.id} failed its restore test: no room" in shown()
    assert [one["status"] for one in value()["exports"]] == [ExportStatus.FAILED, ExportStatus.KEPT]
    assert value()["reads_a_day"] == 220


def test_a_policy_that_exports_nothing(wiring: Wiring, folder: Path) -> None:
    """It is said, not shown as an empty table."""
    (folder / "bookshop.yaml").write_text(EXAMPLE.read_text())

    assert NOTHING in shown()
    assert "not monitored" in shown()


def test_what_has_failed_tells_no_cost() -> None:
    """Without a whole export nobody knows how many documents there are."""
    failed = mark_failed(create_backup(POLICY, START, START), "no space", START)

    assert reads_a_day(POLICY.backups, [failed]) is None
