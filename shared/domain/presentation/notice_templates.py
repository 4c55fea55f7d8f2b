"""Notices worded by templates, in which text of others can do nothing but be read.

Channels read markup in ways of their own (Slack, Markdown, HTML, bare addresses), so escaping for
one of them is no help for the next. Foreign text is therefore written with signs that look alike
and mean nothing to any of them. In a template only a `TrustedText` is not foreign.
"""

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from shared.core import log
from shared.core.text import one_line
from shared.domain.notices.message import NoticeMessage
from shared.domain.presentation.notice_facts import TrustedText

TEMPLATE_FOLDER = Path(__file__).with_name("templates") / "notices"
TEMPLATE_NAMES = ("incident", "summary", "users", "concerned", "planned", "all-clear", "plain")
MAX_SUBJECT_CHARACTERS = 150
MAX_VALUE_CHARACTERS = 500
MAX_BODY_CHARACTERS = 12_000

_ALIKE = str.maketrans("<>&@#$`*~|[]\\", "‹›＆＠＃＄ˋ∗∼¦［］＼")
_UNDERSCORE_BESIDE_A_WORD = re.compile(r"(?<![^\W_])_|_(?![^\W_])")
"""In the middle of a word it is part of a name, which people copy, and marks nothing."""
_DOT_OF_A_HOST = re.compile(r"(?<=\w)\.(?=\w)")
_COLON_OF_A_SCHEME = re.compile(r":(?=\S)(?!(?<=\b\d\d:)\d\d\b)")
"""Not that of a time, such as 08:47:02."""
_MARKS_OF_A_LINE = " >#=+-"
_BROKEN = (TemplateError, ArithmeticError, LookupError, TypeError, ValueError)
"""What a template raises that is not well made."""


class NoticeTemplates:
    """A Forms: the templates of a folder where it has them, else our own."""

    def __init__(self, folder: Path | None = None) -> None:
        """Folder: files such as `users.txt`, in place of ours."""
        self._folder = folder

    def render(self, template: str, facts: Mapping[str, Any], language: str = "") -> NoticeMessage:
        """As the port says; by our own template, with a line in the log, where theirs is broken."""
        for name in (f"{template}.{language}.txt", f"{template}.txt"):
            if self._folder is None or not (self._folder / name).is_file():
                continue
            try:
                return _parse_message(_sandboxed_environment(self._folder).get_template(name).render(facts))
            except _BROKEN as broken:
                log.write("ERROR", f"the template {name} is broken: {broken}", event="template.broken")
        ours = _sandboxed_environment(TEMPLATE_FOLDER).get_template(f"{template}.txt")
        return _parse_message(ours.render(facts))


def _parse_message(text: str) -> NoticeMessage:
    """The first line is the subject."""
    subject, _, body = text.strip().partition("\n")
    body = re.sub(r"\n{3,}", "\n\n", body.strip())
    return NoticeMessage(one_line(subject)[:MAX_SUBJECT_CHARACTERS], f"{body[:MAX_BODY_CHARACTERS]}\n")


@cache
def _sandboxed_environment(folder: Path) -> Environment:
    """Templates that reach nothing but what they are given: they may be somebody else's."""
    return create_text_environment(ImmutableSandboxedEnvironment, folder, MAX_VALUE_CHARACTERS)


def create_text_environment(kind: type[Environment], folder: Path, limit: int) -> Environment:
    """Templates of text for people, with `limit` signs of a foreign value."""
    return kind(
        loader=FileSystemLoader(folder),
        autoescape=False,  # no HTML: `finalize` makes every value harmless
        finalize=lambda value: (
            value if isinstance(value, TrustedText) else neutralize_text(str(value), limit)
        ),
        undefined=StrictUndefined,
        auto_reload=False,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def neutralize_text(text: str, limit: int = MAX_VALUE_CHARACTERS) -> str:
    """One line that no channel takes for markup, a mention, an address or a header."""
    line = one_line(text)[:limit].lstrip(_MARKS_OF_A_LINE).translate(_ALIKE).replace(" ＆ ", " & ")
    if "_" in line:
        line = _UNDERSCORE_BESIDE_A_WORD.sub("＿", line)
    if "." in line:
        line = _DOT_OF_A_HOST.sub("․", line)
    return _COLON_OF_A_SCHEME.sub("：", line) if ":" in line else line
