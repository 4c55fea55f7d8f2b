"""Let programs of others judge the embedded cloud: `python -m tests.judge [firestore pubsub]`.

Google's own system tests (`firestore`, `pubsub`, `storage`), Google's clients in other languages
(`clients`), and Terraform with its providers (`terraform`). Needs a package index on the first run,
and the packages `mock` and `google-cloud-testutils`. `storage` and `clients` need Go, Node and
their registries, `terraform` needs Terraform and its providers.
"""

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from types import ModuleType

from local.services.firestore import Concurrency
from tests.judge import clients, firestore, pubsub, storage, terraform
from tests.judge.suite import Verdict

SERVICES: Mapping[str, ModuleType] = {
    "firestore": firestore,
    "pubsub": pubsub,
    "storage": storage,
    "clients": clients,
    "terraform": terraform,
}
EVERY = "all"


def main() -> int:
    """0 when everything that was asked for is as good as it must be."""
    arguments = read_arguments(sys.argv[1:])
    good = True
    for what, verdict, is_good in _verdicts(arguments):
        sys.stdout.write(f"{what}: {verdict}\n")
        sys.stdout.flush()
        good = good and is_good
    return 0 if good else 1


def read_arguments(arguments: Sequence[str]) -> argparse.Namespace:
    """What is judged: `services`, and `modes` of Firestore."""
    parser = argparse.ArgumentParser(prog="python -m tests.judge", description=__doc__)
    parser.add_argument("services", nargs="*", choices=[*SERVICES, EVERY], default=EVERY)
    parser.add_argument("--mode", choices=list(Concurrency), help="Firestore's; default: both")
    found = parser.parse_args(arguments)
    found.services = list(SERVICES) if EVERY in found.services else found.services
    found.modes = [Concurrency(found.mode)] if found.mode else list(Concurrency)
    return found


def _verdicts(arguments: argparse.Namespace) -> Iterator[tuple[str, Verdict, bool]]:
    """What was judged, how it went, and whether that is good enough."""
    for name in arguments.services:
        if name == "firestore":
            for mode in arguments.modes:
                verdict = firestore.judge(mode)
                yield f"firestore, {mode}", verdict, firestore.is_good(verdict)
        else:
            verdict = SERVICES[name].judge()
            yield name, verdict, SERVICES[name].is_good(verdict)


if __name__ == "__main__":
    sys.exit(main())
