"""Verbs of `rollback`, said over the embedded cloud."""

import json
from typing import Any

from typer.testing import CliRunner, Result

from cli.app import app


def run(*arguments: str, answers: str = "") -> Result:
    """The verb, said where nobody signs in: tests/cli/test_identity.py does."""
    return CliRunner().invoke(app, ["--without-sign-in", *arguments], input=answers)


def value(*arguments: str) -> Any:
    """What a verb prints for programs."""
    done = run(*arguments, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)
