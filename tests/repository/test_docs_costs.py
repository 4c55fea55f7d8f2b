import re
from datetime import timedelta

from shared.domain.policy.resources import BackupRules
from shared.domain.presentation import status_page_html
from tests.support.cli.documented_commands import CVPLUS, MODULE, OPERATE, SET_UP
from tests.terraform.conftest import configuration


def test_the_costs_are_those_of_what_is_provisioned() -> None:
    """What the table counts is what the minimal example makes."""
    made = configuration("minimal").resources
    asked_from = re.search(r'variable "uptime_regions".*?default +=([^\n]*)', MODULE, re.S)
    assert asked_from is not None
    checks = sum(one.sign_in is None for one in CVPLUS.probes)  # no uptime check signs in
    regions = len(re.findall(r'"\w+"', asked_from[1]))
    policies = [one for one in made if one.type == "google_monitoring_alert_policy"]
    conditions = [repr(one) for policy in policies for one in policy.values["conditions"]]
    metrics = sum(
        one.count("metric.type") + len({*re.findall(r"\w+_googleapis_com:\w+", one)}) for one in conditions
    )
    [clock] = [
        one
        for one in made
        if one.name == "responders"
        and one.key == "on_clock"
        and one.type == "google_cloudfunctions2_function"
    ]
    [service] = clock.values["service_config"]
    builds = sum(one.type == "google_cloudfunctions2_function" for one in made)
    cpu = 3_024_000 * float(service["available_cpu"]) - 180_000
    runs = checks * regions * 43_200

    assert f"{metrics} metrics in {len(conditions)} conditions" in OPERATE
    assert f"= {round(metrics * 0.35)}, and" in OPERATE
    assert re.search(f"{checks} checks . {regions} regions .* = {runs:,} runs", OPERATE)
    assert f"a thousand | {(runs - 1_000_000) * 0.0003:.0f} |" in OPERATE
    assert f" 0.000024 = {cpu * 0.000024:.2f};" in OPERATE
    assert service["available_memory"] == "512Mi"
    counted = 43_200 * len(CVPLUS.functions) * 8
    assert f"43,200 × {len(CVPLUS.functions)} × 8 = {counted / 1e6:.0f} MB" in OPERATE  # noqa: RUF001
    assert (builds, counted < 150 * 2**20) == (7, True)  # seven builds; free
    looks = timedelta(days=30) // CVPLUS.deployments.look_every
    assert f"{looks:,} looks" in OPERATE
    each_second = looks * (0.000024 + 0.5 * 0.0000025)
    assert re.search(rf"costs {looks:,} . \(.*\) = {each_second:.2f} more", OPERATE)


def test_the_budget_is_about_twice_what_minimal_costs() -> None:
    """Its rows add up to what the table says; the default of the budget is twice that."""
    rows = [line.split(" | ") for line in OPERATE.splitlines() if line.startswith("| [")]
    costs = [int(row[-1].strip(" |")) for row in rows if "which `minimal` leaves out" not in row[0]]
    [amount] = re.findall(r'variable "budget_amount".*?default +=\D*(\d+)', MODULE, re.S)

    assert f"| **{sum(costs)}** |" in OPERATE
    assert f"`budget_amount` (default {amount})" in OPERATE
    assert 1.8 <= int(amount) / sum(costs) <= 2.2


def test_the_buckets_of_minimal_are_emptied_before_it_is_destroyed() -> None:
    """Terraform deletes none that holds anything."""
    made = configuration("minimal").outputs["rollback"]["buckets"]
    [line] = [one for one in SET_UP if "rm --recursive gs://cvplus-rollback" in one]

    assert {*re.findall(r"gs://([^ ]+)", line)} == {*made.values()}


def test_the_costs_of_what_minimal_leaves_out_are_those_of_the_code() -> None:
    """How often a page is written, how many exports there are and stay, is what the rows count."""
    written = 2 * 43_200 * len(status_page_html.OBJECT_NAMES)
    pages = written * 0.000005, written * 0.0000004, 86_400 * (0.000024 + 0.5 * 0.0000025)
    exports = timedelta(days=30) // BackupRules().every
    kept = re.search(r'variable "exports".*?retention_days += optional\(number, (\d+)\)', MODULE, re.S)
    assert kept is not None
    held = 2 * exports // 30 * (int(kept[1]) + 7)  # Cloud Storage's own soft deletion
    costs = exports * 10 * 0.06, held * 0.026

    assert f"{written:,} writes × 0.005 a thousand = {pages[0]:.2f}" in OPERATE  # noqa: RUF001
    assert f"a thousand = {pages[1]:.2f}; `on_notice`" in OPERATE
    assert f"= {pages[2]:.2f} | {sum(pages):.0f} |" in OPERATE
    assert re.search(rf"{exports} exports . 1,000,000 reads .* = {costs[0]:.2f};", OPERATE)
    assert re.search(rf"{held} GB . 0.026 = {costs[1]:.2f}\. .* \| {sum(costs):.0f} \|", OPERATE)


def test_the_cost_of_checks_is_the_policy_s() -> None:
    """The most that CVPlus's checks may read in a month."""
    rules = CVPLUS.integrity
    runs = timedelta(days=30) // rules.every
    costs = runs * rules.read_budget * 0.06 / 100_000

    line = rf"{runs} runs . {rules.read_budget:,} reads . .* = {costs:.2f}, .* \| {costs:.0f} \|"
    assert re.search(line, OPERATE)
