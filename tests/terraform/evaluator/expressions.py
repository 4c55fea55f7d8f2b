"""What an expression of Terraform's language is worth, given what its names stand for."""

import json
import operator
import re
import textwrap
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any

import hcl2
from hcl2.rules.containers import ObjectElemKeyExpressionRule, ObjectRule, TupleRule
from hcl2.rules.expressions import BinaryOpRule, ConditionalRule, ExprTermRule, UnaryOpRule
from hcl2.rules.for_expressions import ForIntroRule, ForObjectExprRule, ForTupleExprRule
from hcl2.rules.functions import FunctionCallRule
from hcl2.rules.indexing import (
    AttrSplatExprTermRule,
    FullSplatExprTermRule,
    GetAttrExprTermRule,
    GetAttrRule,
    IndexExprTermRule,
    SqbIndexRule,
)
from hcl2.rules.literal_rules import FloatLitRule, IdentifierRule, IntLitRule, LiteralValueRule
from hcl2.rules.strings import HeredocTemplateRule, HeredocTrimTemplateRule, InterpolationRule, StringRule

from tests.terraform.evaluator.functions import FUNCTIONS
from tests.terraform.evaluator.values import TerraformSet, Unevaluable, Unknown, entries, text

Scope = Mapping[str, Any]
"""What each first name stands for: var, local, each, a resource's type, a `for` variable."""

OPERATIONS: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "%": operator.mod,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}
CONSTANTS = {"true": True, "false": False, "null": None}


def evaluate(node: Any, scope: Scope) -> Any:
    """The value of an expression's tree. Raises: Unevaluable."""
    how = _KINDS.get(type(node))
    if how is None:
        raise Unevaluable(f"{type(node).__name__} is not known here")
    return how(node, scope)


def name_of(node: Any) -> str:
    """An identifier's text."""
    return str(node.children[0].value)


def attribute(value: Any, name: Any) -> Any:
    """What `value.name` or `value[name]` is. Raises: Unevaluable."""
    if isinstance(value, Unknown):
        return Unknown(f"{value}.{name}")
    if isinstance(value, list):
        try:
            return value[int(name)]
        except (IndexError, ValueError) as absent:
            raise Unevaluable(f"no element {name}") from absent
    if not isinstance(value, Mapping):
        raise Unevaluable(f"{value!r} has no {name}")
    try:
        return value[name]
    except KeyError as absent:
        raise Unevaluable(f"no {name} among {', '.join(map(str, value))}") from absent


def _conditional(node: ConditionalRule, scope: Scope) -> Any:
    chosen = node.if_true if evaluate(node.condition, scope) else node.if_false
    return evaluate(chosen, scope)


def _binary(node: BinaryOpRule, scope: Scope) -> Any:
    sign = str(node.binary_term.binary_operator.children[0].value).strip()
    left = evaluate(node.expr_term, scope)
    if sign == "&&":
        return left and evaluate(node.binary_term.expr_term, scope)
    if sign == "||":
        return left or evaluate(node.binary_term.expr_term, scope)
    return OPERATIONS[sign](left, evaluate(node.binary_term.expr_term, scope))


def _unary(node: UnaryOpRule, scope: Scope) -> Any:
    value = evaluate(node.expr_term, scope)
    return -value if node.operator == "-" else not value


def _call(node: FunctionCallRule, scope: Scope) -> Any:
    name = name_of(node.identifiers[0])
    given = node.arguments.arguments if node.arguments else []
    if name in ("try", "can"):
        return _tried(name, given, scope)
    if name not in FUNCTIONS:
        raise Unevaluable(f"function {name} is not known here")
    values = [evaluate(one, scope) for one in given]
    if node.arguments and node.arguments.has_ellipsis:
        values += values.pop()
    if any(isinstance(value, Unknown) for value in values):
        return Unknown(f"{name}({', '.join(map(str, values))})")
    return FUNCTIONS[name](*values)


def _tried(name: str, given: list[Any], scope: Scope) -> Any:
    for one in given:
        try:
            value = evaluate(one, scope)
        except Unevaluable:
            continue
        return True if name == "can" else value
    if name == "can":
        return False
    raise Unevaluable("try: nothing works")


def _rounds(intro: ForIntroRule, scope: Scope) -> Iterator[Scope]:
    first, second = name_of(intro.first_iterator), intro.second_iterator
    for key, value in entries(evaluate(intro.iterable, scope)):
        named = {first: value} if second is None else {first: key, name_of(second): value}
        yield {**scope, **named}


def _is_wanted(node: Any, scope: Scope) -> bool:
    return node.condition is None or bool(evaluate(node.condition.condition_expr, scope))


def _for_tuple(node: ForTupleExprRule, scope: Scope) -> list[Any]:
    rounds = _rounds(node.for_intro, scope)
    return [evaluate(node.value_expr, one) for one in rounds if _is_wanted(node, one)]


def _for_object(node: ForObjectExprRule, scope: Scope) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for one in _rounds(node.for_intro, scope):
        if not _is_wanted(node, one):
            continue
        key, value = text(evaluate(node.key_expr, one)), evaluate(node.value_expr, one)
        if node.ellipsis is not None:
            made.setdefault(key, []).append(value)
        elif key in made:
            raise Unevaluable(f"for: two elements have the key {key}")
        else:
            made[key] = value
    return made


def _object(node: ObjectRule, scope: Scope) -> dict[str, Any]:
    return {_key(one.key, scope): evaluate(one.expression, scope) for one in node.elements}


