"""`python -m benchmarks`: run them all; exit code 1 when a goal is missed."""

from __future__ import annotations

import sys

from benchmarks import embedded_cloud

if __name__ == "__main__":
    sys.exit(0 if embedded_cloud.run() else 1)
