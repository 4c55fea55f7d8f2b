"""How a budget names its projects."""

from local.application.names import project_number
from tests.local.support.rest import Product, running

BUDGETS = "/v1/billingAccounts/012345-6789AB-CDEF01/budgets"


def test_the_projects_of_a_budget_have_numbers() -> None:
    """However they were named; Terraform would else plan a change for ever."""
    numbers = [f"projects/{project_number(project)}" for project in ("shop", "bank")]
    budget = {
        "displayName": "all",
        "amount": {"specifiedAmount": {"units": "100"}},
        "budgetFilter": {"projects": ["projects/shop", numbers[1]], "calendarPeriod": "MONTH"},
    }
    with running() as cloud:
        billing = Product(cloud, "billingbudgets.googleapis.com")
        made = billing.done("POST", BUDGETS, budget)
        assert made["budgetFilter"] == {"projects": numbers, "calendarPeriod": "MONTH"}
        changed = billing.done("PATCH", f"/v1/{made['name']}", {"budgetFilter": {"projects": [numbers[0]]}})
        assert changed["budgetFilter"]["projects"] == [numbers[0]]
