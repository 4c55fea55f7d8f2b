"""`rollback policy`: policy files, before they are deployed."""

from pathlib import Path
from typing import Annotated

import typer

from cli.support.exit_codes import REFUSED
from cli.support.output import AsJson, print_json
from shared.core.errors import BadConfiguration
from shared.policy_files import loader

policy = typer.Typer(help="Policy files.", no_args_is_help=True)


@policy.command()
def check(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="policy files")],
    as_json: AsJson = False,
) -> None:
    """Print every fault of the files, as file:line: message; without any, every warning.

    Exit code 0 when there is no fault; 1 when there is any.
    """
    faults: tuple[str, ...] = ()
    warnings: list[str] = []
    try:
        policies = loader.load_policy_files(files)
        warnings = [one for policy in policies.values() for one in policy.warnings]
    except BadConfiguration as error:
        faults = error.faults
    if as_json:
        print_json({"faults": faults, "warnings": warnings})
    else:
        for line in (*faults, *warnings):
            print(line)
    if faults:
        raise typer.Exit(REFUSED)
