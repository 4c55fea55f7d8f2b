"""Conditions of grants, which are written in CEL (https://github.com/google/cel-spec).

Nobody evaluates one: policies are enforced nowhere.
"""

import re
from functools import cache
from typing import TYPE_CHECKING, Any

from local.core.rest import invalid_argument

if TYPE_CHECKING:
    from celpy import Environment

_ATTRIBUTES = frozenset(("api", "compute", "destination", "request", "resource"))
"""What names of attributes begin with.

https://cloud.google.com/iam/docs/conditions-attribute-reference (read 2026-11)
"""
_VARIABLE_PATTERN = re.compile(r"\.(?:all|exists|exists_one|filter|map)\(\s*(\w+)\s*,")
"""What a macro of CEL calls an element."""


def check_condition(expression: str) -> None:
    """Return if the text of a condition is CEL that is true or false of attributes of IAM.

    The library takes 0.6 s to import, which few starts need. Raises: StatusError INVALID_ARGUMENT.
    """
    from celpy.celparser import CELParseError

    try:
        tree: Any = _parser().compile(expression)
    except CELParseError as error:
        said = f"Condition expression compilation failed, column {error.column}: {expression}"
        raise invalid_argument(said) from error
    named = {str(one.children[0]) for one in tree.find_pred(lambda one: one.data in ("ident", "dot_ident"))}
    if unknown := named - {*_VARIABLE_PATTERN.findall(expression)} - _ATTRIBUTES:
        said = f"undeclared reference to '{min(unknown)}'"
        raise invalid_argument(f"Condition expression compilation failed, {said}: {expression}")
    while len(tree.children) == 1 and hasattr(tree.children[0], "data") and tree.data != "list_lit":
        tree = tree.children[0]
    if tree.data in ("list_lit", "map_lit") or (
        tree.data == "literal" and tree.children[0].type != "BOOL_LIT"
    ):
        raise invalid_argument(f"A condition expression must be true or false: {expression}")


@cache
def _parser() -> "Environment":
    from celpy import Environment

    return Environment()
