"""Conditions of grants, which are written in CEL (https://github.com/google/cel-spec).

Nobody evaluates one: policies are enforced nowhere.
"""

from functools import cache
from typing import TYPE_CHECKING

from local.core.rest import invalid_argument

if TYPE_CHECKING:
    from celpy import Environment


def check_condition(expression: str) -> None:
    """Return if the text of a condition is CEL. Raises: StatusError INVALID_ARGUMENT.

    The library takes 0.6 s to import, which few starts need.
    """
    from celpy.celparser import CELParseError

    try:
        _parser().compile(expression)
    except CELParseError as error:
        said = f"Condition expression compilation failed, column {error.column}: {expression}"
        raise invalid_argument(said) from error


@cache
def _parser() -> "Environment":
    from celpy import Environment

    return Environment()
