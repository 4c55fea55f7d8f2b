"""The functions of Terraform's language that our configuration calls."""

import base64
import hashlib
import itertools
import json
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests.terraform.evaluator.values import TerraformSet, Unevaluable, entries, text


@cache
def _yaml(written: str) -> Any:
    """What the same policies say again and again; it is read, and never changed."""
    return yaml.safe_load(written)


def fileset(folder: str, pattern: str) -> TerraformSet:
    """The files below a folder; Python has no {a,b} in its patterns."""
    found = itertools.chain.from_iterable(Path(folder).glob(one) for one in _alternatives(pattern))
    return TerraformSet(str(file.relative_to(folder)) for file in found if file.is_file())


def _alternatives(pattern: str) -> list[str]:
    braces = re.search(r"\{([^}]*)\}", pattern)
    if braces is None:
        return [pattern]
    before, after = pattern[: braces.start()], pattern[braces.end() :]
    return [full for one in braces[1].split(",") for full in _alternatives(f"{before}{one}{after}")]


def flatten(values: Any) -> list[Any]:
    """Lists in lists, as one list."""
    found: list[Any] = []
    for value in values:
        found += flatten(value) if isinstance(value, list) else [value]
    return found


def coalesce(*values: Any) -> Any:
    """The first that is neither null nor empty."""
    for value in values:
        if value is not None and value != "":
            return value
    raise Unevaluable("coalesce: all are null or empty")


def merge(*maps: dict[str, Any]) -> dict[str, Any]:
    """One map of all; the last one wins."""
    return {key: value for one in maps for key, value in one.items()}


def _one(values: list[Any]) -> Any:
    if len(values) > 1:
        raise Unevaluable(f"one: {len(values)} elements")
    return values[0] if values else None


def _regex(pattern: str, value: str) -> Any:
    found = re.search(pattern, value)
    if found is None:
        raise Unevaluable(f"regex: {value!r} does not match {pattern!r}")
    if found.re.groupindex:
        return found.groupdict()
    return [*found.groups()] if found.groups() else found[0]


def _substring(value: str, start: int, length: int) -> str:
    return value[start:] if length < 0 else value[start : start + length]


def _file(path: str) -> str:
    return Path(path).read_text(encoding="utf-8")


def _format(pattern: str, *values: Any) -> str:
    return re.sub(r"%[-+0-9.]*v", "%s", pattern) % values


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "abs": abs,
    "alltrue": lambda values: all(value is True for value in values),
    "anytrue": lambda values: any(value is True for value in values),
    "base64encode": lambda value: base64.b64encode(value.encode()).decode(),
    "basename": lambda path: Path(path).name,
    "ceil": lambda value: int(-(-value // 1)),
    "chunklist": lambda values, size: [values[start : start + size] for start in range(0, len(values), size)],
    "coalesce": coalesce,
    "compact": lambda values: [value for value in values if value],
    "concat": lambda *lists: [value for one in lists for value in one],
    "contains": lambda values, value: value in values,
    "distinct": lambda values: [*dict.fromkeys(values)],
    "endswith": lambda value, end: value.endswith(end),
    "file": _file,
    "filesha256": lambda path: hashlib.sha256(Path(path).read_bytes()).hexdigest(),
    "fileexists": lambda path: Path(path).is_file(),
    "fileset": fileset,
    "flatten": flatten,
    "floor": lambda value: int(value // 1),
    "format": _format,
    "indent": lambda spaces, value: value.replace("\n", "\n" + " " * spaces),
    "join": lambda between, values: between.join(map(text, values)),
    "jsondecode": json.loads,
    "jsonencode": lambda value: json.dumps(value, sort_keys=True, separators=(",", ":")),
    "keys": sorted,
    "length": len,
    "lookup": lambda values, key, *default: values.get(key, *default),
    "lower": str.lower,
    "max": max,
    "merge": merge,
    "min": min,
    "one": _one,
    "range": lambda *limits: [*range(*limits)],
    "regex": _regex,
    "regexall": lambda pattern, value: [
        [*found.groups()] or found[0] for found in re.finditer(pattern, value)
    ],
    "replace": lambda value, old, new: (
        re.sub(old[1:-1], new, value)
        if len(old) > 1 and old[0] == old[-1] == "/"
        else value.replace(old, new)
    ),
    "setintersection": lambda *sets: TerraformSet(
        one for one in sets[0] if all(one in other for other in sets)
    ),
    "setproduct": lambda *sets: [[*pair] for pair in itertools.product(*sets)],
    "setsubtract": lambda these, those: TerraformSet(one for one in these if one not in those),
    "setunion": lambda *sets: TerraformSet(itertools.chain(*sets)),
    "sha256": lambda value: hashlib.sha256(value.encode()).hexdigest(),
    "slice": lambda values, start, end: values[start:end],
    "sort": sorted,
    "split": lambda between, value: value.split(between),
    "startswith": lambda value, start: value.startswith(start),
    "strcontains": lambda value, part: part in value,
    "substr": _substring,
    "sum": sum,
    "title": lambda value: re.sub(r"\b[a-z]", lambda found: found[0].upper(), value),
    "tolist": lambda values: [*values],
    "tomap": dict,
    "tonumber": lambda value: float(value) if "." in str(value) else int(value),
    "toset": TerraformSet,
    "tostring": text,
    "trimprefix": lambda value, start: value.removeprefix(start),
    "trimspace": str.strip,
    "trimsuffix": lambda value, end: value.removesuffix(end),
    "upper": str.upper,
    "values": lambda values: [value for _, value in entries(values)],
    "yamldecode": _yaml,
    "zipmap": lambda keys, values: dict(zip(keys, values, strict=True)),
}
"""By name. `try` and `can` are the evaluator's own: they look before they evaluate."""