def _key(node: Any, scope: Scope) -> str:
    inner = node.expression if isinstance(node, ObjectElemKeyExpressionRule) else node.value
    if isinstance(inner, IdentifierRule):
        return name_of(inner)
    return text(evaluate(inner, scope))


def _index(node: IndexExprTermRule, scope: Scope) -> Any:
    value, by = evaluate(node.children[0], scope), node.children[1]
    if isinstance(by, SqbIndexRule):
        return attribute(value, evaluate(by.index_expression, scope))
    return attribute(value, int(str(by.index)))


def _splat(node: Any, scope: Scope) -> Any:
    value = evaluate(node.children[0], scope)
    elements = value if isinstance(value, list) else [] if value is None else [value]
    for step in node.children[1].children:
        if isinstance(step, GetAttrRule):
            elements = [attribute(one, name_of(step.identifier)) for one in elements]
    return [*elements]


def _identifier(node: IdentifierRule, scope: Scope) -> Any:
    return attribute(scope, name_of(node))


def _template(node: StringRule, scope: Scope) -> str:
    """A string with its interpolations; Unknown if one of them is."""
    parts: list[str] = []
    for part in node.children[1:-1]:
        inner = part.children[0]
        if isinstance(inner, InterpolationRule):
            value = evaluate(inner.expression, scope)
            parts.append(value if isinstance(value, Unknown) else text(value))
        elif hasattr(inner, "value"):
            parts.append(_unescaped(str(inner.value)))
        else:
            raise Unevaluable(f"{type(inner).__name__} in a template is not known here")
    kind = Unknown if any(isinstance(part, Unknown) for part in parts) else str
    return kind("".join(parts))


def _unescaped(written: str) -> str:
    if written.startswith(("$${", "tests.responders.triggers.test_alerts:{")):
        return written[1:]
    return str(json.loads(f'"{written}"', strict=False))


@cache
def _parsed(quoted: str) -> Any:
    """The tree of a string in quotes."""
    return hcl2.parses(f"it = {quoted}").body.children[0].expression


def _heredoc(node: Any, scope: Scope) -> Any:
    """A template over lines, read once more as a string in quotes."""
    first, *lines = str(node.children[0].value).split("\n")
    while lines[-1].strip() != first.lstrip("<-").strip():
        lines.pop()  # what the token holds behind its end
    body = "\n".join(lines[:-1]) + "\n"
    if first.startswith("<<-"):
        body = textwrap.dedent(body)
    return evaluate(_parsed('"' + "".join(_quoted(body)) + '"'), scope)


def _quoted(body: str) -> Iterator[str]:
    """The text, escaped for quotes, but for what stands in ${}."""
    for part in re.split(r"((?<!\$)\$\{(?:[^{}]|\{[^{}]*\})*\})", body):
        yield part if part.startswith("${") else json.dumps(part, ensure_ascii=False)[1:-1]


_KINDS: dict[Any, Callable[[Any, Scope], Any]] = {
    ExprTermRule: lambda node, scope: evaluate(node.expression, scope),
    ConditionalRule: _conditional,
    BinaryOpRule: _binary,
    UnaryOpRule: _unary,
    FunctionCallRule: _call,
    ForTupleExprRule: _for_tuple,
    ForObjectExprRule: _for_object,
    ObjectRule: _object,
    TupleRule: lambda node, scope: [evaluate(one, scope) for one in node.elements],
    GetAttrExprTermRule: lambda node, scope: attribute(
        evaluate(node.expr_term, scope), name_of(node.get_attr.identifier)
    ),
    IndexExprTermRule: _index,
    FullSplatExprTermRule: _splat,
    AttrSplatExprTermRule: _splat,
    StringRule: _template,
    HeredocTrimTemplateRule: _heredoc,
    HeredocTemplateRule: _heredoc,
    IntLitRule: lambda node, scope: int(str(node.children[0].value)),
    FloatLitRule: lambda node, scope: float(str(node.children[0].value)),
    LiteralValueRule: lambda node, scope: CONSTANTS[str(node.children[0].value)],
    IdentifierRule: _identifier,
}


def converted(value: Any, constraint: Any) -> Any:
    """The value as a variable's type wants it, defaults of optional() filled in."""
    node = constraint
    while isinstance(node, ExprTermRule):
        node = node.expression
    if isinstance(node, IdentifierRule) or value is None:
        return value
    if not isinstance(node, FunctionCallRule) or node.arguments is None:
        raise Unevaluable(f"{type(node).__name__} is no type")
    kind, (inner,) = name_of(node.identifiers[0]), node.arguments.arguments
    if kind == "object":
        return _as_object(value, inner)
    if kind == "map":
        return {key: converted(one, inner) for key, one in value.items()}
    elements = [converted(one, inner) for one in value]
    return TerraformSet(elements) if kind == "set" else elements


def _as_object(value: Any, inner: Any) -> dict[str, Any]:
    made: dict[str, Any] = {}
    fields = {_key(one.key, {}): one.expression for one in inner.expression.elements}
    if strange := [name for name in value if name not in fields]:
        raise Unevaluable(f"{', '.join(strange)}: not in the type of the variable")
    for name, wanted in fields.items():
        kind = wanted.expression
        optional = isinstance(kind, FunctionCallRule) and name_of(kind.identifiers[0]) == "optional"
        if optional:
            wanted, *default = kind.arguments.arguments
            given = value.get(name)
            if given is None and default:
                given = evaluate(default[0], {})
            made[name] = converted(given, wanted)
        elif name in value:
            made[name] = converted(value[name], wanted)
        else:
            raise Unevaluable(f"{name} is missing")
    return made
