"""The exit codes of every command, and the function that creates an exit.

0   done; of what was followed: it ended well
1   refused, declined or failed; or faults were found
2   the command, the settings or the policies are not usable
3   no answer: a service could not be reached, refused us, or took too long
130 stopped by Ctrl-C; what was asked for goes on
"""

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
