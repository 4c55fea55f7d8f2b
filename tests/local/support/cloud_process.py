"""The embedded cloud of a small book shop as a process of its own."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

POLICY = """
system: bookshop
project: bookshop
region: europe-west1
groups:
  orders:
    functions: [placeOrder, payOrder]
signals:
  error_rate: {severity: MEDIUM, scenario: none, mode: observe, threshold: 0.1, duration: 5m}
scenarios: {functions: act}
"""


@contextmanager
def running(*arguments: str | Path) -> Iterator[tuple[subprocess.Popen[str], dict[str, str]]]:
    """The cloud as a process, with the addresses that it printed."""
    command = [sys.executable, "-m", "local", *map(str, arguments)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)  # noqa: S603 - our own
    try:
        assert process.stdout is not None
        yield process, json.loads(process.stdout.readline())
    finally:
        process.kill()
        process.communicate()
