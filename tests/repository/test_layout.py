"""What the layout of the repository promises; the import contracts are in pyproject.toml."""

import ast
import json
import re
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import jsonschema_rs
import pytest
from packaging.utils import canonicalize_name

from shared.core import topics
from tests.support.runtime.requirement_locks import read_locked_versions

ROOT = Path(__file__).parent.parent.parent
DEPLOYED = [
    ROOT / "main.py",
    *sorted(path for name in ("responders", "shared") for path in (ROOT / name).rglob("*.py")),
]
"""What a function is deployed with."""
RESPONDERS = {
    topic.removeprefix("rollback-"): topic
    for topic in topics.ALL_TOPICS
    if topic != topics.DEAD_LETTERS  # a person replays them
}
"""Name to topic of everything that is triggered by one."""
SCHEMAS = sorted(
    path for folder in ("policies", "responders", "shared") for path in (ROOT / folder).rglob("*.schema.json")
)

IMPORT_ALL = """
import importlib, sys, threading
before = set(sys.modules)  # functions-framework's .pth file puts `google` there by itself
for module in sys.argv[1:]:
    importlib.import_module(module)
print(*sorted({name.partition(".")[0] for name in set(sys.modules) - before}))
print(threading.active_count())
"""
IMPORT_OF_TESTS = re.compile(
    r"^\s*(?:(?:from|import) tests\.(?:\w+\.)*|from tests[\w.]* import (?:\([^)]*|.*))\btest_", re.MULTILINE
)
"""An import from a file of tests; parsing each file takes much longer."""
HEAVY = {"google", "grpc", "firebase_admin", "flask", "functions_framework"}
"""Imported for the first message that needs them, if ever."""


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), str(path))


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imported(path: Path) -> set[str]:
    """The modules that a file names in its imports, wherever they stand."""
    found: set[str] = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            found.update(name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            found.update(f"{node.module}.{name.name}" for name in node.names)
    return found


def entry_points() -> dict[str, str]:
    """Docstring by name of the functions in main.py that a trigger calls."""
    functions = [node for node in tree(ROOT / "main.py").body if isinstance(node, ast.FunctionDef)]
    return {
        function.name: ast.get_docstring(function) or ""
        for function in functions
        if function.name.startswith("on_")
    }


def entry_point(name: str) -> str:
    """`alerts` is answered by `on_alert`, `work` by `on_work`."""
    return f"on_{name.removesuffix('s')}"


def classes(path: Path) -> set[str]:
    return {node.name for node in tree(path).body if isinstance(node, ast.ClassDef)}


def reads_environment(path: Path) -> bool:
    if not re.search(r"environ|getenv", path.read_text()):
        return False  # parsing takes much longer
    named = {node.attr for node in ast.walk(tree(path)) if isinstance(node, ast.Attribute)}
    named |= {module.removeprefix("os.") for module in imported(path)}
    return bool(named & {"environ", "environb", "getenv"})


@pytest.mark.parametrize("name", RESPONDERS)
def test_a_topic_has_a_responder_of_its_name(name: str) -> None:
    """One name, several places: topic, module, class, entry point and tests."""
    assert f"{name.capitalize()}Trigger" in classes(ROOT / "responders/triggers" / f"{name}.py")
    assert entry_point(name) in entry_points()
    assert (ROOT / "tests/responders/triggers" / f"test_{name}.py").is_file()


def test_nothing_is_triggered_without_a_topic() -> None:
    """An entry point of no topic would never be called."""
    assert set(entry_points()) == {entry_point(name) for name in RESPONDERS}


@pytest.mark.parametrize("package", ["responders", "shared"])
def test_the_map_of_a_package_names_each_folder_once(package: str) -> None:
    """The docstring of a package lists its folders."""
    folder = ROOT / package
    there = {path.parent.name for path in folder.glob("*/__init__.py")}
    listed = re.findall(r"^(\w+)/ ", ast.get_docstring(tree(folder / "__init__.py")) or "", re.MULTILINE)
    assert sorted(listed) == sorted(there)


@pytest.mark.parametrize("name", RESPONDERS)
def test_an_entry_point_says_when_it_runs_and_what_running_twice_does(name: str) -> None:
    """Its docstring names its topic as the trigger, and what a redelivery does."""
    docstring = entry_points()[entry_point(name)]
    assert re.search(rf"Trigger: push from {RESPONDERS[name]}\b", docstring)
    assert "redelivery" in docstring


def test_main_leaves_google_to_the_wiring() -> None:
    """main.py is no package, so the import contracts do not see it."""
    forbidden = ("google", "grpc", "firebase_admin", "shared.adapters.gcp", "local", "cli")
    crossing = {
        module
        for module in imported(ROOT / "main.py")
        if module in forbidden or module.startswith(tuple(f"{name}." for name in forbidden))
    }
    assert crossing == set()


def test_the_environment_is_read_at_the_edge_alone() -> None:
    """Only main.py, cli and local read it; everybody else is given what was read."""
    assert [path for path in DEPLOYED if reads_environment(path)] == [ROOT / "main.py"]


def test_what_several_test_files_play_in_is_a_scene_of_its_own() -> None:
    """Nobody has to look for a scene in a file of tests."""
    found = {
        path.relative_to(ROOT).as_posix(): line[0]
        for folder in ("benchmarks", "tests")
        for path in (ROOT / folder).rglob("*.py")
        if (line := IMPORT_OF_TESTS.search(path.read_text()))
    }
    assert found == {}


@pytest.mark.parametrize(
    "text",
    [
        "from tests.system.test_speed import run",
        "    import tests.system.test_speed",
        "from tests.system import test_speed",
        "from tests.system import (\n    conftest,\n    test_speed,\n)",
    ],
)
def test_an_import_of_a_file_of_tests_is_found(text: str) -> None:
    """Each form of an import statement."""
    assert IMPORT_OF_TESTS.search(text)


def test_importing_everything_does_nothing() -> None:
    """No client, framework or thread is there before the first message asks for it."""
    outside_gcp = [module_name(path) for path in DEPLOYED if "gcp" not in path.parts]
    done = subprocess.run(  # noqa: S603 - our own interpreter and modules
        [sys.executable, "-c", IMPORT_ALL, *outside_gcp],
        cwd=ROOT,
        env={},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    loaded, threads = done.stdout.splitlines()
    assert "shared" in loaded.split()
    assert set(loaded.split()) & HEAVY == set()
    assert threads == "1"


def test_the_functions_run_without_the_tools_of_development() -> None:
    """Nothing that is deployed imports what only requirements-dev.txt installs."""
    providers = packages_distributions()
    used = {
        canonicalize_name(provider)
        for path in DEPLOYED
        for module in imported(path)
        for provider in providers.get(module.partition(".")[0], [])
    }
    deployed, all_of_it = (read_locked_versions(name).keys() for name in ("requirements", "requirements-dev"))
    assert {"msgspec", "httpx"} <= used & deployed  # the look-up works
    assert used & (all_of_it - deployed) == set()


@pytest.mark.parametrize("path", SCHEMAS, ids=lambda path: path.name)
def test_a_schema_is_one(path: Path) -> None:
    """Every schema file is JSON and a valid schema of its draft."""
    assert jsonschema_rs.meta.is_valid(json.loads(path.read_text()))


def test_schemas_are_found() -> None:
    """The table above is not empty by a wrong path."""
    assert "policy.schema.json" in [path.name for path in SCHEMAS]
