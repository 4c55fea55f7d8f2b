"""The page about the architecture says what the tree and the imports say."""

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs" / "architecture.md").read_text()
TREE, LAYERS = re.findall(r"```\n(.*?)```", PAGE, flags=re.DOTALL)
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
WALKS = {
    name: lines
    for name, *lines in map(
        str.splitlines, PAGE.partition("## Walks\n")[2].partition("\n## ")[0].split("\n### ")[1:]
    )
}
PORT = re.compile(r"\d+\. port `(\S+)`, adapter `(\S+)`, wired in `(\S+)`")
MODULE = re.compile(r"(\d+\.|   -) `(\S+)`")
REGISTRIES = ("shared/ports/groups.py", "responders/triggers/registry.py")
"""Modules that list others: who imports one of them reaches all that it lists."""


def tree() -> Iterator[str]:
    """Return each path of the tree; the indentation gives its folder."""
    parents: list[str] = []
    for line in TREE.splitlines():
        names = line.strip().partition("  ")[0].split()
        del parents[(len(line) - len(line.lstrip())) // 2 :]
        yield from ("/".join([*parents, name.rstrip("/")]) for name in names)
        parents.append(names[-1].rstrip("/"))


def imported(path: str) -> set[str]:
    """Return the modules that a file imports, as dotted names."""
    nodes = [*ast.walk(ast.parse((ROOT / path).read_text()))]
    plain = {name.name for node in nodes if isinstance(node, ast.Import) for name in node.names}
    sources = [node for node in nodes if isinstance(node, ast.ImportFrom) and node.module]
    parts = {f"{node.module}.{name.name}" for node in sources for name in node.names}
    return plain | {str(node.module) for node in sources} | parts


def imports(importer: str, path: str) -> bool:
    """Return whether a module imports another one, itself or through a registry."""
    known = imported(importer)
    for registry in REGISTRIES:
        if registry.removesuffix(".py").replace("/", ".") in known:
            known |= imported(registry)
    return path.removesuffix(".py").replace("/", ".") in known


def claims(lines: list[str]) -> Iterator[tuple[str, str]]:
    """Return the imports that a walk claims: of the next line, of a bullet, of a wiring."""
    above = ""
    for line in lines:
        if port := PORT.match(line):
            yield from ((above, port[1]), (port[3], port[1]), (port[3], port[2]))
            above = port[2]
        elif module := MODULE.match(line):
            if above:
                yield above, module[2]
            if module[1] != "   -":
                above = module[2]
        else:
            raise AssertionError(f"neither a module nor a port: {line}")


def test_each_path_of_the_page_exists() -> None:
    """A path is quoted, and has a slash or a suffix."""
    quoted = {path for path in re.findall(r"`([\w./-]+)`", PAGE) if "/" in path or path[-3:] == ".py"}

    assert len(quoted) > 100
    assert [path for path in sorted({*quoted, *tree()}) if not (ROOT / path).exists()] == []


def test_the_tree_names_each_folder_and_each_trigger() -> None:
    """Two levels of the product, and what lies beside it."""
    folders = [
        path.parent.relative_to(ROOT)
        for name in ("cli", "local", "responders", "shared")
        for path in (ROOT / name).rglob("__init__.py")
    ]
    triggers = {path.relative_to(ROOT) for path in (ROOT / "responders/triggers").glob("[a-z]*.py")}
    beside = {path.parent.relative_to(ROOT) for path in ROOT.glob("[a-z]*/__init__.py")}
    named = set(map(Path, tree()))

    assert {path for path in folders if len(path.parts) <= 3} | triggers | beside <= named


def test_the_picture_of_the_layers_is_the_contract() -> None:
    """The order of the lines, and every contract by its name."""
    [layers] = [one["layers"] for one in CONTRACTS if one["type"] == "layers"]

    assert LAYERS.splitlines() == layers
    assert [one["name"] for one in CONTRACTS if f"**{one['name']}**" not in PAGE] == []


def test_there_is_a_walk_for_each_trigger() -> None:
    """And each begins where a request arrives."""
    begun = {lines[1].partition("`")[2].partition("`")[0] for lines in WALKS.values()}
    triggers = {
        f"responders/triggers/{path.name}"
        for path in (ROOT / "responders/triggers").glob("[a-z]*.py")
        if path.stem != "registry"
    }

    assert begun == triggers
    assert {lines[0][:11] for lines in WALKS.values()} == {"1. `main.py"}


@pytest.mark.parametrize("walk", WALKS)
def test_each_walk_follows_the_imports(walk: str) -> None:
    """Each module imports the next one; a wiring imports both the port and its adapter."""
    claimed = [*claims(WALKS[walk])]

    assert len(claimed) >= 5
    assert [pair for pair in claimed if not imports(*pair)] == []
