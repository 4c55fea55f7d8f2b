"""Scripts that run Terraform, with a Terraform that only says what it was asked."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.terraform.conftest import EXAMPLES, TERRAFORM

SCRIPTS = TERRAFORM.parent / "scripts"
NAMES = ("terraform-test", "apply-test")
STAND_IN = """\
#!/bin/sh
[ "$1" = version ] && {{ echo "Terraform v{version}"; exit 0; }}
[ "$1" = fmt ] && {{ echo "asked: fmt"; exit {fmt}; }}
echo "asked: $2 $1"
[ "$2" = init ] && {{ echo "{said}"; exit {init}; }}
[ "$2" = validate ] && exit {validate}
[ "$2" = test ] && exit {test}
exit 0
"""
NO_PROVIDERS = "Error: Failed to query available provider packages"
NOT_RUN = [({"version": "1.8.5"}, "1.9 is needed"), ({"init": 1, "said": NO_PROVIDERS}, "cannot be")]


def run(
    folder: Path, how: dict[str, object], required: str = "", python: str = "echo", name: str = NAMES[0]
) -> subprocess.CompletedProcess[str]:
    """A script, where a Terraform answers so."""
    binary = folder / "terraform"
    answers = {"version": "1.13.0", "said": "", "fmt": 0, "init": 0, "validate": 0, "test": 0}
    binary.write_text(STAND_IN.format(**{**answers, **how}))
    binary.chmod(0o755)
    return started(str(binary), required, python, name=name)


def started(
    binary: str,
    required: str = "",
    python: str = "echo",
    path: str = os.environ["PATH"],
    name: str = NAMES[0],
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - our own script
        [SCRIPTS / name],
        env={
            **os.environ,
            "PATH": path,
            "PYTHON": python,
            "TERRAFORM": binary,
            "TERRAFORM_REQUIRED": required,
        },
        capture_output=True,
        text=True,
        check=False,
    )


def test_with_a_terraform_all_is_checked(tmp_path: Path) -> None:
    """The format of all files, each example and the module; its tests; last the plans."""
    done = run(tmp_path, {})

    folders = [*(f"terraform/examples/{one}/" for one in EXAMPLES), "terraform"]
    assert done.returncode == 0
    assert done.stdout.splitlines() == [
        "asked: fmt",
        *(f"asked: validate -chdir={folder}" for folder in folders),
        "asked: test -chdir=terraform",
        "-m tests.terraform.plans",
    ]


@pytest.mark.parametrize(("on_path", "asked"), [(["terraform", "tofu"], "terraform"), (["tofu"], "tofu")])
def test_without_a_terraform_on_path_it_takes_tofu(on_path: list[str], asked: str, tmp_path: Path) -> None:
    """OpenTofu is asked where nothing else is there, and nobody named a binary."""
    for name in on_path:
        binary = tmp_path / name
        binary.write_text(
            f'#!/bin/sh\n[ "$1" = version ] && echo "{name.title()} v1.13.0"\necho "{name}: $*"\n'
        )
        binary.chmod(0o755)

    done = started("", path=f"{tmp_path}:/usr/bin:/bin")

    said = {line.partition(":")[0] for line in done.stdout.splitlines() if ": " in line}
    assert (done.returncode, said) == (0, {asked})


def test_what_is_wrong_with_a_plan_fails(tmp_path: Path) -> None:
    """As Python says it."""
    assert run(tmp_path, {}).returncode == 0
    assert run(tmp_path, {}, python="false").returncode == 1


def test_with_a_terraform_the_smallest_example_is_applied(tmp_path: Path) -> None:
    """Once its providers can be installed."""
    done = run(tmp_path, {}, name="apply-test")

    assert done.returncode == 0
    assert done.stdout.splitlines() == ["-m tests.terraform.applies minimal"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("how", "why"), NOT_RUN)
def test_where_it_cannot_be_run_it_says_why(
    how: dict[str, object], why: str, name: str, tmp_path: Path
) -> None:
    """In one line, and nothing fails."""
    done = run(tmp_path, how, name=name)

    assert (done.returncode, done.stderr) == (0, "")
    [line] = [line for line in done.stdout.splitlines() if not line.startswith("asked: ")]
    assert line.startswith(f"{name}: skipped, because ")
    assert why in line


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("how", "why"), NOT_RUN)
def test_where_it_is_required_it_is_never_skipped(
    how: dict[str, object], why: str, name: str, tmp_path: Path
) -> None:
    """It fails with the reason, and with what Terraform said."""
    done = run(tmp_path, how, required="1", name=name)

    assert done.returncode == 1
    assert "skipped" not in done.stdout
    *output, last = done.stderr.splitlines()
    assert last.startswith(f"{name}: failed, because TERRAFORM_REQUIRED is set and ")
    assert why in last
    assert str(how.get("said", "")) in "\n".join(output)


@pytest.mark.parametrize(("required", "code"), [("", 0), ("1", 1)])
def test_without_a_terraform_it_says_so(required: str, code: int, tmp_path: Path) -> None:
    """As on most machines that only change Python; where it is required, it fails."""
    done = started(str(tmp_path / "absent"), required)

    assert (done.returncode, "there is no " in done.stdout + done.stderr) == (code, True)


@pytest.mark.parametrize(
    "how", [{"fmt": 3}, {"validate": 1}, {"test": 1}, {"init": 1, "said": "Error: Unsupported argument"}]
)
def test_what_is_wrong_is_not_skipped(how: dict[str, object], tmp_path: Path) -> None:
    """A mistake of ours is no missing provider."""
    done = run(tmp_path, how)

    assert done.returncode != 0
    assert "skipped" not in done.stdout
