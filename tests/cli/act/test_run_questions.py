"""`rollback run` without a reason, without any option, and with times of the operator's zone."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace
from typer.testing import CliRunner, Result

from cli.act.run_questions import DEFAULT_REASON
from cli.app import app
from cli.support.context import read_restore_point
from cli.support.exit_codes import INVALID_USAGE, REFUSED
from shared.domain.rollback.rollback import LAST_STABLE, RollbackRequest
from tests.support.cli.in_process import WorldOperations, prompt_of
from tests.support.data.corrupted_bookshop import CorruptedShop
from tests.support.runtime.world import CHECKED, World


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "300")


@pytest.fixture
def jerusalem(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine two hours ahead of UTC."""
    with monkeypatch.context() as there:
        there.setenv("TZ", "Asia/Jerusalem")
        time.tzset()
        yield
    time.tzset()


def type_at_terminal(monkeypatch: pytest.MonkeyPatch, typed: str, *words: str) -> Result:
    monkeypatch.setattr("cli.act.run.is_terminal", lambda: True)
    said = ["--without-sign-in", "run", *words]
    return CliRunner().invoke(app, said, input=typed, catch_exceptions=False)


def order_of(world: World) -> RollbackRequest:
    rollback = world.rollback
    assert rollback.order is not None
    return rollback.order


def test_without_any_option_each_is_asked_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Scenario and target by number or name; what is neither is asked for again."""
    world = World()
    world.deploy_bad()
    prompt_of(monkeypatch, tmp_path, world)

    done = type_at_terminal(monkeypatch, "2\nv9\nv1\nbroken\ny\n")

    assert done.exit_code == 0, done.output
    assert "2  functions: functions" in done.output
    assert "1  last-stable: v1" in done.output
    assert "2  v1: Stable, live from 2026-03-02" in done.output
    assert "v9 is not in the list" in done.output
    assert "back to v1: 8 functions" in done.output
    order = order_of(world)
    assert (order.scenario, order.target, order.reason) == ("functions", "v1", "broken")


@pytest.mark.parametrize("answer", ["2", "bookshop"])
def test_of_several_systems_one_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, answer: str
) -> None:
    """By number or name, with the name that people read; the next questions are about that one."""
    world = World()
    world.deploy_bad()
    prompt_of(monkeypatch, tmp_path, world)
    museum = replace(world.policy, system="museum", display_name="The Museum")
    operations = WorldOperations(world)
    operations.policies = {"museum": museum, "bookshop": world.policy}
    monkeypatch.setattr("cli.support.context.Wiring", lambda *_, **__: operations)

    done = type_at_terminal(monkeypatch, f"garden\n{answer}\nfunctions\nv1\nbroken\ny\n")

    assert done.exit_code == 0, done.output
    assert "1  museum: The Museum" in done.output
    assert "2  bookshop: The Bookshop" in done.output
    assert "System [museum]" in done.output
    assert "garden is not in the list" in done.output
    assert "back to v1: 8 functions" in done.output
    assert (world.incident.system, order_of(world).target) == ("bookshop", "v1")


def test_a_script_asks_with_its_own_default(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Enter takes it; a no sends nothing."""
    world = World()
    world.deploy_bad()
    prompt_of(monkeypatch, tmp_path, world)
    words = ("--system", "bookshop", "--scenario", "complete", "--interactive")

    no = type_at_terminal(monkeypatch, "\n\nbroken\nn\n", *words)

    assert no.exit_code == REFUSED
    assert "Scenario [complete]" in no.output
    assert f"Target [{LAST_STABLE}]" in no.output
    assert world.rollbacks() == []


def test_documents_are_asked_for_by_their_restore_point(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A point of the list, or any other one."""
    shop = CorruptedShop()
    prompt_of(monkeypatch, tmp_path, shop)

    no = type_at_terminal(monkeypatch, "database\n15m\nbroken\nn\n")

    assert "2026-03-02 12:1" in no.output
    assert "Restore point [latest]" in no.output
    assert ": 2 documents" in no.output
    assert shop.rollbacks() == []


def test_without_a_terminal_nobody_is_asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Help and exit code 2; the same where only the reason is missing, without the help."""
    prompt = prompt_of(monkeypatch, tmp_path, World())

    for words in (("run",), ("run", "--system", "bookshop", "--interactive")):
        result = prompt.say(*words)
        assert result.exit_code == INVALID_USAGE
        assert "--target-deployment" in result.output
    result = prompt.say("run", "--target", "v1")
    assert result.exit_code == INVALID_USAGE
    assert "--reason TEXT is missing" in result.output


def test_auto_confirm_needs_no_reason_and_no_answer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The reason in the audit log says that none was given."""
    world = World()
    world.deploy_bad()
    prompt = prompt_of(monkeypatch, tmp_path, world)

    done = prompt.say("run", "--target-deployment=v1", "--auto-confirm", "--no-follow")

    assert done.exit_code == 0, done.output
    order = order_of(world)
    assert (order.target, order.reason, order.auto_confirm) == ("v1", DEFAULT_REASON, True)


def test_an_order_that_can_do_nothing_is_not_sent(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing to do is no fault; no stable deployment and no damage are refused."""
    world = World(policy=CHECKED)
    prompt = prompt_of(monkeypatch, tmp_path, world)
    idle = prompt.say("run", "--reason", "x", "--yes")
    assert idle.exit_code == 0
    assert "nothing to do: everything asked for is at its target already" in idle.output

    whole = prompt.say("run", "--scenario", "database", "--select", "invalid", "--reason", "x", "--yes")
    assert (whole.exit_code, "refused: no damage was found" in whole.output) == (REFUSED, True)

    world.carry_out("mark-bad", deployment="v1")
    gone = prompt.say("run", "--reason", "x", "--yes")
    assert (gone.exit_code, "refused: no stable deployment is known" in gone.output) == (REFUSED, True)
    assert (world.incidents(), world.waiting()) == ([], [])


@pytest.mark.usefixtures("jerusalem")
def test_a_stamp_is_in_the_zone_of_the_operator(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It is shown in both zones and asked about; the order has it in UTC."""
    shop = CorruptedShop()
    prompt = prompt_of(monkeypatch, tmp_path, shop)
    both = "2026-03-02 14:02 IST (2026-03-02 12:02 UTC)"

    done = type_at_terminal(
        monkeypatch,
        "broken\ny\n",
        *("--scenario", "database", "--restore-point", "20260302_1402", "--no-follow"),
    )

    assert done.exit_code == 0, done.output
    assert f"restore point: {both}" in done.output
    assert f"Restore documents as of {both}?" in done.output
    assert order_of(shop).restore_point == "2026-03-02T12:02:00Z"
    assert prompt.say("restore-points", "20260302_1402").output.startswith(f"{both} is 2026-03-02 12:02 UTC")


@pytest.mark.usefixtures("jerusalem")
@pytest.mark.parametrize(
    ("said", "named", "shown"),
    [
        ("20250821_1500", "2025-08-21T12:00:00Z", "2025-08-21 15:00 IDT (2025-08-21 12:00 UTC)"),
        ("2025-08-21T12:00:00Z", "2025-08-21T12:00:00Z", "2025-08-21 15:00 IDT (2025-08-21 12:00 UTC)"),
        ("20250821_2500", "20250821_2500", ""),
        ("2025-08-21T12:00:00", "2025-08-21T12:00:00", ""),
        ("latest", "latest", ""),
        ("1h", "1h", ""),
    ],
)
def test_what_names_a_time_is_shown_in_both_zones(said: str, named: str, shown: str) -> None:
    assert read_restore_point(said) == (named, shown)
