"""What a month costs: the command, the documentation, Terraform and the code agree."""

import csv
import json
import re
from datetime import date
from typing import Any
from urllib.parse import urlsplit

import pytest
from typer.testing import CliRunner

from cli.app import app
from cli.offline.cost import PRICES
from responders.data import document_check
from shared.domain.presentation import status_page_html
from shared.domain.signals.probe_history import PROBE_INTERVAL
from shared.domain.signals.probe_signals import probes_by_signal
from tests.support.cli.documented_commands import CVPLUS, MODULE, OPERATE, README, SET_UP
from tests.support.runtime.world import POLICIES
from tests.terraform.conftest import configuration

MINUTES = 43_200
MINIMAL = ("clock", "state", "comparison of what is live", "images of the responders")
"""Which rows `minimal` has, by what they begin with."""


def printed(*options: str) -> dict[str, Any]:
    """What the command prints for programs."""
    done = CliRunner().invoke(app, ["cost", str(POLICIES / "cvplus.yaml"), "--json", *options])
    assert done.exit_code == 0, done.output
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def quantities() -> dict[str, float]:
    return {one["what"]: one["quantity"] for one in printed()["rows"]}


def test_cvplus_with_everything_on_costs_at_most_100_dollars_and_readme_says_so() -> None:
    """The rows add up to it, and the database of the runbook has a million documents."""
    costs = printed()

    assert costs["everything_on"] == pytest.approx(sum(one["usd_a_month"] for one in costs["rows"]))
    assert costs["everything_on"] <= 100
    assert f"USD {costs['everything_on']:.2f} a month" in README
    assert f"costs **USD {costs['everything_on']:.2f}** a month" in OPERATE
    assert f"it is USD {printed('--multi-region')['everything_on']:.2f}" in OPERATE


def test_the_table_of_the_documentation_is_what_the_command_prints() -> None:
    """Each row, and no other."""
    rows = [
        f"| {one['what']} | {one['basis']} | {one['quantity']:,.0f} {one['unit']} "
        f"| [USD {one['unit_price']:g} for {one['per']:,}]({one['source']}), {one['read_on']} "
        f"| {one['usd_a_month']:.2f} |"
        for one in printed()["rows"]
    ]
    shown = OPERATE.partition("| unit price | USD a month |\n")[2].partition("\n\n")[0]
    assert shown.splitlines()[1:] == rows


def test_each_price_has_its_source_and_date() -> None:
    """A page, and a day that is not in the future of the newest one."""
    for row in csv.DictReader(PRICES.read_text().splitlines()):
        assert urlsplit(row["source"]).scheme == "https"
        assert date(2026, 11, 1) <= date.fromisoformat(row["read_on"]) <= date(2026, 11, 29)
        assert 0 < float(row["usd"]) <= float(row["usd_multi_region"])


