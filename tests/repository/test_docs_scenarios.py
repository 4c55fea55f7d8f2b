"""`docs/scenarios.md` beside the policy of CVPlus and the schema of commands."""

import json
import re

from shared.domain.commands.command import parse_command
from shared.domain.policy.scenario_names import ScenarioName
from tests.support.cli.documented_commands import CVPLUS, PUBLISHED, README, SIGNED
from tests.support.cli.scenario_page import PAGE, render_tables, replace_tables


def test_the_tables_are_those_of_the_policy() -> None:
    """`python -m tests.support.cli.scenario_page` writes them anew."""
    page = PAGE.read_text()

    assert page == replace_tables(page, render_tables(CVPLUS))


def test_each_scenario_has_a_message_that_the_responders_understand() -> None:
    """The five scenarios, each in a message of its own."""
    messages = re.findall(r"^\| message \| `(.*)` \|$", PAGE.read_text(), re.MULTILINE)
    commands = [parse_command(one.encode(), "any", {CVPLUS.system: CVPLUS}) for one in messages]

    assert [one.scenario for one in commands] == [
        ScenarioName.COMPLETE,
        ScenarioName.FUNCTIONS,
        ScenarioName.DATABASE,
        ScenarioName.AUTH,
        ScenarioName.FEATURE,
    ]


def test_the_front_page_shows_one_message_that_a_person_publishes() -> None:
    """An order to roll back, signed and published by gcloud."""
    messages = [json.loads(SIGNED.search(line)[1]) for line in PUBLISHED if line in README]  # type: ignore[index]

    assert [one["command"] for one in messages] == ["rollback"]
