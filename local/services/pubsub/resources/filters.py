"""Subscription filters: which messages a subscription wants, by their attributes.

The language (https://cloud.google.com/pubsub/docs/subscription-message-filter, read 2026-11):
`attributes:k`, `attributes.k = "v"`, `attributes.k != "v"`, `hasPrefix(attributes.k, "v")`, joined
by AND or OR (never both without parentheses) and turned around by NOT or `-`. Keys and values are
compared as they are; operators are upper case.
"""

import ast
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from local.core.grpc_services import StatusError
from local.services.pubsub.statuses import invalid_argument

MAX_FILTER_BYTES = 256
"""https://cloud.google.com/pubsub/quotas#resource_limits (read 2026-11)."""

Predicate: TypeAlias = Callable[[Mapping[str, str]], bool]

_TOKEN = re.compile(r'\s*(?:("(?:[^"\\]|\\.)*")|(\w[\w-]*)|(!=|[-=:.,()]))')


def parse_filter(text: str) -> Predicate:
    """The test that a filter stands for; the empty filter wants everything.

    A message without the key passes `!=`, as it passes NOT of the equality.
    Raises: Refused INVALID_ARGUMENT, with the place where the filter stops making sense.
    """
    if not text:
        return lambda attributes: True
    if len(text.encode()) > MAX_FILTER_BYTES:
        raise invalid_argument(f"The filter is longer than {MAX_FILTER_BYTES} bytes.")
    return _FilterParser(text).whole()


@dataclass(frozen=True)
class _Token:
    text: str
    position: int


class _FilterParser:
    """Recursive descent over the tokens of one filter."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = self._split()
        self._at = 0

    def whole(self) -> Predicate:
        """The whole filter; nothing may be left over."""
        condition = self._condition()
        if self._peek():
            raise self._confused()
        return condition

    def _split(self) -> list[_Token]:
        tokens = []
        position = 0
        end = len(self._text.rstrip())
        while position < end:
            match = _TOKEN.match(self._text, position)
            if match is None:
                raise self._wrong(position)
            tokens.append(_Token(match[0].strip(), position))
            position = match.end()
        return tokens

    def _condition(self) -> Predicate:
        terms = [self._term()]
        joiner = self._peek()
        while joiner in ("AND", "OR") and self._accept(joiner):
            terms.append(self._term())
        # AND after OR, or OR after AND, is left over and refused: it needs parentheses.
        if joiner == "OR":
            return lambda attributes: any(term(attributes) for term in terms)
        return lambda attributes: all(term(attributes) for term in terms)

    def _term(self) -> Predicate:
        if self._accept("NOT") or self._accept("-"):
            factor = self._factor()
            return lambda attributes: not factor(attributes)
        return self._factor()

    def _factor(self) -> Predicate:
        if self._accept("("):
            condition = self._condition()
            self._expect(")")
            return condition
        if self._accept("hasPrefix"):
            return self._prefix()
        self._expect("attributes")
        if self._accept(":"):
            wanted = self._key()
            return lambda attributes: wanted in attributes
        self._expect(".")
        return self._comparison()

    def _prefix(self) -> Predicate:
        self._expect("(")
        self._expect("attributes")
        self._expect(".")
        key = self._key()
        self._expect(",")
        prefix = self._string()
        self._expect(")")
        return lambda attributes: key in attributes and attributes[key].startswith(prefix)

    def _comparison(self) -> Predicate:
        key = self._key()
        if self._accept("!="):
            unwanted = self._string()
            return lambda attributes: attributes.get(key) != unwanted
        self._expect("=")
        value = self._string()
        return lambda attributes: attributes.get(key) == value

    def _key(self) -> str:
        token = self._peek()
        if token.startswith('"'):
            return self._string()
        if not re.match(r"\w", token):
            raise self._confused()
        self._at += 1
        return token

    def _string(self) -> str:
        token = self._peek()
        if not token.startswith('"'):
            raise self._confused()
        try:
            literal = ast.literal_eval(token)
        except (SyntaxError, ValueError) as error:
            raise self._confused() from error
        self._at += 1
        return str(literal)

    def _peek(self) -> str:
        return self._tokens[self._at].text if self._at < len(self._tokens) else ""

    def _accept(self, text: str) -> bool:
        if self._peek() != text:
            return False
        self._at += 1
        return True

    def _expect(self, text: str) -> None:
        if not self._accept(text):
            raise self._confused()

    def _confused(self) -> StatusError:
        if self._at < len(self._tokens):
            return self._wrong(self._tokens[self._at].position)
        return self._wrong(len(self._text))

    def _wrong(self, position: int) -> StatusError:
        return invalid_argument(f"Invalid filter: unexpected text at position {position}: {self._text}")
