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
    """The currency is that of the account, and a filter names projects by their numbers."""
    answer: Resource = {}
    stated = change.after.get("budgetFilter", {})
    if "projects" in stated:
        answer["budgetFilter"] = {**stated, "projects": [_by_number(one) for one in stated["projects"]]}
    amount = change.after["amount"]
    if "specifiedAmount" in amount:
        specified = {"currencyCode": CURRENCY, **amount["specifiedAmount"]}
        if specified["currencyCode"] != CURRENCY:
            said = f"amount.specifiedAmount.currencyCode: the account's currency is {CURRENCY}"
            raise invalid_argument(said)
        answer["amount"] = {**amount, "specifiedAmount": specified}
    return answer


def _by_number(name: str) -> str:
    project = name.removeprefix("projects/")
    return name if project.isdigit() else f"projects/{project_number(project)}"


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
