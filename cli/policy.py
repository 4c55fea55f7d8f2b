"""`rollback policy`: policy files, before they are deployed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.wired import NO
from shared import policy_file
from shared.errors import BadConfiguration

policy = typer.Typer(help="Policy files.", no_args_is_help=True)


@policy.command()
def check(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="policy files")],
) -> None:
    """Print every fault of the files, as file:line: message; exit 1 when there is any."""
    try:
        policy_file.load_files(files)
    except BadConfiguration as error:
        for fault in error.faults:
            print(fault)
        raise typer.Exit(NO) from error
