"""What was removed from policy files: an old file is accepted, and warned of."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import main
from cli.app import app
from shared.domain.policy.data_rules import OnRepair
from shared.policy_files import loader
from shared.policy_files.loader import REMOVED_KEYS, strip_removed_keys
from tests.support.decision.minimal_policy import SMALL, policy_faults

STARTS = "deployments: { quiet: 1m, starts: rollback-starts }\n"
SUPPRESS = """\
collections:
  users: { on_repair: fire }
  orders:
    # what they start is told nothing
    on_repair: suppress
"""
NO_STARTS = (
    "shop.yaml:10: warning: deployments.starts was removed: no revision is started to test it; "
    "delete this key"
)
NO_SUPPRESS = (
    "shop.yaml:14: warning: collections.orders.on_repair: suppress was removed: a repair is "
    "refused when its writes would start something; write refuse, or fire to let them start it"
)


def test_a_policy_without_it_has_no_warning() -> None:
    """Neither has one whose keys of that name have another place or value."""
    more = "collections: { starts: { on_repair: refuse } }\ndeployments: { quiet: 1m }\n"

    assert loader.parse_policy(SMALL + more, "shop.yaml").warnings == ()


def test_a_key_that_was_removed() -> None:
    """It is as if it were not there, and the warning names file, line and what to write."""
    policy = loader.parse_policy(SMALL + STARTS, "shop.yaml")

    assert policy.warnings == (NO_STARTS,)
    assert (
        policy.deployments
        == loader.parse_policy(SMALL + "deployments: { quiet: 1m }\n", "shop.yaml").deployments
    )


@pytest.mark.parametrize("value", ["7", "[]", "{ a: b }", "''", ""])
def test_a_key_that_was_removed_and_whatever_it_says(value: str) -> None:
    """Nobody reads it any more: no value of it is a fault."""
    policy = loader.parse_policy(f"{SMALL}deployments:\n  starts: {value}\n", "shop.yaml")

    assert len(policy.warnings) == 1
    assert policy.warnings[0].startswith("shop.yaml:11: warning: deployments.starts was removed")


def test_a_value_that_was_removed() -> None:
    """The key has its default; other collections keep what they say."""
    policy = loader.parse_policy(SMALL + SUPPRESS, "shop.yaml")

    assert policy.warnings == (NO_SUPPRESS,)
    assert policy.collections["orders"].on_repair is OnRepair.REFUSE
    assert policy.collections["users"].on_repair is OnRepair.FIRE


def test_faults_are_faults_as_before() -> None:
    """What is wrong beside it is listed, at the line where it stands."""
    assert policy_faults(SMALL + STARTS.replace("quiet", "quite")) == (
        "shop.yaml:10: unknown key 'quite'; did you mean 'quiet'?",
    )


@pytest.mark.parametrize("path", REMOVED_KEYS)
@pytest.mark.parametrize("wrong", [None, 7, "text", []])
def test_a_policy_of_another_shape(path: tuple[str, ...], wrong: Any) -> None:
    """What has no key at all is left to the schema."""
    policy: dict[str, Any] = {path[0]: wrong}

    assert [*strip_removed_keys(policy), *strip_removed_keys(wrong)] == []
    assert policy == {path[0]: wrong}


def test_a_check_of_policies_warns(tmp_path: Path) -> None:
    """It says so and is content, in words and as JSON."""
    file = tmp_path / "shop.yaml"
    file.write_text(SMALL + STARTS + SUPPRESS)
    said = [f"{tmp_path}/{NO_STARTS}", f"{tmp_path}/{NO_SUPPRESS}".replace(":14:", ":15:")]

    checked, as_json = (
        CliRunner().invoke(app, ["policy", "check", str(file), *how]) for how in ((), ("--json",))
    )

    assert (checked.exit_code, checked.stdout.splitlines()) == (0, said)
    assert (as_json.exit_code, json.loads(as_json.stdout)) == (0, {"faults": [], "warnings": said})


def test_the_functions_log_it_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As they load their policies, not with each request."""
    (tmp_path / "shop.yaml").write_text(SMALL + STARTS)
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "shop-ops")
    monkeypatch.setenv("ROLLBACK_POLICIES", str(tmp_path))
    main._wiring.cache_clear()
    try:
        assert main._wiring() is main._wiring()
    finally:
        main._wiring.cache_clear()

    [line] = [json.loads(one) for one in capsys.readouterr().err.splitlines()]
    assert (line["severity"], line["event"], line["system"]) == ("WARNING", "policy.removed", "shop")
    assert line["found"] == f"{tmp_path}/{NO_STARTS}"
