"""The page of inputs and outputs says what the code says."""

import re

from tests.terraform.conftest import TERRAFORM
from tests.terraform.pages.reference import COSTS, PAGE, render


def test_the_page_is_what_the_code_says() -> None:
    """As `python -m tests.terraform.pages.reference` prints it."""
    assert PAGE.read_text() == render()


def test_each_input_with_a_validation_is_refused_by_terraform_itself() -> None:
    """`terraform test` breaks each of them at least once."""
    written = "\n".join(file.read_text() for file in TERRAFORM.glob("*.tf"))
    variables = dict(re.findall(r'^variable "(\w+)" \{\n(.*?)^\}', written, re.M | re.S))
    tested = "\n".join(file.read_text() for file in (TERRAFORM / "tests").glob("*.hcl"))
    refused = {name for run in re.findall(r"expect_failures = \[(.*?)\]", tested, re.S)
               for name in re.findall(r"var\.(\w+)", run)}  # fmt: skip

    assert {name for name, body in variables.items() if "validation {" in body} == refused
    assert COSTS.keys() <= variables.keys()
