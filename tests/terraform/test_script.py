"""scripts/terraform-test, with a Terraform that only says what it was asked."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.terraform.conftest import TERRAFORM

SCRIPT = TERRAFORM.parent / "scripts" / "terraform-test"
STAND_IN = """\
#!/bin/sh
[ "$1" = version ] && {{ echo "Terraform v{version}"; exit 0; }}
echo "asked: $2"
[ "$2" = init ] && {{ echo "{said}"; exit {init}; }}
[ "$2" = validate ] && exit {validate}
exit 0
"""


def run(folder: Path, **how: object) -> subprocess.CompletedProcess[str]:
    """The script, where a Terraform answers so."""
    binary = folder / "terraform"
    answers = {"version": "1.13.0", "said": "", "init": 0, "validate": 0, **how}
    binary.write_text(STAND_IN.format(**answers))
    binary.chmod(0o755)
    return started(str(binary))


def started(binary: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - our own script
        [SCRIPT],
        env={**os.environ, "TERRAFORM": binary},
        capture_output=True,
        text=True,
        check=False,
    )


def test_with_a_terraform_both_are_run(tmp_path: Path) -> None:
    """First what it needs, then validate, then test."""
    done = run(tmp_path)

    assert done.returncode == 0
    assert [line for line in done.stdout.splitlines() if "init" not in line] == [
        "asked: validate",
        "asked: test",
    ]


@pytest.mark.parametrize(
    ("how", "why"),
    [
        ({"version": "1.8.5"}, "1.9 is needed"),
        (
            {"init": 1, "said": "Error: Failed to query available provider packages"},
            "cannot be had",
        ),
    ],
)
def test_where_it_cannot_be_run_it_says_why(
    how: dict[str, object], why: str, tmp_path: Path
) -> None:
    """In one line, and nothing fails."""
    done = run(tmp_path, **how)

    assert done.returncode == 0
    [line] = done.stdout.splitlines()
    assert line.startswith("terraform validate and test: skipped")
    assert why in line


def test_without_a_terraform_it_says_so(tmp_path: Path) -> None:
    """As on most machines that only change Python."""
    done = started(str(tmp_path / "absent"))

    assert (done.returncode, "skipped, no " in done.stdout) == (0, True)


@pytest.mark.parametrize(
    "how", [{"validate": 1}, {"init": 1, "said": "Error: Unsupported argument"}]
)
def test_what_is_wrong_is_not_skipped(how: dict[str, object], tmp_path: Path) -> None:
    """A mistake of ours is no missing provider."""
    assert run(tmp_path, **how).returncode != 0
