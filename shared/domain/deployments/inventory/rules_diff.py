"""What differs between two texts of security rules, and which paths that touches; pure."""

import difflib
import re
from collections.abc import Iterator

from shared.domain.deployments.inventory.inventory_parts import RulesSource

MAX_DIFF_LINES = 60
"""So much of a difference is shown."""
ALL_PATHS = "/"
"""The path of a line that stands in no match: a function, which any match may call."""

_MATCH = re.compile(r"\bmatch\s+(/\S+)\s*\{")
_COMMENT = re.compile(r"//.*|/\*.*?\*/")
_TEXT = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"")
_ROOT = re.compile(r"^/databases/\{[^}]*\}/documents|^/b/\{[^}]*\}/o")
"""What every path of Firestore, or of Storage, begins with."""


def difference(now: RulesSource, then: RulesSource) -> list[str]:
    """What going back changes, as a unified diff over all files, bounded."""
    lines: list[str] = []
    for name in _names(now, then):
        before, after = _lines(now, name), _lines(then, name)
        headings = f"{name} in force", f"{name} recorded"
        lines += difflib.unified_diff(before, after, *headings, lineterm="", n=2)
    if len(lines) <= MAX_DIFF_LINES:
        return lines
    return [*lines[:MAX_DIFF_LINES], f"… {len(lines) - MAX_DIFF_LINES} lines more"]


def touched_paths(now: RulesSource, then: RulesSource) -> list[str]:
    """The match paths within which a line differs, in order, `/orders/{id}`."""
    paths = set()
    for name in _names(now, then):
        before, after = _lines(now, name), _lines(then, name)
        owners, new_owners = (list(_innermost_match_paths(before)), list(_innermost_match_paths(after)))
        compared = difflib.SequenceMatcher(None, before, after, autojunk=False)
        for kind, start, end, new_start, new_end in compared.get_opcodes():
            if kind != "equal":
                told = [*zip(before, owners, strict=True)][start:end]
                told += [*zip(after, new_owners, strict=True)][new_start:new_end]
                paths |= {owner for line, owner in told if _code(line).strip()}
    return sorted(paths)


def _names(*sources: RulesSource) -> list[str]:
    return sorted({one.name for source in sources for one in source})


def _lines(source: RulesSource, name: str) -> list[str]:
    return next((one.content.splitlines() for one in source if one.name == name), [])


def _code(line: str) -> str:
    """A line without comments and texts; a comment over several lines counts as code."""
    return _COMMENT.sub("", _TEXT.sub("''", line))


def _innermost_match_paths(lines: list[str]) -> Iterator[str]:
    depth, matches = 0, list[tuple[int, str]]()
    for line in lines:
        code = _code(line)
        opened = _MATCH.search(code)
        if opened:
            matches.append((depth, opened[1]))
            code = code.replace(opened[1], "", 1)  # its wildcards have braces, too
        yield _ROOT.sub("", "".join(path for _, path in matches)) or ALL_PATHS
        depth += code.count("{") - code.count("}")
        while matches and depth <= matches[-1][0]:
            matches.pop()
