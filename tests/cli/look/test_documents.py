"""`rollback documents`: what somebody agrees to, by name."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from responders.data.erasure_ledger import update_ledger
from responders.data.repair import document_outcomes
from shared.domain.data.repair.repair_plan import MAX_SAMPLES_PER_OUTCOME, DocumentOutcome
from tests.support.cli.in_process import WorldPrompt
from tests.support.data.corrupted_bookshop import ERASURE, GOOD, HERE, SHOP, SPOILT, CorruptedShop
from tests.support.runtime.world import World

MANY: dict[str, dict[str, Any] | None] = {
    f"customers/c{number:03}": {"email": f"c{number}@example.com"} for number in range(50)
}


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch) -> CorruptedShop:
    """More documents than a batch takes, valid, are new since the restore point."""
    monkeypatch.setattr(document_outcomes, "DOCUMENTS_PER_BATCH", 7)
    shop = CorruptedShop()
    shop.write(MANY)
    return shop


@pytest.fixture
def prompt(shop: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> WorldPrompt:
    return WorldPrompt(monkeypatch, tmp_path, shop)


def test_every_document_of_a_plan_is_named(shop: CorruptedShop, prompt: WorldPrompt) -> None:
    """The plan counts them all, and names a few; nothing is changed by a look."""
    shop.order()
    incident = shop.run_until_parked().incident
    before = shop.data

    lines = prompt.say("documents", incident).stdout.splitlines()
    told = json.loads(prompt.say("documents", incident, "--json").stdout)

    becomes = {one["path"]: one["becomes"] for one in told}
    assert becomes == {
        **dict.fromkeys(SPOILT, DocumentOutcome.BACK),
        **dict.fromkeys(MANY, DocumentOutcome.MADE),
    }
    assert len(told) == len(lines) == len(becomes)
    assert any(line.startswith("brought back: customers/ada (email, name; of") for line in lines)
    assert shop.data == before
    assert Counter(becomes.values())[DocumentOutcome.MADE] > MAX_SAMPLES_PER_OUTCOME


def test_what_was_written_since_the_plan_was_made_is_not_in_it(
    shop: CorruptedShop, prompt: WorldPrompt
) -> None:
    """What people agree to is what was looked through, and no other."""
    shop.order()
    incident = shop.run_until_parked().incident
    result = prompt.say("documents", incident).stdout

    shop.write({**GOOD, "customers/new": {"email": "new@example.com"}})

    assert prompt.say("documents", incident).stdout == result


def test_where_no_data_were_looked_through(shop: CorruptedShop, prompt: WorldPrompt) -> None:
    """As for a rollback of functions, or one that is only being prepared."""
    shop.order()
    incident = shop.newest.incident

    assert prompt.say("documents", incident).exit_code == 1
    result = prompt.say("documents", incident).stderr
    assert result == f"no scan of the data for {incident} was completed\n"
    assert "INC-20260101-001" in prompt.say("documents", "INC-20260101-001").stderr


def test_nothing_is_told_of_whoever_was_erased(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Also where that became known after the plan had been made."""
    shop = CorruptedShop(replace(SHOP, erasure=ERASURE))
    shop.order()
    incident = shop.run_until_parked().incident
    prompt = WorldPrompt(monkeypatch, tmp_path, shop)
    assert "customers/ada" in prompt.say("documents", incident).stdout

    now = shop.now
    shop.write({"customers/ada": None, "erased/1": {"who": "ada", "done": now}})
    shop.ports.beside.held[HERE, "erased/1"] = now
    update_ledger(shop.ports, shop.policy)

    assert prompt.say("documents", incident).stdout == ""
