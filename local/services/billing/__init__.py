"""Cloud Billing: budgets."""
