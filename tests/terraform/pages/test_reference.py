"""The page of inputs and outputs says what the code says."""

import re
from collections import Counter

from tests.terraform.conftest import TERRAFORM
from tests.terraform.pages.reference import COSTS, PAGE, render


def test_the_page_is_what_the_code_says() -> None:
    """As `python -m tests.terraform.pages.reference` prints it."""
    assert PAGE.read_text() == render()


def test_each_validation_of_an_input_is_refused_by_terraform_itself() -> None:
    """`terraform test` breaks an input at least once for each of its validations."""
    written = "\n".join(file.read_text() for file in TERRAFORM.glob("*.tf"))
    variables = dict(re.findall(r'^variable "(\w+)" \{\n(.*?)^\}', written, re.M | re.S))
    tested = "\n".join(file.read_text() for file in (TERRAFORM / "tests").glob("*.hcl"))
    refused = Counter(
        name
        for run in re.findall(r"expect_failures = \[(.*?)\]", tested, re.S)
        for name in re.findall(r"var\.(\w+)", run)
    )

    validations = {name: body.count("validation {") for name, body in variables.items()}
    assert {name for name, count in validations.items() if refused[name] < count} == set()
    assert COSTS.keys() <= variables.keys()
