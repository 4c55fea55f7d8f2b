"""`rollback cost`: what a month costs: quantities by a policy, at prices of policies/prices.csv."""

import csv
from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from operator import attrgetter
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.support.exit_codes import INVALID_USAGE, exit_on
from cli.support.output import AsJson, print_json, print_line, print_table
from cli.support.parameters import flag
from shared.core.errors import BadConfiguration
from shared.domain.policy.signals import FRONTEND_SIGNAL
from shared.domain.policy.system_policy import Policy
from shared.policy_files.loader import load_policy_files

MONTH = timedelta(days=30)
PRICES = Path(__file__).parents[2] / "policies/prices.csv"
COLUMNS = {
    "what": "{what}",
    "USD a month": "{usd_a_month:.2f}",
    "quantity": "{quantity:,.0f} {unit}",
    "how it comes about": "{basis}",
    "unit price": "USD {unit_price:g} for {per:,}",
    "source": "{source}",
    "read on": "{read_on}",
}


def cost(
    file: Annotated[Path, typer.Argument(help="a policy file")],
    documents: Annotated[int, typer.Option(min=0, help="documents of the database, 1 kB each")] = 1_000_000,
    multi_region: Annotated[bool, flag("--multi-region", "it is in nam5 or eur3")] = False,
    as_json: AsJson = False,
) -> None:
    """Print what a month of protection costs by a policy, at Google's list prices in US dollars."""
    with exit_on(BadConfiguration, INVALID_USAGE):
        [policy] = load_policy_files([file]).values()
    with PRICES.open(newline="", encoding="utf-8") as prices:
        rows = [*_price_rows(csv.DictReader(prices), policy, documents, multi_region=multi_region)]
    whole = round(sum(one["usd_a_month"] for one in rows), 2)
    by_policy = round(sum(one["usd_a_month"] for one in rows if one["is_in_policy"]), 2)
    if as_json:
        print_json({"currency": "USD", "rows": rows, "everything_on": whole, "by_policy": by_policy})
        return
    print_table([*COLUMNS], ([form.format(**one) for form in COLUMNS.values()] for one in rows))
    print_line(f"{policy.system}, everything on: USD {whole:.2f} a month; by policy: USD {by_policy:.2f}")


def _price_rows(
    prices: Iterable[Mapping[str, str]], policy: Policy, documents: int, *, multi_region: bool
) -> Iterator[dict[str, Any]]:
    """Yield each row with its cost in dollars a month, and whether the policy switches it on."""
    factors = _factors(policy, documents)
    for row in prices:
        quantity, per = float(row["quantity"]) * factors[row["times"]], int(row["per"])
        price = float(row["usd_multi_region" if multi_region else "usd"])
        yield {
            **{name: row[name] for name in ("what", "basis", "unit", "source", "read_on")},
            "quantity": quantity,
            "unit_price": price,
            "per": per,
            "usd_a_month": round(max(0.0, quantity - float(row["free"])) * price / per, 2),
            "is_in_policy": not row["key"] or bool(attrgetter(row["key"])(policy)),
        }


def _factors(policy: Policy, documents: int) -> dict[str, float]:
    """Return what a policy contributes to the quantities of a month, by the name in `times`."""
    checked = min(policy.integrity.read_budget, 2 * documents)
    dated = [one for one in policy.collections.values() if one.updated_field]
    # As terraform/monitoring_locals.tf has it.
    asked = [one for one in policy.probes if one.sign_in is None]
    minutes = [1 if one.signal in (None, FRONTEND_SIGNAL) else 5 for one in asked]
    return {
        "": 1,
        "documents": documents,
        "exported documents": documents * (MONTH / policy.backups.every),
        "checked documents": checked,
        "integrity reads": checked * (MONTH / policy.integrity.every),
        "newest documents": sum(1 + len(one.references) for one in dated),
        "deployment checks": MONTH / policy.deployments.look_every,
        "sign-ins": sum(one.sign_in is not None and one.signal is not None for one in policy.probes),
        "uptime checks": sum(MONTH / timedelta(minutes=each) for each in minutes),
    }
