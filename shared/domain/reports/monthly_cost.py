"""What a month of protection costs: quantities by a policy, at prices of policies/prices.csv."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from operator import attrgetter
from typing import Any

from shared.domain.policy.system_policy import Policy

MONTH = timedelta(days=30)


def price_rows(
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
    minutes = [
        5 if one.signal else 1 for one in policy.probes if one.sign_in is None
    ]  # terraform/monitoring_locals.tf
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
