"""The `rollback` command, verb by verb.

Exit codes: 0 done, 1 the answer is no (a faulty policy, a letter that
cannot be replayed), 2 the command was not understood.
"""

from __future__ import annotations

import typer

from cli.parse import parse
from cli.policy import policy
from cli.replay import replay

app = typer.Typer(
    help="Emergency rollback of Firebase applications.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
)
app.command()(parse)
app.command()(replay)
app.add_typer(policy, name="policy")
