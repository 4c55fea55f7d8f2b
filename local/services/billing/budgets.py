"""Cloud Billing Budgets, `v1`: budgets as they are declared; nothing is spent.

Shapes: https://cloud.google.com/billing/docs/reference/budget/rest (read 2026-11).
"""

from typing import Any, Literal

from local.application.names import project_number
from local.core.resources import Change, Kind
from local.core.rest import Resource, invalid_argument

HOST = "billingbudgets.googleapis.com"
CURRENCY = "USD"
"""Of every billing account."""


def _complete(change: Change) -> Resource:
    """The currency is that of the account, and projects are named by their numbers."""
    return _complete_amount(change.after["amount"]) | _number_projects(change.after.get("budgetFilter", {}))


def _complete_amount(amount: dict[str, Any]) -> Resource:
    if "specifiedAmount" not in amount:
        return {}
    specified = {"currencyCode": CURRENCY, **amount["specifiedAmount"]}
    if specified["currencyCode"] != CURRENCY:
        raise invalid_argument(f"amount.specifiedAmount.currencyCode: the account's currency is {CURRENCY}")
    return {"amount": {**amount, "specifiedAmount": specified}}


def _number_projects(chosen: dict[str, Any]) -> Resource:
    if "projects" not in chosen:
        return {}
    ids = [name.removeprefix("projects/") for name in chosen["projects"]]
    numbers = [one if one.isdecimal() else str(project_number(one)) for one in ids]
    return {"budgetFilter": {**chosen, "projects": [f"projects/{number}" for number in numbers]}}


BUDGETS = Kind(
    calls="billingAccounts.budgets",
    path="/v1/billingAccounts/{account}/budgets",
    fields={
        "amount": dict[str, dict[str, Any]],
        "budgetFilter": dict[str, Any],
        "displayName": str,
        "notificationsRule": dict[str, Any],
        "ownershipScope": Literal["OWNERSHIP_SCOPE_UNSPECIFIED", "ALL_USERS", "BILLING_ACCOUNT"],
        "thresholdRules": list[dict[str, Any]],
    },
    required=("amount",),
    has_etag=True,
    complete=_complete,
)
