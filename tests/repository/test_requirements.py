"""The locks are what the .in files ask for, and what these tests run with.

Without a package index: what an installed distribution requires stands in its metadata. `.ci/run`
asks the resolver itself (`scripts/lock --check`).
"""

import re
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, requires, version

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support.runtime.requirement_locks import ROOT, read_locked_versions

NAMES = ("requirements", "requirements-dev", "requirements-checkov")
ENTRY = re.compile(
    r"(?m)^(?P<pin>[a-z0-9-]+==[^ ]+)( ; .*)? "
    r"(?P<hashes>(\\\n    --hash=sha256:[0-9a-f]{64} ?)+)$"
)


def locked(name: str) -> dict[str, str]:
    """Return the hashes of a lock by distribution and version."""
    text = (ROOT / f"{name}.txt").read_text()
    return {match["pin"]: match["hashes"] for match in ENTRY.finditer(text)}


def direct(name: str) -> Iterator[Requirement]:
    """Yield what a .in file asks for, and the .in file that it names."""
    for line in (ROOT / f"{name}.in").read_text().splitlines():
        asked = line.partition(" #")[0]
        if asked.startswith("-r "):
            yield from direct(asked.removeprefix("-r ").removesuffix(".in"))
        elif asked and not asked.startswith(("#", "-c ")):
            yield Requirement(asked)


def reached(asked: Iterator[Requirement]) -> dict[str, list[Requirement]]:
    """Return by installed distribution what is required of it here, by the asked or their needs."""
    found: dict[str, list[Requirement]] = {}
    seen: set[tuple[str, str]] = set()
    waiting = [(one, "") for one in asked]
    while waiting:
        one, extra = waiting.pop()
        if one.marker is not None and not one.marker.evaluate({"extra": extra}):
            continue
        name = canonicalize_name(one.name)
        found.setdefault(name, []).append(one)
        for wanted in {"", *one.extras} - {extra for other, extra in seen if other == name}:
            seen.add((name, wanted))
            waiting += [(Requirement(need), wanted) for need in requires(name) or ()]
    return found


def faults(asked: Iterator[Requirement], lock: Mapping[str, str]) -> list[str]:
    """Return how a lock (version by name) and what is asked for disagree."""
    try:
        needed = reached(asked)
    except PackageNotFoundError as missing:
        return [f"{missing.name} is asked for and not installed"]
    return [
        *(f"{name} is needed and not locked" for name in sorted(needed.keys() - lock.keys())),
        *(f"{name} is locked and not needed" for name in sorted(lock.keys() - needed.keys())),
        *(
            f"{name} {lock[name]} is locked, which {one} excludes"
            for name, all_of_it in needed.items()
            for one in all_of_it
            if name in lock and not one.specifier.contains(lock[name], prereleases=True)
        ),
    ]


@pytest.mark.parametrize("name", NAMES)
def test_each_line_of_a_lock_has_a_version_and_hashes(name: str) -> None:
    """One hash makes pip ask for all; a lock names no package index."""
    text = (ROOT / f"{name}.txt").read_text()

    assert locked(name)
    assert re.sub(r"(?m)^ *#.*\n", "", ENTRY.sub("", text)).strip() == ""


@pytest.mark.parametrize("name", ["requirements", "requirements-dev"])
def test_a_lock_is_what_its_in_file_asks_for(name: str) -> None:
    """Each need of a need is locked in a version that satisfies it, and nothing else is."""
    assert faults(direct(name), read_locked_versions(name)) == []


def test_checkov_is_locked() -> None:
    """It is not installed beside the tests: only its own line can be compared here."""
    [asked] = direct("requirements-checkov")

    assert str(asked) in locked("requirements-checkov")


def test_the_two_locks_agree() -> None:
    """The tests run with what the functions run with."""
    development = locked("requirements-dev")
    apart = {one: hashes for one, hashes in locked("requirements").items() if development.get(one) != hashes}

    assert apart == {}


def test_the_locked_versions_are_installed() -> None:
    """These tests run with the versions of the lock."""
    stated = read_locked_versions("requirements-dev")

    assert stated == {name: version(name) for name in stated}


@pytest.mark.parametrize(
    ("asked", "lock", "fault"),
    [
        ("mdurl", {}, "mdurl is needed and not locked"),
        ("mdurl", {"mdurl": "0.1", "rich": "15"}, "rich is locked and not needed"),
        ("mdurl>=0.2", {"mdurl": "0.1"}, "mdurl 0.1 is locked, which mdurl>=0.2 excludes"),
        ("markdown-it-py", {"markdown-it-py": "4.3.0"}, "mdurl is needed and not locked"),
        ("no-such-thing", {}, "no-such-thing is asked for and not installed"),
        ('no-such-thing ; sys_platform == "none"', {}, None),
    ],
)
def test_how_a_lock_and_its_in_file_disagree(asked: str, lock: dict[str, str], fault: str | None) -> None:
    """A line that was added, taken out or changed without `make lock` is named."""
    assert faults(iter([Requirement(asked)]), lock) == ([] if fault is None else [fault])
