"""In which order an apply makes things in a project where nothing is switched on yet."""

import re

import pytest

from tests.terraform.conftest import TERRAFORM

RESOURCES = {
    f"{kind}.{name}": body
    for file in sorted(TERRAFORM.glob("*.tf"))
    for kind, name, body in re.findall(
        r'^resource "(\w+)" "(\w+)" \{\n(.*?)^\}\n', file.read_text(), re.DOTALL | re.MULTILINE
    )
}
"""What is made, by its address, as written."""
OPERATIONS, OTHERS = "google_project_service.operations", "google_project_service.others"
FIRST = {OPERATIONS, OTHERS, "google_project_service.budget"}
THERE_BEFORE = {"google_firestore_database.applications"}
"""Imported, never made."""


def awaited(address: str) -> set[str]:
    """What stands there before a resource is made: all that it names, and what those name."""
    found: set[str] = set()
    waiting = [address]
    while waiting:
        named = {*re.findall(r"(?<!data\.)\b\w+\.\w+\b", RESOURCES[waiting.pop()])}
        new = (named & RESOURCES.keys()) - found
        found |= new
        waiting += new
    return found


@pytest.mark.parametrize("address", sorted(RESOURCES.keys() - FIRST - THERE_BEFORE))
def test_nothing_is_made_before_its_api_is_on(address: str) -> None:
    """One apply does it, also in an empty project: where operations and application are one, too.

    What may lie in an application's project waits for the APIs of both, as does what is granted to
    an agent of it.
    """
    where = r"^  project +=.*\beach\.|\$\{each\.value\.project\}|service-\$\{data.*\beach\."
    elsewhere = re.search(where, RESOURCES[address], re.MULTILINE)

    switched_on = awaited(address) & FIRST

    assert switched_on
    assert not elsewhere or {OPERATIONS, OTHERS} <= switched_on
