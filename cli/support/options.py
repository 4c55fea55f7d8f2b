"""The options that name what a rollback or a drill is about."""

from typing import Annotated

import typer

from cli.support import completion

Groups = Annotated[
    list[str] | None,
    typer.Option(
        "--group",
        metavar="GROUP",
        help="only this group; may be repeated",
        autocompletion=completion.complete_groups,
    ),
]
Functions = Annotated[
    list[str] | None,
    typer.Option(
        "--function",
        metavar="NAME",
        help="only this function; may be repeated",
        autocompletion=completion.complete_functions,
    ),
]
Target = Annotated[
    str, typer.Option("--target", "--target-deployment", metavar="DEPLOYMENT", help="where to go back to")
]
Scenario = Annotated[
    str,
    typer.Option(
        metavar="WAY", help="which way back: functions, complete, auth, database (documents) or feature"
    ),
]

FUNCTIONS = "functions"
