import json
from datetime import timedelta
from pathlib import Path

import pytest

from cli.look.status import list_contacts
from shared.policy_files import loader
from tests.support.cli.in_process import WorldPrompt
from tests.support.decision.outages import raise_probe_alarm
from tests.support.runtime.world import POLICIES, World


def test_the_four_roles_of_cvplus_are_listed_with_stages_and_channels() -> None:
    """Who is notified at once, who after how long without an acknowledgement, and who at last."""
    rules = [*list_contacts(loader.load_policy(POLICIES / "cvplus.yaml"))]

    assert [(who, *channels) for _, who, channels in rules] == [
        ("emergency-lead (gil-klainert)", "pager"),
        ("technical-lead (engineering)", "engineering"),
        ("communication-lead (communication)", "business"),
        ("monitoring-lead (operations)", "monitoring"),
        ("channels of no role", "record"),
        ("emergency-lead (gil-klainert)", "pager"),
        ("technical-lead (engineering)", "engineering"),
        ("Cloud Monitoring (CRITICAL, HIGH)", "pager_channels"),
    ]
    assert rules[0][0] == "detected, approval requested, action required, ended"
    assert [when for when, *_ in rules[-3:]] == [
        "not acknowledged after 5 min",
        "not acknowledged after 10 min",
        "not acknowledged after 15 min",
    ]


def test_contacts_are_shown_as_lines_and_as_json(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """After the stages of its roles, a policy shows its steps of on-call."""
    prompt = WorldPrompt(monkeypatch, tmp_path, World())

    lines = prompt.say("contacts", "--system", "bookshop").stdout
    rules = json.loads(prompt.say("contacts", "--json").stdout)

    assert "not acknowledged after 15 min: night-shift, by night-shift\n" in lines
    assert [one["who"] for one in rules] == [
        *(
            "night-shift (keeper)",
            "channels of no role",
            "keeper",
            "night-shift",
            "Cloud Monitoring (CRITICAL, HIGH)",
        )
    ]


def test_status_says_why_automation_waits(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """One sentence, without the names of gates, for people and for programs."""
    world = World()
    world.ports.counts.rates["getBook"] = 0.0  # no requests that it has answered since its release
    raise_probe_alarm(world)
    world.pass_time(timedelta(seconds=30))
    prompt = WorldPrompt(monkeypatch, tmp_path, world)

    lines = prompt.say("status").stdout
    [system] = json.loads(prompt.say("status", "--json").stdout)["systems"]

    [missing] = [gate["reason"] for gate in system["rollback"]["gates"] if gate["answer"] == "unknown"]
    again = "automation decides again after 12:10:55 UTC, people are asked after 12:13:00 UTC"
    assert system["why"] == f"Waiting: {missing}; {again}."
    assert lines.splitlines()[1] == f"  {system['why']}"
