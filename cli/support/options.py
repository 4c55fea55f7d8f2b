"""What an order or a drill is about: the options that both have, and what they say."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from cli.support import completion

Groups = Annotated[
    list[str] | None,
    typer.Option(
        "--group",
        metavar="GROUP",
        help="only this group; may be repeated",
        autocompletion=completion.groups,
    ),
]
Functions = Annotated[
    list[str] | None,
    typer.Option(
        "--function",
        metavar="NAME",
        help="only this function; may be repeated",
        autocompletion=completion.functions,
    ),
]
Target = Annotated[str, typer.Option(metavar="DEPLOYMENT", help="where to go back to")]
Scenario = Annotated[
    str,
    typer.Option(
        metavar="WAY",
        help="which way back: functions, complete, auth, database (documents) or feature",
    ),
]

FUNCTIONS = "functions"


def scope(
    scenario: str, target: str, groups: list[str] | None, functions: list[str] | None
) -> dict[str, Any]:
    """These options, as a command says them."""
    return {
        "scenario": scenario,
        "target": target,
        "groups": groups,
        "functions": functions,
    }
