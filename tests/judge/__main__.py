"""Let Google's own system tests judge the embedded cloud: `python -m tests.judge firestore`.

Needs a package index on the first run, and the packages `mock` and `google-cloud-testutils`.
"""

from __future__ import annotations

import argparse
import sys

from local.firestore import Concurrency
from tests.judge import firestore


def main() -> int:
    """0 when every mode that was asked for is as good as it must be."""
    parser = argparse.ArgumentParser(prog="python -m tests.judge", description=__doc__)
    parser.add_argument("service", choices=["firestore"])
    parser.add_argument("--mode", choices=list(Concurrency), help="default: both, in turn")
    arguments = parser.parse_args()
    modes = [Concurrency(arguments.mode)] if arguments.mode else list(Concurrency)
    good = True
    for mode in modes:
        verdict = firestore.judge(mode)
        sys.stdout.write(f"firestore, {mode}: {verdict}\n")
        good = good and firestore.is_good(verdict)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
