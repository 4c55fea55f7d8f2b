"""`docs/runbook.md`: each line of the runbook beside a test, a command or a decision."""

import ast
import json
import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer

from cli.app import app
from tests.support.cli.documented_commands import ROOT
from tests.support.runtime.world import POLICIES

PAGE = ROOT / "docs" / "runbook.md"
ROWS = [
    [cell.strip() for cell in line.strip("|").split(" | ")]
    for line in PAGE.read_text().splitlines()
    if line.startswith("| ") and not line.startswith("| line |")
]
"""Line, proof, and what differs."""
PROOFS = re.compile(r"`([^`]+)`|\[\d{4}\]\((decisions/[\w-]+\.md)\)")
NOT_YET = re.compile(r"Not yet: [^.]+(?:\.\w[^.]*)*\.$")
"""The sentence at the end of what differs; a key has dots."""
SCHEMA = json.loads((POLICIES / "policy.schema.json").read_text())
KEYS = {key for row in ROWS for key in re.findall(r"`([a-z_]+(?:\.[\w-]+)+)(?:: [^`]+)?`", row[2])}


@cache
def defined_tests(path: str) -> set[str]:
    """Return the names of the tests of a file."""
    found = ast.parse((ROOT / path).read_text()).body
    return {one.name for one in found if isinstance(one, ast.FunctionDef) and one.name.startswith("test_")}


def is_there(code: str, decision: str) -> bool:
    """Return whether a test, a command, a target of make, or a decision page exists."""
    if decision:
        return (PAGE.parent / decision).is_file()
    path, _, name = code.partition("::")
    if name:
        return (ROOT / path).is_file() and name in defined_tests(path)
    program, *words = shlex.split(code)
    if program == "make":
        return f"\n{words[0]}:" in (ROOT / "Makefile").read_text()
    command: Any = typer.main.get_command(app)
    while words and words[0] in getattr(command, "commands", {}):
        command = command.commands[words.pop(0)]
    if program != "rollback" or hasattr(command, "commands"):  # of no verb of its group
        return False
    return bool(command.make_context(code, words))


def has_policy_key(key: str) -> bool:
    """Return whether the schema of policies has a key, whatever the owner calls its parts."""
    part = SCHEMA
    for name in key.split("."):
        part = next((one for one in part.get("anyOf", []) if "$ref" in one), part)
        while "$ref" in part:
            part = SCHEMA["$defs"][part["$ref"].rpartition("/")[2]]
        part = part.get("properties", {}).get(name, part.get("additionalProperties"))
        if not isinstance(part, dict):
            return False
    return True


def test_no_row_of_the_page_is_empty() -> None:
    """Line, proof and difference are written; what does not hold yet is one sentence."""
    assert len(ROWS) > 190
    for line, proof, differs in ROWS:
        assert line
        assert all(PROOFS.fullmatch(one) for one in proof.split("<br>")), line
        assert differs
        assert "Not yet" not in differs or NOT_YET.search(differs), line


def runbook_lines() -> Iterator[str]:
    """Yield each line of the runbook that states something: no heading, comment, brace or label."""
    text = (Path(__file__).parent / "runbook.md").read_text()
    for line in map(str.strip, re.sub(r"(?s)<!--.*?-->", "", text).splitlines()):
        is_table_head = line.startswith(("| Level", "|--"))
        is_frame = line.startswith(("#", "//", "```", "---", "const ")) or line.endswith(("{", "[", ":**"))
        if words_of(line) and not is_frame and not is_table_head:
            yield line.partition(" // ")[0]


def words_of(line: str) -> set[str]:
    """Return the words and numbers of a line, without its marks."""
    return {*re.findall(r"[a-z0-9][a-z0-9%./_-]*", line.lower().replace("**", ""))}


@pytest.mark.parametrize("line", [*runbook_lines()])
def test_each_line_of_the_runbook_has_its_row(line: str) -> None:
    """With all its words; of a sentence, a row may leave out its beginning."""
    stated = {one.rstrip(".") for one in words_of(line)}
    rows = [{one.rstrip(".") for one in words_of(row[0])} for row in ROWS]

    assert [row for row in rows if stated <= row or (len(row) > 4 and row <= stated)]


@pytest.mark.parametrize("line", sorted({row[1] for row in ROWS}))
def test_each_proof_of_the_runbook_is_there(line: str) -> None:
    """The test is collected by that name, the command is understood, the decision is a page."""
    named = PROOFS.findall(line)

    assert [one for one in named if not is_there(*one)] == []


@pytest.mark.parametrize("key", sorted(KEYS))
def test_each_policy_key_of_the_runbook_is_one(key: str) -> None:
    """The schema of the policies admits it."""
    assert has_policy_key(key)


@pytest.mark.parametrize(
    ("code", "decision"),
    [
        ("tests/repository/docs/test_docs_runbook.py::test_nothing", ""),
        ("tests/repository/test_nothing.py::test_nothing", ""),
        ("rollback nothing", ""),
        ("make nothing", ""),
        ("", "decisions/0000-nothing.md"),
    ],
)
def test_a_proof_that_is_not_there_is_found(code: str, decision: str) -> None:
    """Of each kind."""
    assert not is_there(code, decision)


def test_a_key_that_no_policy_has_is_found() -> None:
    """Also below a section that there is."""
    assert not has_policy_key("execution.watches")
    assert not has_policy_key("nothing.here")
