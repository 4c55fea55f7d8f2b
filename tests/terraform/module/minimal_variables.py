"""The least that a person has to say to Terraform."""

from tests.terraform.conftest import TERRAFORM

SMALLEST = {
    "operations_project": "example-operations",
    "policies": [str(TERRAFORM.parent / "policies" / "cvplus.yaml")],
    "region": "us-east1",
}
