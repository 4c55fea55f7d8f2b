"""Cloud Billing Budgets, `v1`: budgets as they are declared; nothing is spent.

Shapes: https://cloud.google.com/billing/docs/reference/budget/rest (read 2026-11).
"""

from typing import Any, Literal

from local.core.resources import Change, Kind
from local.core.rest import Resource, invalid_argument

HOST = "billingbudgets.googleapis.com"
CURRENCY = "USD"
"""Of every billing account."""


def _complete(change: Change) -> Resource:
    """The currency is that of the account."""
    amount = change.after["amount"]
    if "specifiedAmount" not in amount:
        return {}
    specified = {"currencyCode": CURRENCY, **amount["specifiedAmount"]}
    if specified["currencyCode"] != CURRENCY:
        raise invalid_argument(f"amount.specifiedAmount.currencyCode: the account's currency is {CURRENCY}")
    return {"amount": {**amount, "specifiedAmount": specified}}


BUDGETS = Kind(
    calls="billingAccounts.budgets",
    schema="billingbudgets.v1.GoogleCloudBillingBudgetsV1Budget",
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
