"""The commands `parse` and `policy check`, as a person runs them."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from cli.app import app

ROOT = Path(__file__).parent.parent.parent.parent
FIXTURES = ROOT / "tests" / "fixtures"
POLICIES = ROOT / "policies"

EXPECTED = {
    # file: verdict, incident, reason begins
    "cloudevents/official_structured": ("refused", None, "not JSON"),
    "monitoring/docs_example_v1_1_fallback": (
        "open",
        "f2e08c333dc64cb09f75eaab355393bz",
        "neither labels of ours nor an alert policy's id",
    ),
    "monitoring/docs_example_v1_2_closed_ended_at_null": ("closed", "0.opqiw61fsv7p", "no labels of ours"),
    "monitoring/docs_example_v1_2_with_severity_links": ("open", "0.opqiw61fsv7p", "no labels of ours"),
    "monitoring/logmatch_open_k8s_2023": ("open", "0.mybdstmr76pg", "no labels of ours"),
    "monitoring/test_notification_int_project_number": ("test", "12345", "no labels of ours"),
    "monitoring/threshold_closed_gce_cancelled_policy_edit_pubsub_2025": (
        "cancelled",
        "0.nrwo9fe1a4wg",
        "no labels of ours",
    ),
    "monitoring/threshold_closed_nat_2022": ("closed", "0.me9a9xif10jo", "no labels of ours"),
    "monitoring/threshold_open_gce_2022": ("open", "0.mee9rw3wbiti", "no labels of ours"),
    "monitoring/threshold_open_gce_critical_2025": ("open", "0.nwg9th6llz4w", "no labels of ours"),
    "monitoring/threshold_open_gce_pubsub_2025": ("open", "0.nrwotmyokd9n", "no labels of ours"),
    "monitoring/threshold_open_log_entry_count_cloud_function_2022": (
        "open",
        "0.mp9ojt5e6800",
        "no labels of ours",
    ),
    "monitoring/uptime_closed_2020_minimal": ("closed", "0.ligwyr056k2l", "neither labels"),
    "monitoring/uptime_open_2020": ("open", "0.ll5vihtvirr7", "no labels of ours"),
}


def run(*arguments: object, given: bytes = b"") -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments], input=given)


def parsed(*files: object, given: bytes = b"") -> list[dict[str, Any]]:
    result = run("parse", "--policies", POLICIES, *files, given=given)
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def ours(name: str = "monitoring/threshold_open_gce_critical_2025", **incident: Any) -> bytes:
    document = json.loads((FIXTURES / f"{name}.json").read_text())
    labels = {"rollback_system": "cvplus", "rollback_signal": "function_failure_rate"}
    document["incident"] |= {"policy_user_labels": labels, **incident}
    return json.dumps(document).encode()


def test_every_fixture_in_order() -> None:
    """One line per file, in the order of the files, whatever stands in them."""
    files = [FIXTURES / f"{name}.json" for name in EXPECTED]
    lines = parsed(*files)

    assert {*files} >= {*FIXTURES.glob("monitoring/*.json")}
    assert [line["file"] for line in lines] == [str(file) for file in files]
    for file, line in zip(files, lines, strict=True):
        verdict, incident, reason = EXPECTED[f"{file.parent.name}/{file.stem}"]
        assert (line["verdict"], line["incident"]) == (verdict, incident)
        assert (line["system"], line["signal"]) == (None, None)
        assert line["reason"].startswith(reason)


def test_a_notification_of_ours() -> None:
    """With our labels in the right project nothing remains to be said."""
    resource = {"type": "cloud_run_revision", "labels": {"project_id": "cvplus"}}

    assert parsed("-", given=ours(resource=resource)) == [
        {
            "file": "-",
            "verdict": "open",
            "incident": "0.nwg9th6llz4w",
            "system": "cvplus",
            "signal": "function_failure_rate",
            "reason": None,
        }
    ]


def test_a_notification_of_ours_from_a_foreign_project() -> None:
    """It is claimed, and the reason says that it does not count."""
    [line] = parsed("-", given=ours())

    assert (line["verdict"], line["system"]) == ("open", "cvplus")
    assert line["reason"] == "foreign: project scoping-project is not among its alert projects"


def test_a_plain_push() -> None:
    """A notification is found in what Pub/Sub sends it in."""
    [push] = parsed("-", given=b'{"message": {"data": "e30="}}')
    [bare] = parsed("-", given=b'{"message": {}}')

    assert push["reason"] == "no incident: not a notification of Cloud Monitoring"
    assert bare["reason"] == "empty"


@pytest.mark.parametrize(
    "given", [b"", b"\xff", b"[" * 100000, b" " * 11_000_000], ids=["empty", "not UTF-8", "deep", "long"]
)
def test_what_no_responder_would_take(given: bytes) -> None:
    """It is refused with a reason, and the command has done its work."""
    [line] = parsed("-", given=given)

    assert line["verdict"] == "refused"
    assert line["reason"]


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    """A file that is not there, or no file, is refused; the others are still processed."""
    file = tmp_path / "ours.json"
    file.write_bytes(ours())

    lines = parsed(tmp_path / "gone.json", tmp_path, file)

    assert [line["verdict"] for line in lines] == ["refused", "refused", "open"]
    assert lines[0]["reason"].startswith("unreadable: ")


def test_without_files() -> None:
    """Nothing to parse is a mistake in the command."""
    assert run("parse").exit_code == 2


def test_without_policies(tmp_path: Path) -> None:
    """Policies that cannot be used are told apart from messages that cannot."""
    result = run("parse", "--policies", tmp_path, "-")

    assert result.exit_code == 2
    assert "no policy file" in result.stderr


def test_policies_that_are_right() -> None:
    """Policies without fault pass; each GET that may not reach a handler is named."""
    result = run("policy", "check", *sorted(POLICIES.glob("*.yaml")))

    assert result.exit_code == 0
    shallow = ["checkFeatureAccess", "generateCV", "getCVStatus", "healthCheck", "order-status", "processCV"]
    lines = [line.partition(" may not reach the code of ")[0] for line in result.stdout.splitlines()]
    systems = {name: "bookshop" if name == "order-status" else "cvplus" for name in shallow}
    assert sorted(lines) == sorted(
        f"warning: {system}: the GET of probe {name}" for name, system in systems.items()
    )


def test_policies_that_are_faulty(tmp_path: Path) -> None:
    """Every fault of every file is said, with its line, and the exit code is 1."""
    file = tmp_path / "faulty.yaml"
    text = (POLICIES / "example.yaml").read_text()
    text = text.replace("The Bookshop", "No").replace("canary: getBook", "canary: gone")
    file.write_text(text.replace("region:", "regoin:"))

    result = run("policy", "check", file, tmp_path / "gone.yaml", POLICIES / "cvplus.yaml")

    assert result.exit_code == 1
    assert result.stdout.splitlines() == [
        f"{file}:1: key 'region' is missing",
        f"{file}:4: No: write false, or quote it as text",
        f"{file}:6: unknown key 'regoin'; did you mean 'region'?",
        f"{file}:12: canary 'gone' is not in group 'catalogue'",
        f"{tmp_path / 'gone.yaml'}: cannot be read: No such file or directory",
    ]
