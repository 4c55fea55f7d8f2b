from __future__ import annotations

import re
from pathlib import Path

import pygohcl
import pytest

from tests.terraform.blocks import blocks_in
from tests.terraform.conftest import EXAMPLES, TERRAFORM

FILES = sorted(
    file
    for pattern in ("*.tf", "*.tftest.hcl")
    for file in TERRAFORM.rglob(pattern)
    if ".terraform" not in file.parts
)
VARIABLES = {one.labels[0]: one for one in blocks_in(TERRAFORM) if one.kind == "variable"}


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(TERRAFORM)))
def test_every_file_is_terraform(file: Path) -> None:
    """HashiCorp's own parser takes it."""
    assert pygohcl.loads(file.read_text())


@pytest.mark.parametrize("name", VARIABLES)
def test_every_variable_is_typed_described_and_used(name: str) -> None:
    """Nobody has to guess what it takes, and none does nothing."""
    variable = VARIABLES[name]
    elsewhere = "".join(
        file.read_text() for file in FILES if not file.name.endswith("variables.tf")
    )

    assert {"type", "description"} <= set(variable.attributes)
    assert re.search(rf"\bvar\.{name}\b", elsewhere)


def test_every_output_is_described() -> None:
    """Each says what it is."""
    outputs = [one for one in blocks_in(TERRAFORM) if one.kind == "output"]

    assert outputs
    assert [one.labels[0] for one in outputs if "description" not in one.attributes] == []


def test_every_folder_asks_for_the_same_versions() -> None:
    """An example pins what the module pins."""
    own = (TERRAFORM / "versions.tf").read_text()
    wanted = set(re.findall(r'version += "(.*)"', own))

    for example in EXAMPLES:
        said = (TERRAFORM / "examples" / example / "versions.tf").read_text()
        assert set(re.findall(r'version += "(.*)"', said)) == wanted
