"""`rollback cost`: what a month of protection costs."""

import csv
from pathlib import Path
from typing import Annotated

import typer

from cli.support.exit_codes import INVALID_USAGE, create_exit
from cli.support.output import AsJson, print_json, print_line, print_table
from shared.core.errors import BadConfiguration
from shared.domain.reports.monthly_cost import price_rows
from shared.policy_files.loader import load_policy_files

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
    multi_region: Annotated[bool, typer.Option("--multi-region", help="it is in nam5 or eur3")] = False,
    as_json: AsJson = False,
) -> None:
    """Print what a month of protection costs by a policy, at Google's list prices in US dollars."""
    try:
        [policy] = load_policy_files([file]).values()
    except BadConfiguration as error:
        raise create_exit(INVALID_USAGE, str(error)) from error
    with PRICES.open(newline="", encoding="utf-8") as prices:
        rows = [*price_rows(csv.DictReader(prices), policy, documents, multi_region=multi_region)]
    whole = round(sum(one["usd_a_month"] for one in rows), 2)
    by_policy = round(sum(one["usd_a_month"] for one in rows if one["is_in_policy"]), 2)
    if as_json:
        print_json({"currency": "USD", "rows": rows, "everything_on": whole, "by_policy": by_policy})
        return
    print_table([*COLUMNS], ([form.format(**one) for form in COLUMNS.values()] for one in rows))
    print_line(f"{policy.system}, everything on: USD {whole:.2f} a month; by policy: USD {by_policy:.2f}")
