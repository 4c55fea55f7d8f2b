"""What doctor says of one thing that it looked at."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from enum import StrEnum
from typing import Final

from msgspec import Struct

from shared.errors import RollbackError


class Verdict(StrEnum):
    """How a thing stands."""

    WELL = "well"
    DOUBTFUL = "doubtful"
    """It works, or may; a person should know."""
    WRONG = "wrong"
    """Something will not happen when it must."""
    UNKNOWN = "unknown"
    """It could not be looked at."""


class Finding(Struct, frozen=True):
    """One row of the table."""

    check: str
    """One of `CHECKS`."""
    what: str
    verdict: Verdict
    why: str
    what_to_do: str = ""


CHECKS: Final = {
    # of the installation
    "settings": "settings and policies are usable",
    "state": "the state database answers, and its time is this machine's",
    "topics": "every topic is there",
    "subscriptions": "each topic is pushed to its entry point as it should be",
    "letters-kept": "dead letters are kept until a person takes them out",
    "publishers": "who may publish on a topic",
    "deployed": "the functions are there and active",
    "code": "what is deployed is this checkout, with these policies",
    "clock": "the clock's sweeps of the last two half minutes",
    "overdue": "nothing has been due for more than two minutes",
    "dead-letters": "whether dead letters wait",
    # of each system
    "mode": "how far automation may go, and what stops it",
    "stable": "there is a deployment to go back to, and it can be gone back to",
    "functions": "the policy's functions are the live ones",
    "services": "services are named as alerts name them",
    "revisions": "the newest ready revision of each service is in the list of revisions",
    "routers": "the routers send requests where the services say",
    "write-quota": "the write quota is the declared one",
    "metrics": "the routers' counts arrive",
    "probes": "the probes' addresses answer well",
    "looks": "the clock's own looks through the probes are fresh",
    "hosting": "the sites can be read",
    "remote-config": "the Remote Config template can be read",
    "rules": "the releases of rules can be read",
    "identity": "the configuration of Identity Platform can be read",
    "indexes": "the indexes of the databases can be read",
    "secrets": "the versions of the secrets can be read",
    "schedules": "the Cloud Scheduler jobs can be read",
    "accounts": "the roles of the runtime accounts can be read",
}
"""What is looked at, by name."""

ESSENTIAL: Final = frozenset(
    {"state", "topics", "subscriptions", "letters-kept", "clock", "stable", "functions"}
)
"""Where not knowing is itself bad news: without these nothing goes back."""


CLAIMS: Final = frozenset(
    {
        *("clock", "deployed", "publishers"),
        *("functions", "services", "revisions", "routers", "metrics", "looks"),
        *("hosting", "remote-config", "identity", "indexes", "schedules", "accounts"),
    }
)
"""Those that look at a claim that no test here can verify, as docs/unverified.md says."""


def exit_code(findings: Iterable[Finding]) -> int:
    """0: nothing is wrong; 1: something is; 3: something essential could not be looked at."""
    found = [*findings]
    if any(one.verdict is Verdict.WRONG for one in found):
        return 1
    unseen = {one.check for one in found if one.verdict is Verdict.UNKNOWN}
    return 3 if unseen & ESSENTIAL else 0


def unseen(check: str, what: str, error: RollbackError) -> Finding:
    """The finding of what gave no answer."""
    said = f"could not look: {error}"
    return Finding(check, what, Verdict.UNKNOWN, said, "look again; do you have the rights?")


def named(names: Collection[str], most: int = 5) -> str:
    """The first of them, and how many more."""
    shown = sorted(names)[:most]
    more = len(names) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")
