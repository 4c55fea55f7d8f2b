"""The exit codes of every command and the function that leaves with one."""

from __future__ import annotations

import typer

from shared.core.redaction import redact_secrets

REFUSED = 1


INVALID_USAGE = 2


NO_ANSWER = 3


INTERRUPTED = 130


def create_exit(code: int, why: str) -> typer.Exit:
    """What ends a verb, once the sentence stands on standard error; it repeats no secret."""
    typer.echo(redact_secrets(why), err=True)
    return typer.Exit(code)
