"""Let Google's own system tests judge the embedded cloud: `python -m tests.judge [firestore]`.

Needs a package index on the first run, and the packages `mock` and `google-cloud-testutils`. Judged
only when named: `storage` and `clients`, which need Go, Node and their registries, and `terraform`,
which needs Terraform and its providers.
"""

import argparse
import sys
from collections.abc import Iterator

from local.services.firestore import Concurrency
from tests.judge import clients, firestore, pubsub, storage, terraform
from tests.judge.suite import Verdict

SERVICES = ("firestore", "pubsub", "storage", "clients", "terraform")


def main() -> int:
    """0 when everything that was asked for is as good as it must be."""
    parser = argparse.ArgumentParser(prog="python -m tests.judge", description=__doc__)
    parser.add_argument("service", nargs="?", choices=SERVICES, help="default: the first two")
    parser.add_argument("--mode", choices=list(Concurrency), help="Firestore's; default: both")
    arguments = parser.parse_args()
    modes = [Concurrency(arguments.mode)] if arguments.mode else list(Concurrency)
    good = True
    for what, verdict, is_good in _verdicts(arguments.service, modes):
        sys.stdout.write(f"{what}: {verdict}\n")
        sys.stdout.flush()
        good = good and is_good
    return 0 if good else 1


def _verdicts(service: str | None, modes: list[Concurrency]) -> Iterator[tuple[str, Verdict, bool]]:
    """What was judged, how it went, and whether that is good enough."""
    if service in (None, "firestore"):
        for mode in modes:
            verdict = firestore.judge(mode)
            yield f"firestore, {mode}", verdict, firestore.is_good(verdict)
    if service in (None, "pubsub"):
        verdict = pubsub.judge()
        yield "pubsub", verdict, pubsub.is_good(verdict)
    if service == "storage":
        verdict = storage.judge()
        yield "storage", verdict, storage.is_good(verdict)
    if service == "clients":
        verdict = clients.judge()
        yield "clients", verdict, clients.is_good(verdict)
    if service == "terraform":
        verdict = terraform.judge()
        yield "terraform", verdict, terraform.is_good(verdict)


if __name__ == "__main__":
    sys.exit(main())
