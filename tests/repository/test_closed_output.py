"""Who reads only the first lines of an output, as `head` does, gets no traceback."""

import os
import subprocess
import sys

import pytest

from tests.support.cli.documented_commands import ROOT


@pytest.mark.parametrize(
    "line",
    [("cli", "--help"), ("cli", "policy", "--help"), ("local.demo", "--policy", "policies/none.yaml")],
    ids=" ".join,
)
def test_a_closed_output_is_no_traceback(line: tuple[str, ...]) -> None:
    """The program ends, and says nothing."""
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(  # noqa: S603 - our own
            [sys.executable, "-m", *line],
            cwd=ROOT,
            stdout=writing,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
        )
    finally:
        os.close(writing)

    assert (done.returncode, done.stderr) == (1, "")
