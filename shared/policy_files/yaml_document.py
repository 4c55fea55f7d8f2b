"""YAML as plain values, with the line of every key and element; only the harmless part of YAML.

Read from parser events rather than by a loader: nothing is constructed from tags, aliases (and so
their bombs) are refused, and nesting has a limit. Plain scalars are null, true, false, or numbers
of at most 18 digits in decimal notation; every other scalar is text, `1:30` and dates included.
Words that other readers of YAML take for a boolean, a number or nothing are faults.
"""

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import yaml

from shared.core.codec import JsonObject

YamlPath = tuple[str | int, ...]
"""Where a value stands: the keys and indices that lead to it."""

Finding = tuple[YamlPath, str]
"""Where something is wrong, and what."""

Findings = Iterator[Finding]

MAX_DEPTH = 16

_INTEGER = re.compile(r"[-+]?[0-9]{1,18}")
_DECIMAL = re.compile(r"[-+]?[0-9]{1,18}\.[0-9]{1,18}(?:[eE][-+]?[0-9]{1,2})?")
_CONSTANTS = {"": None, "~": None, "null": None, "true": True, "false": False}
_AMBIGUOUS_WORDS = {
    **dict.fromkeys(("true", "yes", "on"), "true"),
    **dict.fromkeys(("false", "no", "off"), "false"),
    "null": "null",
}
_AMBIGUOUS_NUMBER = re.compile(
    r"[-+]?(\.[0-9]+|[0-9]+\.|[0-9][0-9_]*_[0-9_]*|[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+)"
)
_MAX_WHOLE_DECIMAL = 2**53


class YamlFault(NamedTuple):
    """What is wrong, and on which line (from 1)."""

    line: int
    message: str


class Unreadable(Exception):
    """The text is not YAML, or not YAML that is read here; `fault` says where."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.fault = YamlFault(line, message)


class YamlDocument:
    """A document's value, its lines, and the faults that did not hinder reading on."""

    def __init__(self, text: str) -> None:
        self.lines: dict[YamlPath, int] = {(): 1}
        self.faults: list[YamlFault] = []
        self._events = _events(text)
        self.value = self._document()

    def line(self, path: YamlPath) -> int:
        """The line of a path's key or element, else that of the nearest thing around it."""
        while path not in self.lines:
            path = path[:-1]
        return self.lines[path]

    def _document(self) -> Any:
        next(self._events)
        if isinstance(next(self._events), yaml.StreamEndEvent):
            raise Unreadable(1, "the file is empty")
        value = self._value(next(self._events), ())
        if value is None:
            raise Unreadable(1, "the file is empty")
        next(self._events)
        extra = next(self._events)
        if not isinstance(extra, yaml.StreamEndEvent):
            raise Unreadable(_line(extra), "a second document begins: one file, one policy")
        return value

    def _value(self, event: yaml.Event, path: YamlPath) -> Any:
        self._refuse_indirection(event)
        if len(path) > MAX_DEPTH:
            raise Unreadable(_line(event), f"nested more than {MAX_DEPTH} deep")
        if isinstance(event, yaml.MappingStartEvent):
            return self._mapping(path)
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(path)
        return self._scalar(event)

    def _scalar(self, event: Any) -> Any:
        if not event.implicit[0]:
            return event.value
        if meant := _find_other_reading(event.value):
            message = f"{event.value}: write {meant}, or quote it as text"
            self.faults.append(YamlFault(_line(event), message))
        return read_plain_scalar(event.value)

    def _mapping(self, path: YamlPath) -> JsonObject:
        found = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            self._refuse_indirection(event)
            if not isinstance(event, yaml.ScalarEvent):
                raise Unreadable(_line(event), "a key must be text")
            key = event.value
            if key in found:
                first = self.lines[(*path, key)]
                self.faults.append(
                    YamlFault(_line(event), f"key {key!r} stands here again; first on line {first}")
                )
                self._value(next(self._events), (*path, key, "again"))
                continue
            self.lines[(*path, key)] = _line(event)
            found[key] = self._value(next(self._events), (*path, key))
        return found

    def _sequence(self, path: YamlPath) -> list[Any]:
        found: list[Any] = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            here = (*path, len(found))
            self.lines[here] = _line(event)
            found.append(self._value(event, here))
        return found

    def _refuse_indirection(self, event: yaml.Event) -> None:
        if isinstance(event, yaml.AliasEvent):
            raise Unreadable(_line(event), f"alias *{event.anchor}: aliases are refused")
        if anchor := getattr(event, "anchor", None):
            self.faults.append(YamlFault(_line(event), f"anchor &{anchor}: anchors are refused"))
        if tag := getattr(event, "tag", None):
            self.faults.append(YamlFault(_line(event), f"tag {tag}: tags are refused"))


