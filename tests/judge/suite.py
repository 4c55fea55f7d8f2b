"""Google's own system tests, fetched with the source of their client and run from a cache."""

import os
import re
import subprocess
import sys
import tarfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

CACHE = Path(__file__).resolve().parents[2] / "build" / "judge"
"""Ignored by git: nothing of Google's tests is kept with the project."""

RUN_LIMIT_SECONDS = 600


@dataclass(frozen=True)
class Verdict:
    """How a run of a suite went: tests by id, and what the suite itself left out."""

    passed: frozenset[str]
    failed: frozenset[str]
    skipped: Mapping[str, int]
    """How many tests for each reason."""

    def __str__(self) -> str:
        left_out = sum(self.skipped.values())
        counts = f"{len(self.passed)} passed, {len(self.failed)} failed, {left_out} skipped"
        reasons = (f"  skipped {times}: {reason}" for reason, times in sorted(self.skipped.items()))
        return "\n".join([counts, *(f"  failed {one}" for one in sorted(self.failed)), *reasons])


def fetch(package: str, version: str) -> Path:
    """The unpacked source distribution of a client, downloaded from the package index once.

    Raises: CalledProcessError when the index does not give it.
    """
    folder = CACHE / f"{package.replace('-', '_')}-{version}"
    if not folder.is_dir():
        CACHE.mkdir(parents=True, exist_ok=True)
        download = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        options = ["--no-binary", ":all:", "--dest", str(CACHE), f"{package}=={version}"]
        subprocess.run([*download, *options], check=True)  # noqa: S603 - arguments are ours
        with tarfile.open(CACHE / f"{folder.name}.tar.gz") as archive:
            archive.extractall(CACHE, filter="data")
    return folder


def run(folder: Path, arguments: Sequence[str], environment: Mapping[str, str]) -> Verdict:
    """Run pytest in a folder, with an empty configuration instead of ours; what it said.

    Raises: TimeoutExpired after ten minutes, RuntimeError when no test ran.
    """
    isolated = ["-c", os.devnull, "--rootdir", str(folder), "-p", "no:cacheprovider"]
    done = subprocess.run(  # noqa: S603 - arguments are ours
        [sys.executable, "-m", "pytest", *isolated, "-q", "--tb=no", "-rpfEs", *arguments],
        cwd=folder,
        env={**os.environ, **environment},
        timeout=RUN_LIMIT_SECONDS,
        capture_output=True,
        text=True,
        check=False,
    )
    verdict = read_summary(done.stdout)
    if not verdict.passed and not verdict.failed:
        raise RuntimeError(f"no test ran:\n{done.stdout}\n{done.stderr}")
    return verdict


def read_summary(output: str) -> Verdict:
    """The verdict in pytest's short summary; what broke outside a test's body counts as failed."""
    outcomes: dict[str, set[str]] = {"PASSED": set(), "FAILED": set(), "ERROR": set()}
    for outcome, name in re.findall(r"^(PASSED|FAILED|ERROR) (\S+)", output, re.MULTILINE):
        outcomes[outcome].add(name)
    failed = outcomes["FAILED"] | outcomes["ERROR"]
    skipped: Counter[str] = Counter()
    for times, reason in re.findall(r"^SKIPPED \[(\d+)\] [^:]+:(?:\d+:)? (.+)$", output, re.MULTILINE):
        skipped[reason] += int(times)
    return Verdict(frozenset(outcomes["PASSED"] - failed), frozenset(failed), skipped)
