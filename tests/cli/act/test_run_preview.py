"""`rollback run` at the prompt: what a person reads before they answer."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from shared.domain.commands import command as commands
from shared.domain.policy.system_policy import Group
from tests.support.cli.in_process import prompt_of
from tests.support.rollbacks.bookshop_resources import build_healthy_shop, deploy_bad_release
from tests.support.runtime.world import BOOKSHOP, World

MANY = tuple(f"extra{number:02d}" for number in range(30))
WIDE = replace(BOOKSHOP, groups={**BOOKSHOP.groups, "extra": Group(functions=MANY, canary=MANY[0])})


def test_every_function_is_listed_however_many_there_are(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A group's name and a number do not say which revision serves then."""
    world = World(policy=WIDE)
    world.deploy_bad()
    prompt = prompt_of(monkeypatch, tmp_path, world)

    shown = " ".join(prompt.say("run", "--reason", "broken", "--dry-run").stdout.split())

    for function in world.policy.functions:
        name = function.lower()
        assert f"{function} {name}-00002 {name}-00001" in shown
    forecast = "last shift in about 34 s, verified in about 4 min 14 s, within the target of"
    assert f"{forecast} 10 min" in shown


def test_a_dry_run_checks_the_command_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The order is built from the command that was checked."""
    world = World()
    world.deploy_bad()
    prompt = prompt_of(monkeypatch, tmp_path, world)
    checked, parse = list[bytes](), commands.parse_command

    def count(data: bytes, *more: Any) -> commands.Command:
        checked.append(data)
        return parse(data, *more)

    monkeypatch.setattr(commands, "parse_command", count)

    prompt.say("run", "--reason", "broken", "--dry-run")

    assert len(checked) == 1


def test_a_critical_rollback_is_shown_against_its_own_target(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """With the present and the future state of a site."""
    shop = build_healthy_shop()
    deploy_bad_release(shop, "sites")
    prompt = prompt_of(monkeypatch, tmp_path, shop)
    words = ("run", "--scenario", "complete", "--reason", "broken", "--dry-run")

    shown = prompt.say(*words).stdout
    found = json.loads(prompt.say(*words, "--json").stdout)

    assert "release shop: v2 → v1" in " ".join(shown.split())
    assert "within the target of 5 min" in shown
    assert (found["target_seconds"], found["fits"]) == (300.0, True)


def test_an_order_about_what_fails_is_forecast_from_its_detection(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Automation only observes: the incident is open, and an order continues it."""
    world = World(promoted=False)
    world.deploy_bad()
    world.alert()
    world.pass_time(timedelta(minutes=9))

    shown = prompt_of(monkeypatch, tmp_path, world).say("run", "--reason", "broken", "--dry-run").stdout

    assert "verified about 13 min" in shown
    assert " after detection, MORE THAN the target of 10 min" in shown
