"""Which id a project's number stands for: Google knows each project by both.

Numbers end at the front ends, so that services see ids alone.
"""

import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import unquote

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from local.application.names import project_number
from local.core.journal import Journal

ANY_PROJECT = "-"
"""Stands for each project."""
PROJECT_SEGMENT = r"(?:[a-z0-9-]+\.[a-z0-9.-]+:)?[^/:]+"
"""A project's id in a path may begin with a domain, `example.com:shop`."""
_JOURNAL_SERVICE = "project-ids"
_PATH_PATTERN = re.compile(rf"(?<=/projects/){PROJECT_SEGMENT}")
_NUMBERED_NAME_PATTERN = re.compile(r"^(projects/|project(?:Owner|Editor|Viewer):)(\d+)(?=/|$)")
_ID_BYTES_PATTERN = re.compile(rb"projects/([a-z][a-z0-9.:-]*[a-z0-9])/")
_NUMBER_BYTES_PATTERN = re.compile(rb"project(?:s/|Owner:|Editor:|Viewer:)\d")
_USER_DATA = frozenset(
    (
        *("annotations", "attributes", "headers", "labels", "metadata", "string_value", "userLabels"),
        *("content", "description", "displayName", "display_name", "expression", "mimeType", "mime_type"),
        *("orderingKey", "ordering_key", "subject", "title", "value"),
    )
)
"""Fields whose text belongs to the client."""


class ProjectDirectory:
    """The projects that somebody has named by their ids."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._ids = {number: value.decode() for number, value in journal.read(_JOURNAL_SERVICE)}
        self._known = set(self._ids.values())

    def __contains__(self, project: object) -> bool:
        """Whether the id or the number is that of a project which somebody has named by its id."""
        return project in self._known or project in self._ids

    def resolve(self, project: str) -> str:
        """Return the id of a project; a number that is nobody's stays."""
        if project[:1].isalpha() and project not in self._known:
            number = str(project_number(project))
            self._journal.write(_JOURNAL_SERVICE, [(number, project.encode())])
            self._ids[number] = project
            self._known.add(project)
        return self._ids.get(project, project)

    def resolve_path(self, path: str) -> tuple[str, str]:
        """Return a path with the id of the first project that it names, and that id, or ""."""
        named = _PATH_PATTERN.search(path)
        if named is None or named[0] == ANY_PROJECT:
            return path, ""
        project = unquote(named[0])
        found = self.resolve(project)
        return path if found == project else path[: named.start()] + found + path[named.end() :], found

    def resolve_name(self, name: str) -> str:
        """Return a resource's name or a member with the id of its project; any other text stays."""
        return _NUMBERED_NAME_PATTERN.sub(lambda found: found[1] + self.resolve(found[2]), name)

    def resolve_body(self, value: Any) -> Any:
        """Return a JSON value whose names have ids."""
        if isinstance(value, str):
            return self.resolve_name(value)
        if isinstance(value, list):
            return [self.resolve_body(one) for one in value]
        if isinstance(value, dict):
            return {key: it if key in _USER_DATA else self.resolve_body(it) for key, it in value.items()}
        return value

    def resolve_message(self, message: Message) -> None:
        """Put ids into the names in a message."""
        for field, value in message.ListFields():
            if field.message_type is not None:
                for one in _read_messages(field, value):
                    self.resolve_message(one)
            elif field.type == FieldDescriptor.TYPE_STRING and field.name not in _USER_DATA:
                if field.is_repeated:
                    value[:] = [self.resolve_name(one) for one in value]
                else:
                    setattr(message, field.name, self.resolve_name(value))

    def read_message(self, raw: bytes, kind: type[Message]) -> Message:
        """Return the message of a gRPC request; few of them name a number."""
        message = kind.FromString(raw)
        if named := _ID_BYTES_PATTERN.search(raw):
            self.resolve(named[1].decode())
        if _NUMBER_BYTES_PATTERN.search(raw):
            self.resolve_message(message)
        return message


def find_project(message: Message) -> str:
    """Return the project of the first resource that a request names; "" where it names none."""
    for _, value in message.ListFields():
        name = value if isinstance(value, str) else getattr(value, "name", "")
        if name.startswith("projects/"):
            return str(name).split("/", 2)[1]
    return ""


def _read_messages(field: FieldDescriptor, value: Any) -> Iterable[Message]:
    """The messages that a field holds; a map of texts holds none, and belongs to the client."""
    if not field.is_repeated:
        return (value,)
    if not field.message_type.GetOptions().map_entry:
        return tuple(value)
    return tuple(value.values()) if field.message_type.fields_by_name["value"].message_type else ()
