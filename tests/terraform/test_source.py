import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.terraform.conftest import TERRAFORM
from tests.terraform.entry_points import source_files
from tests.terraform.evaluator.evaluator import evaluated

ROOT = TERRAFORM.parent
STAND_IN = """\
variable "labels" { type = map(string) }
variable "operations_project" { type = string }
variable "policies" { type = set(string) }
variable "region" { type = string }
variable "templates" { type = list(string) }
locals { repository = "${path.module}/.." }
"""


def checkout(folder: Path) -> Path:
    """What the zip is made of, where nothing else lies."""
    for name in ("responders", "shared", "policies"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("main.py", "requirements.txt"):
        shutil.copy(ROOT / name, folder)
    (folder / "terraform").mkdir()
    shutil.copy(TERRAFORM / "source.tf", folder / "terraform")
    (folder / "terraform" / "stand_in.tf").write_text(STAND_IN)
    return folder


def made(folder: Path) -> tuple[bytes, str]:
    """The zip of a checkout, and the name that its object gets."""
    variables = {
        "labels": {},
        "operations_project": "operations",
        "policies": [str(folder / "policies" / "cvplus.yaml")],
        "region": "us-east1",
        "templates": [],
    }
    configuration = evaluated(folder / "terraform", variables)
    archive = folder / "source.zip"
    subprocess.run(  # noqa: S603 - our own script
        [sys.executable, TERRAFORM / "package_source.py", archive],
        env={"SOURCE_FILES": json.dumps(source_files(configuration))},
        check=True,
    )
    return archive.read_bytes(), configuration.named("google_storage_bucket_object.source").values["name"]


def touched(folder: Path) -> None:
    """Every file is from another day."""
    for file in folder.rglob("*"):
        os.utime(file, (1_000_000_000, 1_000_000_000))


def littered(folder: Path) -> None:
    """Python, editors, tests and secrets have left something everywhere."""
    for name in (
        "responders/__pycache__/work.cpython-311.pyc",
        "shared/adapters/gcp/__pycache__/store.cpython-311.pyc",
        "shared/.env",
        "responders/triggers/work.py.orig",
        "tests/responders/triggers/test_work.py",
        "cli/app.py",
        "policies/other.yaml",
        "README.md",
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("x = 1")


def edited(folder: Path) -> None:
    """One line of a responder is new."""
    with (folder / "responders" / "work.py").open("a") as file:
        file.write("# edited\n")


def promoted(folder: Path) -> None:
    """One line of the policy is new."""
    with (folder / "policies" / "cvplus.yaml").open("a") as file:
        file.write("# edited\n")


@pytest.mark.parametrize("change", [touched, littered])
def test_the_same_files_make_the_same_zip(change: Callable[[Path], None], tmp_path: Path) -> None:
    """Byte for byte, by the same name: an apply from another machine deploys nothing."""
    before = made(checkout(tmp_path / "here"))
    there = checkout(tmp_path / "there")

    change(there)

    assert made(there) == before


@pytest.mark.parametrize("change", [edited, promoted])
def test_another_file_makes_another_name(change: Callable[[Path], None], tmp_path: Path) -> None:
    """By which the functions get a new revision."""
    folder = checkout(tmp_path / "here")
    content, name = made(folder)

    change(folder)

    changed, renamed = made(folder)
    assert changed != content
    assert renamed != name