def test_the_quantities_are_those_of_what_is_provisioned() -> None:
    """Processor, memory, checks, regions, exports and functions are what Terraform makes."""
    made, found = configuration("one-project").resources, quantities()
    by_name = {(one.type, one.name, one.key): one.values for one in made}
    [clock] = by_name[("google_cloudfunctions2_function", "responders", "on_clock")]["service_config"]
    checks = [one.values for one in made if one.type == "google_monitoring_uptime_check_config"]
    runs = sum(len(one["selected_regions"]) * MINUTES * 60 // int(one["period"][:-1]) for one in checks)
    kept = re.search(r'variable "exports".*?retention_days += optional\(number, (\d+)\)', MODULE, re.S)
    responders = sum(
        one.type == "google_cloudfunctions2_function" for one in configuration("minimal").resources
    )

    assert kept is not None
    assert found["clock: processor"] == pytest.approx(MINUTES * 36 * float(clock["available_cpu"]))
    assert (found["clock: memory"], clock["available_memory"]) == (MINUTES * 36 * 0.5, "512Mi")
    assert found["uptime checks"] == runs
    assert runs < 1_000_000  # free
    assert found["exports: storage"] == pytest.approx(2 * 4 * (int(kept[1]) + 7), rel=0.01)
    assert found["images of the responders"] == responders
    assert found["status page: writes"] == 2 * MINUTES * len(status_page_html.OBJECT_NAMES)
    assert found["integrity: newest writes"] == MINUTES * document_check.MAX_NEWEST_DOCUMENTS * 9
    assert CVPLUS.integrity.read_budget * 30 == found["integrity: runs"]


def test_what_google_checks_each_five_minutes_the_responders_probe_twice_a_minute() -> None:
    """The runbook: "Every 30 seconds", "Detection (<2 minutes)"; slow checks come beside that."""
    made = configuration("one-project").resources
    slow = {
        one.key.partition("/")[2]
        for one in made
        if one.type == "google_monitoring_uptime_check_config" and one.values["period"] == "300s"
    }
    asked = {probe.name for probes in probes_by_signal(CVPLUS).values() for probe in probes}

    assert slow
    assert slow <= asked
    assert PROBE_INTERVAL.total_seconds() == 30


def test_the_costs_follow_the_policy_and_the_documents() -> None:
    """Fewer documents cost less; what a policy lacks is left out of its own sum."""
    whole, small = printed(), printed("--documents", "0")
    assert small["everything_on"] < whole["everything_on"] / 3
    off = {one["what"] for one in whole["rows"] if not one["is_in_policy"]}
    assert {one.partition(":")[0] for one in off} == {
        "exports",
        "point-in-time recovery",
        "daily and weekly backups",
        "restore tests",
    }
    assert whole["by_policy"] < whole["everything_on"]


def test_people_read_a_table_and_the_sum() -> None:
    """Units, prices, pages and dates stand in it."""
    done = CliRunner().invoke(app, ["cost", str(POLICIES / "cvplus.yaml")])
    lines = done.stdout.splitlines()
    assert re.search(
        r"^uptime checks +0\.00 +[\d,]+ runs .* USD 0\.3 for 1,000 +https\S+ +2026-11-24", done.stdout, re.M
    )
    assert lines[-1].startswith(f"cvplus, everything on: USD {printed()['everything_on']:.2f} a month; by ")


def test_a_file_that_is_no_policy_is_refused() -> None:
    """With its faults, by the exit code of a wrong usage."""
    done = CliRunner().invoke(app, ["cost", "README.md"])
    assert (done.exit_code, done.stdout) == (2, "")


def test_the_sum_of_minimal_and_its_budget() -> None:
    """Its rows add up to what the page says; what its alert policies will cost stands beside it."""
    minimal = sum(one["usd_a_month"] for one in printed()["rows"] if one["what"].startswith(MINIMAL))
    made = configuration("minimal").resources
    policies = [one for one in made if one.type == "google_monitoring_alert_policy"]
    conditions = [repr(one) for policy in policies for one in policy.values["conditions"]]
    metrics = sum(
        one.count("metric.type") + len({*re.findall(r"\w+_googleapis_com:\w+", one)}) for one in conditions
    )
    [amount] = re.findall(r'variable "budget_amount".*?default +=\D*(\d+)', MODULE, re.S)

    assert f"images of the responders: USD {minimal:.2f}." in OPERATE
    price = f"{metrics} × 0.35 = {metrics * 0.35:.2f} a month"  # noqa: RUF001
    assert f"{metrics} metrics in {len(conditions)} conditions: {price}" in OPERATE
    assert f"`budget_amount` (default {amount})" in OPERATE
    assert minimal < int(amount) < printed()["everything_on"]
    counted = MINUTES * len(CVPLUS.functions) * 8
    assert f"43,200 × {len(CVPLUS.functions)} × 8 = {counted / 1e6:.0f} MB" in OPERATE  # noqa: RUF001


def test_the_buckets_of_minimal_are_emptied_before_it_is_destroyed() -> None:
    """Terraform deletes none that holds anything."""
    made = configuration("minimal").outputs["rollback"]["buckets"]
    [line] = [one for one in SET_UP if "rm --recursive gs://cvplus-rollback" in one]

    assert {*re.findall(r"gs://([^ ]+)", line)} == {*made.values()}
