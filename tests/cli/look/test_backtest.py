"""`rollback backtest`: past decisions under a policy, for people and programs."""

import json
from datetime import timedelta
from pathlib import Path

import pytest

from tests.support.cli.in_process import WorldPrompt
from tests.support.rollbacks.approvals import build_world_awaiting_approval, publish_command
from tests.support.runtime.world import POLICIES, World

MINUTE = timedelta(minutes=1)
OBSERVING = (POLICIES / "example.yaml").read_text().replace("functions: act", "functions: observe")
"""The example, which lets automation only observe."""


def build_rolled_back() -> World:
    """A bad release that automation has rolled back."""
    world = World()
    world.deploy_bad()
    world.alert()
    world.pass_time(10 * MINUTE)
    return world


def test_a_rollback_is_listed_with_its_figures(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """One line for the incident, since when there are facts, and the figures at the end."""
    world = build_rolled_back()

    done = WorldPrompt(monkeypatch, tmp_path, world).say("backtest")

    assert done.exit_code == 0, done.output
    first, headings, line, *figures = done.output.splitlines()
    assert first == (
        "bookshop: facts of decisions are stored for 30 days (since 2026-01-31 12:20:00 UTC), "
        "and longer for held incidents"
    )
    assert headings.split("  ")[0] == "incident"
    said = [word.strip() for word in line.split("  ") if word.strip()]
    assert said == [
        "INC-20260302-001",
        "function_failure_rate",
        *("rollback of 8 functions", "rollback of 8 functions", "nothing", "unmarked"),
    ]
    assert "  automatic rollbacks unmarked: 1" in figures
    assert "  precision: too few to say (0 of 10 marks)" in figures


def test_a_policy_file_is_tried_without_publishing_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What it would not do any more, and by which gate; the state stays as it is."""
    world = build_rolled_back()
    stored = dict(world.documents)
    prompt = WorldPrompt(monkeypatch, tmp_path, world)
    tried = tmp_path / "tried.txt"
    tried.write_text(OBSERVING)

    found = json.loads(prompt.say("backtest", "--policy", str(tried), "--json").stdout)

    [incident] = found["incidents"]
    assert (incident["automation_did"], incident["would_do"]) == ("rollback of 8 functions", "warn")
    assert "mode: pass → stop (signal act, scenario observe, system act)" in incident["changed_gates"]
    assert found["figures"]["automatic_rollbacks_unmarked"] == 0
    assert world.documents == stored


def test_the_patterns_of_a_policy_file_name_the_deployed_functions(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A file that groups the same functions by patterns gives the same answers."""
    world = build_rolled_back()
    tried = tmp_path / "tried.txt"
    tried.write_text((POLICIES / "example.yaml").read_text().replace("payOrder", '"pay*"'))

    history = WorldPrompt(monkeypatch, tmp_path, world).say("backtest", "--policy", str(tried), "--json")

    [incident] = json.loads(history.stdout)["incidents"]
    assert incident["would_do"] == incident["automation_did"] == "rollback of 8 functions"


def test_a_faulty_policy_file_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """With its faults, as `policy` lists them."""
    prompt = WorldPrompt(monkeypatch, tmp_path, World())
    tried = tmp_path / "tried.txt"
    tried.write_text("system: bookshop\n")

    done = prompt.say("backtest", "--policy", str(tried))

    assert done.exit_code == 2
    assert "groups" in done.output


def test_what_people_did_and_marked_is_listed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A rejected question is one in vain; the mark of the person stands beside it."""
    world = build_world_awaiting_approval()
    publish_command(world, "reject")
    world.pass_time(MINUTE)
    prompt = WorldPrompt(monkeypatch, tmp_path, world)
    incident = world.incident.id
    assert prompt.say("mark", incident, "wrong", "--reason", "noise").exit_code == 0

    found = json.loads(prompt.say("backtest", "--json").stdout)

    [line] = found["incidents"]
    assert (line["automation_did"], line["people"], line["mark"]) == ("ask", "rejected", "wrong")
    assert found["figures"]["requests_for_approval_in_vain"] == 1


def test_older_incidents_are_left_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """`--days` counts from the detection."""
    world = build_rolled_back()
    world.advance_clock(timedelta(days=2))
    prompt = WorldPrompt(monkeypatch, tmp_path, world)

    counts = [
        len(json.loads(prompt.say("backtest", *days, "--json").stdout)["incidents"])
        for days in (("--days", "1"), ("--days", "3"), ())
    ]

    assert counts == [0, 1, 1]


def test_an_incident_whose_rollbacks_have_expired_is_left_out(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Nothing is known any more of what automation did."""
    world = build_rolled_back()
    world.store.remove(f"rollbacks/{world.rollback.id}")

    done = WorldPrompt(monkeypatch, tmp_path, world).say("backtest", "--json")

    assert json.loads(done.stdout)["incidents"] == []


def test_a_mark_is_refused_where_it_is_no_verdict(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It is invalid usage, and names what is possible."""
    world = build_rolled_back()

    done = WorldPrompt(monkeypatch, tmp_path, world).say(
        "mark", world.incident.id, "maybe", "--reason", "noise"
    )

    assert done.exit_code == 2
    assert 'verdict: "maybe" is not one of "right" or "wrong"' in done.output


def test_the_status_shows_a_mark(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Whoever looks later need not mark it again."""
    world = build_rolled_back()
    publish_command(world, "mark", verdict="right", actor="ada", reason="a null pointer")
    prompt = WorldPrompt(monkeypatch, tmp_path, world)

    assert "; marked right by ada: a null pointer\n" in prompt.say("status").stdout
    seen = json.loads(prompt.say("status", "--json").stdout)
    assert seen["systems"][0]["incident"]["mark"]["verdict"] == "right"