def _events(text: str) -> Iterator[yaml.Event]:
    try:
        yield from yaml.parse(text, Loader=yaml.CSafeLoader)
    except yaml.MarkedYAMLError as error:
        raise _describe_syntax_error(text, error) from error
    except yaml.YAMLError as error:
        raise Unreadable(_line_of_unprintable(text), f"not YAML: {error}".split("\n")[0]) from error


def _describe_syntax_error(text: str, error: yaml.MarkedYAMLError) -> Unreadable:
    """Return the fault at the beginning of what is not closed, else where the parser stopped."""
    opened = re.search("quoted scalar|flow (mapping|sequence)", error.context or "")
    mark = (error.context_mark if opened else None) or error.problem_mark or error.context_mark
    line = mark.line + 1 if mark else 1
    if opened:
        return Unreadable(line, f"not YAML: this {opened[0]} is not closed: {error.problem}")
    if any("\t" in one[: len(one) - len(one.lstrip())] for one in text.splitlines()[line - 1 : line]):
        return Unreadable(line, "not YAML: a tab indents this line; use spaces")
    return Unreadable(line, f"not YAML: {error.problem or error.context}")


def _line_of_unprintable(text: str) -> int:
    """The line of the first character that YAML does not admit (YAML 1.1, section 5.1)."""
    found = re.search("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", text)
    return text.count("\n", 0, found.start()) + 1 if found else 1


def _line(event: Any) -> int:
    return int(event.start_mark.line) + 1


def read_plain_scalar(text: str) -> Any:
    """Return the value of a scalar that is written without quotes."""
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    if _DECIMAL.fullmatch(text):
        number = float(text)
        return int(number) if number.is_integer() and abs(number) < _MAX_WHOLE_DECIMAL else number
    return text


def _find_other_reading(text: str) -> str:
    """Return what to write for a text that other readers of YAML take for a value; or nothing."""
    if text in _CONSTANTS:
        return ""
    return _AMBIGUOUS_WORDS.get(text.lower(), "a decimal number" if _AMBIGUOUS_NUMBER.fullmatch(text) else "")


def mapping_in(holder: Any, key: str) -> JsonObject:
    """The mapping under that key; an empty one, where there is none."""
    found = holder.get(key) if isinstance(holder, dict) else None
    return found if isinstance(found, dict) else {}


def entries_in(holder: Any, key: str) -> Iterator[tuple[int, JsonObject]]:
    """The mappings in the list under that key, each with its index."""
    yield from ((index, one) for index, one in enumerate(list_in(holder, key)) if isinstance(one, dict))


def texts_in(holder: Any, key: str) -> Iterator[tuple[YamlPath, str]]:
    """The texts in the list under that key, each with where it stands in the holder."""
    yield from (((key, index), one) for index, one in enumerate(list_in(holder, key)) if isinstance(one, str))


def list_in(holder: Any, key: str) -> list[Any]:
    """The list under that key; an empty one, where there is none."""
    found = holder.get(key) if isinstance(holder, dict) else None
    return found if isinstance(found, list) else []
