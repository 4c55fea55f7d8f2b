"""The exit codes of every command, and the function that creates an exit.

0   done; or the followed rollback ended well
1   refused, declined or failed; or faults were found
2   invalid command, settings or policies
3   no answer: a service could not be reached, denied access, or took too long
130 stopped by Ctrl-C; a command that was sent goes on
"""

from collections.abc import Iterator
from contextlib import contextmanager

import typer

from shared.core.redaction import redact_secrets

REFUSED = 1
INVALID_USAGE = 2
NO_ANSWER = 3
INTERRUPTED = 130


def create_exit(code: int, why: str) -> typer.Exit:
    """Print the sentence to standard error without secrets, and return the exit of the command."""
    typer.echo(redact_secrets(why), err=True)
    return typer.Exit(code)


@contextmanager
def exit_on(kind: type[Exception], code: int, before: str = "") -> Iterator[None]:
    """Exit where the body raises an error of that kind, with `before` and its text."""
    try:
        yield
    except kind as error:
        raise create_exit(code, f"{before}{error}") from error
