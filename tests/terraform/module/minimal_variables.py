"""The module with the least that a person has to say to Terraform."""

from typing import Any

from tests.terraform.conftest import TERRAFORM
from tests.terraform.evaluator.evaluator import Configuration, evaluated

SMALLEST = {
    "operations_project": "example-operations",
    "policies": [str(TERRAFORM.parent / "policies" / "cvplus.yaml")],
    "region": "us-east1",
}


def smallest_module(**more: Any) -> Configuration:
    """What it would make, with some more variables. Raises: Unevaluable."""
    return evaluated(TERRAFORM, SMALLEST | more)
