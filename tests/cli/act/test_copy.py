"""`rollback copy` and what `rollback status` shows of it."""

import json
from datetime import timedelta
from pathlib import Path

import pytest

from shared.domain.data.backups.filled_database import FillStatus
from tests.support.cli.in_process import WorldPrompt
from tests.support.data.database_copies import POLICY, all_copies, build_shop_with_copies, only_copy
from tests.support.fakes.firestore.restores import ORIGINAL
from tests.support.runtime.world import POLICIES, World


@pytest.fixture
def shop() -> World:
    return build_shop_with_copies()


@pytest.fixture
def prompt(shop: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> WorldPrompt:
    """A shell whose policy file admits copies, as the responders' does."""
    monkeypatch.setenv("COLUMNS", "300")
    made = WorldPrompt(monkeypatch, tmp_path, shop)
    (tmp_path / "example.yaml").unlink()
    text = (POLICIES / "example.yaml").read_text()
    (tmp_path / "example.yaml").write_text(f"{text}\nbackups: {{ copies: {{}} }}\n")
    return made


def test_a_copy_is_asked_for_and_followed_at_a_glance(shop: World, prompt: WorldPrompt) -> None:
    """What it is of is shown, a yes is asked, and status tells how far it is."""
    result = prompt.say("copy", "--restore-point", "1h", "--reason", "CVs are corrupt", "--yes")
    assert result.exit_code == 0, result.output
    assert result.output.startswith("(default) of bookshop as of 2026-03-03 11:")
    made = only_copy(shop)
    assert made.id in result.output
    assert f"copy {made.id} of 2026-03-03 11:" in prompt.say("status").output

    shop.pass_time(timedelta(minutes=15))

    assert only_copy(shop).status is FillStatus.READY
    shown = prompt.say("status").output
    assert "READY until 2026-03-06" in shown
    assert "docs/cutover.md" in shown
    told = json.loads(prompt.say("status", "--json").output)
    assert [one["id"] for one in told["systems"][0]["copies"]] == [made.id]
    points = prompt.say("restore-points").output
    assert f"the copy {made.id} of 2026-03-03 11:" in points


def test_a_dry_run_asks_for_nothing(shop: World, prompt: WorldPrompt) -> None:
    """It says of when the copy would be."""
    result = prompt.say("copy", "--restore-point", "30m", "--reason", "any", "--dry-run")
    as_json = prompt.say("copy", "--restore-point", "30m", "--reason", "any", "--dry-run", "--json")

    assert (result.exit_code, as_json.exit_code) == (0, 0)
    assert json.loads(as_json.output)["source"] == "window"
    assert all_copies(shop) == []


def test_how_long_the_copy_of_a_backup_takes(shop: World, prompt: WorldPrompt) -> None:
    """It is compared with the target before anything is sent."""
    shop.ports.databases.hold_documents(ORIGINAL, customers=1_200_000)
    shop.ports.databases.back_up(ORIGINAL, timedelta(days=60))
    [backup] = shop.ports.databases.backups(ORIGINAL)

    result = prompt.say("copy", "--restore-point", backup.name, "--reason", "any", "--dry-run")

    assert "last document in about 40 min" in result.output
    assert "MORE THAN the target of 15 min" in result.output


def test_what_cannot_be_had_is_refused_before_anything_is_said(shop: World, prompt: WorldPrompt) -> None:
    """With the nearest."""
    result = prompt.say("copy", "--restore-point", "20d", "--reason", "any", "--yes")

    assert result.exit_code == 1
    assert "nearest: 2026-03-02" in result.output
    assert all_copies(shop) == []
    assert shop.policy.backups == POLICY.backups
