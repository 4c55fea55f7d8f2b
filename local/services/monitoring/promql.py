"""PromQL as far as alert policies and dashboards write it: whether a query is one.

Grammar: https://prometheus.io/docs/prometheus/latest/querying/basics/ (read 2026-11). Types are not
checked; every operator binds alike, which does not matter to whether a query can be read.
"""

import re

from msgspec import Struct

_TOKEN = re.compile(
    r"\s*(?:"
    r"(?P<duration>(?:\d+(?:ms|[smhdwy]))+)(?![\w.])"
    r"|(?P<number>\d+\.?\d*(?:[eE][+-]?\d+)?)"
    r'|(?P<text>"(?:[^"\\]|\\.)*")'
    r"|(?P<name>[A-Za-z_][\w:]*)"
    r"|(?P<sign>=~|!~|==|!=|>=|<=|[-+*/%^<>=(){}\[\],@:])"
    r")"
)
_AGGREGATES = frozenset(
    {
        *("avg", "bottomk", "count", "count_values", "group", "max", "min"),
        *("quantile", "stddev", "stdvar", "sum", "topk"),
    }
)
_FUNCTIONS = frozenset(
    {
        *("abs", "absent", "avg_over_time", "ceil", "clamp_max", "clamp_min", "count_over_time"),
        *("delta", "deriv", "floor", "histogram_quantile", "increase", "irate", "label_replace"),
        *("last_over_time", "max_over_time", "min_over_time", "quantile_over_time", "rate", "round"),
        *("scalar", "sum_over_time", "time", "vector"),
    }
)
_BINARY = frozenset({"+", "-", "*", "/", "%", "^", "==", "!=", ">", "<", ">=", "<=", "and", "or", "unless"})
_MATCHES = ("=", "!=", "=~", "!~")


class Selector(Struct, frozen=True):
    """The series of one metric."""

    metric: str
    matchers: tuple[tuple[str, str, str], ...] = ()
    """Label, operator, text."""

    def fits(self, labels: dict[str, str]) -> bool:
        """Whether a series with these labels is meant; one that it lacks is empty."""
        return all(_matches_value(labels.get(label, ""), how, text) for label, how, text in self.matchers)


class PromqlSyntaxError(ValueError):
    """What was sent cannot be read as PromQL."""


def selectors(query: str) -> tuple[Selector, ...]:
    """The series that a query asks for. Raises: NoQuery."""
    reader = _QueryParser(query)
    reader.expression()
    reader.end()
    return tuple(reader.found)


def _matches_value(value: str, how: str, text: str) -> bool:
    if how in ("=", "!="):
        return (value == text) is (how == "=")
    return bool(re.fullmatch(text, value)) is (how == "=~")


class _QueryParser:
    """Reads one query from its left to its right."""

    def __init__(self, query: str) -> None:
        self.found: list[Selector] = []
        self._tokens: list[tuple[str, str]] = []
        place, query = 0, query.rstrip()
        while place < len(query):
            token = _TOKEN.match(query, place)
            if token is None:
                raise PromqlSyntaxError(f"parse error: unexpected character: {query[place:].strip()[:1]!r}")
            kind = str(token.lastgroup)
            self._tokens.append((kind, token[kind]))
            place = token.end()

    def expression(self) -> None:
        """Operands with operators between them."""
        self._operand()
        while self._next()[1] in _BINARY:
            self._take()
            if self._next()[1] == "bool":
                self._take()
            for words in (("on", "ignoring"), ("group_left", "group_right")):
                if self._next()[1] in words:
                    self._take()
                    self._names()
            self._operand()

    def end(self) -> None:
        """There is nothing more."""
        if self._tokens:
            self._unexpected()

    def _operand(self) -> None:
        while self._next()[1] in ("+", "-"):
            self._take()
        kind, sign = self._take()
        if sign == "(":
            self.expression()
            self._take(")")
        elif kind == "name" and sign in _AGGREGATES:
            self._grouped()
            self._arguments()
            self._grouped()
        elif kind == "name" and self._next()[1] == "(":
            if sign not in _FUNCTIONS:
                raise PromqlSyntaxError(f'parse error: unknown function with name "{sign}"')
            self._arguments()
        elif kind == "name":
            self._selector(sign)
        elif sign == "{":
            self._selector("", opened=True)
        elif kind not in ("number", "text"):
            self._unexpected(sign)
        self._ranged()

    def _selector(self, metric: str, *, opened: bool = False) -> None:
        matchers = []
        if opened or self._next()[1] == "{":
            if not opened:
                self._take()
            while self._next()[1] != "}":
                label, how = self._take("", "name"), self._take()[1]
                if how not in _MATCHES:
                    self._unexpected(how)
                text = self._take("", "text")[1][1:-1]
                matchers.append((label[1], how, text.replace('\\"', '"').replace("\\\\", "\\")))
                if self._next()[1] != "}":
                    self._take(",")
            self._take("}")
        self.found.append(Selector(metric, tuple(matchers)))

    def _ranged(self) -> None:
        """`[5m]`, `offset 1h`, in this order."""
        if self._next()[1] == "[":
            self._take()
            self._take("", "duration")
            if self._next()[1] == ":":
                self._take()
                if self._next()[0] == "duration":
                    self._take()
            self._take("]")
        if self._next()[1] == "offset":
            self._take()
            if self._next()[1] == "-":
                self._take()
            self._take("", "duration")

    def _grouped(self) -> None:
        if self._next()[1] in ("by", "without"):
            self._take()
            self._names()

    def _names(self) -> None:
        self._take("(")
        while self._next()[1] != ")":
            self._take("", "name")
            if self._next()[1] != ")":
                self._take(",")
        self._take(")")

    def _arguments(self) -> None:
        self._take("(")
        while self._next()[1] != ")":
            self.expression()
            if self._next()[1] != ")":
                self._take(",")
        self._take(")")

    def _next(self) -> tuple[str, str]:
        return self._tokens[0] if self._tokens else ("", "")

    def _take(self, wanted: str = "", kind: str = "") -> tuple[str, str]:
        """The next token, which must be this one, or one of a kind. Raises: NoQuery."""
        token = self._next()
        if not self._tokens or (wanted and token[1] != wanted) or (kind and token[0] != kind):
            self._unexpected()
        return self._tokens.pop(0)

    def _unexpected(self, token: str = "") -> None:
        """Raises: NoQuery."""
        raise PromqlSyntaxError(f"parse error: unexpected {token or self._next()[1] or 'end of input'!r}")
