"""Templates of pages: everything is escaped, and what is missing is a fault."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unicodedata import category

if TYPE_CHECKING:
    from jinja2 import Environment

TemplateFilters = Mapping[str, Callable[..., Any]]


def create_environment(folder: Path, filters: TemplateFilters) -> Environment:
    """The templates of a folder."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    made = Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=remove_control_characters,
    )
    made.filters |= filters
    return made


def remove_control_characters(value: object) -> object:
    """Return the text of a value without control and direction signs; markup stays as it is."""
    if hasattr(value, "__html__") or (text := str(value)).isprintable():
        return value
    return "".join(one for one in text if one in "\n\t" or category(one) not in ("Cc", "Cf", "Cs"))


def format_moment(at: datetime | str | None) -> str:
    """Return a moment in UTC, to the second; a text that is no moment, as it is written."""
    if isinstance(at, str):
        try:
            at = datetime.fromisoformat(at)
        except ValueError:
            return str(at)
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}" if at else ""


def add_style(made: Environment, file: Path) -> Environment:
    """For pages that load nothing: a style, and its hash for a content security policy."""
    from markupsafe import Markup

    style = file.read_text()
    made.globals["style"] = Markup(style)  # noqa: S704 - our own file
    made.globals["style_hash"] = Markup(style_hash(style))  # noqa: S704 - base64
    return made


def style_hash(style: str) -> str:
    """By which a content security policy lets a style be, and no other."""
    return f"sha256-{base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()}"
