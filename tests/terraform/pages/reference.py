"""Inputs and outputs of the module, from its code: `python -m tests.terraform.pages.reference`."""

import json
import re
from collections.abc import Iterator

from typer.testing import CliRunner

from cli.app import app
from tests.support.runtime.world import POLICIES
from tests.terraform.conftest import TERRAFORM

PAGE = TERRAFORM / "REFERENCE.md"
FREE_ALERTS = "0 before September 2027"
COSTS = {
    "access_logs": "by what is logged, beyond 50 GiB",
    "alert_severities": FREE_ALERTS,
    "application_databases": ("daily and weekly backups", "point-in-time recovery"),
    "application_images": ("images of the last 30 deployments",),
    "audit_bucket": "less than 0.01",
    "billing_account": "0",
    "change_hints": "0",
    "console": ("console: rendering", "console: state"),
    "dashboards": "0",
    "dead_man_url": "0 up to three jobs of Cloud Scheduler in a billing account, then 0.10",
    "exports": ("exports: reads", "exports: storage", "exports: transfer"),
    "health_alerts": FREE_ALERTS,
    "kept": "0.03 for each GB",
    "quarantine": "0.03 for each GB",
    "secrets": ("clock: secrets",),
    "state_kms_key": "0.06 for each version of the key",
    "status_page": ("status page: reads", "status page: rendering", "status page: writes"),
    "uptime_checks": ("uptime checks",),
}
"""What a switch costs: in words, or by rows of `rollback cost`."""


def render() -> str:
    """Return the page."""
    written = "\n".join(file.read_text() for file in sorted(TERRAFORM.glob("*.tf")))
    inputs = [*_rows("variable", written)]
    outputs = [*_rows("output", written)]
    return "\n".join(
        [
            "# Inputs and outputs",
            "",
            "For whoever uses the module. After reading this page, you know each input with its type and",
            "default, and each output. Costs are those of CVPlus in US dollars a month, as",
            "[`rollback cost`](../docs/operate.md#what-it-costs) prints them. A test compares page and code.",
            "",
            "## Inputs",
            "",
            "| input | type | default | USD a month | description |",
            "|---|---|---|---|---|",
            *(
                f"| `{name}` | {_type(body)} | {_default(body)} | {_cost(name)} | {_description(body)} |"
                for name, body in inputs
            ),
            "",
            "## Outputs",
            "",
            "| output | description |",
            "|---|---|",
            *(f"| `{name}` | {_description(body)} |" for name, body in outputs),
            "",
        ]
    )


def _rows(kind: str, written: str) -> Iterator[tuple[str, str]]:
    yield from sorted(re.findall(rf'^{kind} "(\w+)" \{{\n(.*?)^\}}', written, re.M | re.S))


def _description(body: str) -> str:
    [text] = re.findall(r'^  description += "(.*)"$', body, re.M)
    return re.sub(r'\\"', '"', text).replace("|", "\\|")


def _type(body: str) -> str:
    [text] = re.findall(r"^  type += (.*?)(?=^  \w|\Z|^$)", body, re.M | re.S)
    line = re.sub(r'([\w)"]) (\w+ = )', r"\1, \2", " ".join(text.split()))
    return f"`{line}`"


def _default(body: str) -> str:
    found = re.findall(r"^  default += (.*)$", body, re.M)
    return f"`{found[0]}`" if found else "required"


def _cost(name: str) -> str:
    costs = COSTS.get(name, "")
    if isinstance(costs, str):
        return costs
    done = CliRunner().invoke(app, ["cost", str(POLICIES / "cvplus.yaml"), "--json"])
    rows = {one["what"]: one["usd_a_month"] for one in json.loads(done.stdout)["rows"]}
    return f"{sum(rows[one] for one in costs):.2f}"


if __name__ == "__main__":
    print(render(), end="")  # noqa: T201
