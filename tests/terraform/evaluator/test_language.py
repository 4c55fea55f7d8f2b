import re
from pathlib import Path

import pygohcl
import pytest

from tests.terraform.conftest import TERRAFORM
from tests.terraform.evaluator.blocks import Block, blocks_in
from tests.terraform.evaluator.evaluator import names_in

FILES = sorted(
    file
    for pattern in ("*.tf", "*.tftest.hcl")
    for file in TERRAFORM.rglob(pattern)
    if ".terraform" not in file.parts
)
NAMES = [
    name
    for file in sorted(TERRAFORM.glob("*.tf"))
    for name in re.findall(r'^variable "(\w+)"', file.read_text(), flags=re.MULTILINE)
]
"""Found without a parser, which would hold up the start of every test."""


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(TERRAFORM)))
def test_every_file_is_terraform(file: Path) -> None:
    """HashiCorp's own parser takes it."""
    assert pygohcl.loads(file.read_text())


@pytest.fixture(scope="module")
def variables() -> dict[str, Block]:
    return {one.labels[0]: one for one in blocks_in(TERRAFORM) if one.kind == "variable"}


def test_no_variable_is_overlooked(variables: dict[str, Block]) -> None:
    """What is looked for below is what there is."""
    assert [*variables] == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_every_variable_is_typed_described_and_used(name: str, variables: dict[str, Block]) -> None:
    """Nobody has to guess what it takes, and none does nothing."""
    variable = variables[name]
    elsewhere = "".join(file.read_text() for file in FILES if not file.name.endswith("variables.tf"))

    assert {"type", "description"} <= set(variable.attributes)
    assert re.search(rf"\bvar\.{name}\b", elsewhere)


def test_every_output_is_described() -> None:
    """Each says what it is."""
    outputs = [one for one in blocks_in(TERRAFORM) if one.kind == "output"]

    assert outputs
    assert [one.labels[0] for one in outputs if "description" not in one.attributes] == []


def test_versions_are_asked_for_in_one_place() -> None:
    """An example takes those of the module."""
    asking = [file for file in FILES if "required_version" in file.read_text()]

    assert asking == [TERRAFORM / "versions.tf"]


def test_each_reference_that_replaces_a_resource_is_one_that_terraform_accepts() -> None:
    """Terraform accepts each.key, count.index or a constant as the key, and nothing else.

    (hashicorp/terraform v1.11.4, internal/configs/resource.go, decodeReplaceTriggeredBy, read
    2026-11)
    """
    references = [
        reference
        for resource in blocks_in(TERRAFORM)
        for lifecycle in resource.inner("lifecycle")
        if "replace_triggered_by" in lifecycle.attributes
        for reference in names_in(lifecycle.attributes["replace_triggered_by"])
    ]
    accepted = re.compile(r'\w+\.\w+(\[(each\.key|count\.index|\d+|"[^"$]*")\])?(\.\w+)*')

    assert references
    assert [one for one in references if not accepted.fullmatch(one)] == []
