"""Structured log lines, as Cloud Logging reads them from standard error."""

from __future__ import annotations

import json
import sys
from typing import Any


def write(severity: str, message: str, **fields: Any) -> None:
    """One line of JSON; `severity` is one of Cloud Logging's (INFO, WARNING, ERROR, CRITICAL).

    Format: https://cloud.google.com/logging/docs/structured-logging, special fields.
    """
    line = {"severity": severity, "message": message, **fields}
    sys.stderr.write(json.dumps(line, default=str) + "\n")
