"""The options that name what a rollback or a drill is about."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from cli.support.parameters import option
from shared.core.errors import BadConfiguration
from shared.domain.policy.system_policy import Policies
from shared.policy_files.loader import load_policies


def complete_systems(incomplete: str) -> list[str]:
    """The protected systems that begin so."""
    return _names_with_prefix(incomplete, _policies())


def complete_groups(incomplete: str) -> list[str]:
    """The groups of functions, and what people call them, that begin so."""
    known = _policies().values()
    return _names_with_prefix(incomplete, (n for one in known for n in (*one.groups, *one.group_aliases)))


def complete_functions(incomplete: str) -> list[str]:
    """The functions that begin so."""
    return _names_with_prefix(incomplete, (name for one in _policies().values() for name in one.functions))


def _policies() -> Policies:
    try:
        return load_policies(Path(os.environ.get("ROLLBACK_POLICIES", "policies")))
    except BadConfiguration:  # the command itself reports it; completion shows no errors
        return {}


def _names_with_prefix(incomplete: str, names: Iterable[str]) -> list[str]:
    return sorted({name for name in names if name.startswith(incomplete)})


Groups = Annotated[
    list[str] | None,
    typer.Option(
        "--group", metavar="GROUP", help="only this group; may be repeated", autocompletion=complete_groups
    ),
]
Functions = Annotated[
    list[str] | None,
    typer.Option(
        "--function",
        metavar="NAME",
        help="only this function; may be repeated",
        autocompletion=complete_functions,
    ),
]
Target = Annotated[str, option("DEPLOYMENT", "deployment to restore", "--target", "--target-deployment")]
Scenario = Annotated[
    str, option("WAY", "what to restore: functions, complete, auth, database (documents) or feature")
]

FUNCTIONS = "functions"
