"""The forms that the trail is exported in: a line of JSON, or a row, for each event."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable
from enum import StrEnum
from typing import TextIO

import msgspec

from shared.told import Told

FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""Begins what a spreadsheet would carry out."""


class Format(StrEnum):
    """What `--format` takes."""

    NDJSON = "ndjson"
    CSV = "csv"


def write(told: Iterable[Told], form: Format, stream: TextIO) -> None:
    """Each event as one line of JSON, or as one row under a row of headings."""
    if form is Format.NDJSON:
        for one in told:
            stream.write(json.dumps(msgspec.to_builtins(one), ensure_ascii=False) + "\n")
        return
    rows = csv.writer(stream)
    rows.writerow(Told.__struct_fields__)
    for one in told:
        rows.writerow([_cell(value) for value in msgspec.structs.astuple(one)])


def _cell(value: object) -> str:
    """The value as text that no spreadsheet carries out; facts are JSON."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return f"'{text}" if text.startswith(FORMULA) else text
