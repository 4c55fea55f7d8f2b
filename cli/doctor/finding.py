"""What doctor says of one thing that it looked at."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from enum import StrEnum
from typing import Final

from msgspec import Struct

from shared import shortened
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
    "versions": "libraries and runtimes are the stated ones",
    "topics": "every topic is there",
    "schemas": "the topics of commands have a schema, and no other topic has",
    "subscriptions": "each topic is pushed to its entry point as it should be",
    "letters-kept": "dead letters are kept until a person takes them out",
    "publishers": "who may publish on a topic",
    "deployed": "the functions are there and active",
    "code": "what is deployed is this checkout, with these policies",
    "console": "operators find the console, and it may publish what they say",
    "clock": "the clock's sweeps of the last two half minutes",
    "overdue": "nothing has been due for more than two minutes",
    "anchors": "the heads of the audit trail are anchored outside the database",
    "apis": "the APIs are on through which people are looked up and users are reached",
    "dead-man": "the switch outside Google is kept quiet",
    "readers": "nobody reads values of variables and exports but whom they are for",
    "dead-letters": "whether dead letters wait",
    # of the installation, and of each system
    "alert-policies": "an alert speaks of each signal that a metric shows",
    "metric-names": "Cloud Monitoring knows what alerts and dashboards ask for",
    "queries": "what they ask for in PromQL can be evaluated, and is measured",
    # of each system
    "mode": "how far automation may go, and what stops it",
    "stable": "there is a deployment to go back to, and its revisions are ready",
    "proof": "all that it needs could be looked at, and is there",
    "kept": "what its functions are built from is kept",
    "stand": "revisions can be made to start, and those of that deployment do",
    "functions": "the policy's functions are the live ones",
    "sources": "each function shows the very source that it was built from",
    "services": "services are named as alerts name them",
    "revisions": "the newest ready revision of each service is in the list of revisions",
    "routers": "the routers send requests where the services say",
    "write-quota": "the write quota is the declared one",
    "metrics": "the routers' counts arrive",
    "sign-ins": "sign-ins are counted, where their failures verify a rollback",
    "invokers": "it is known who may call each function",
    "probes": "the probes' addresses answer well",
    "alert-ids": "an alert that was kept can be read back by its id",
    "looks": "the clock's own looks through the probes are fresh",
    "own-roles": "the responders have their roles in the application",
    "request-log": "Identity Platform logs requests, where a signal counts them",
    "hosting": "the sites can be read",
    "remote-config": "the Remote Config template can be read",
    "rules": "the releases of rules can be read",
    "identity": "the configuration of Identity Platform can be read",
    "secret-settings": "no setting that is recorded looks as if it held a secret",
    "indexes": "the indexes of the databases can be read",
    "secrets": "the versions of the secrets can be read",
    "schedules": "the Cloud Scheduler jobs can be read",
    "accounts": "the roles of the runtime accounts can be read",
    "exports": "the newest export is whole, copied and recent",
    "backup-proof": "the newest backup that was tried can be restored",
    "native-backups": "Google's own backups are complete",
    "data": "the documents, and the files that they name, can be looked through",
    "expiry": "it is known by what documents expire",
    "triggers": "it is known which triggers might hear of documents",
    "assets": "assets are as the policy declares them",
    "channels": "what was said through each channel was taken",
    "status-page": "everybody reads the status page, and no cache keeps it",
}
"""What is looked at, by name."""

ESSENTIAL: Final = frozenset(
    {"state", "topics", "subscriptions", "letters-kept", "clock", "stable", "functions"}
)
"""Where not knowing is itself bad news: without these nothing goes back."""


CLAIMS: Final = frozenset(
    {
        *(
            "anchors",
            "apis",
            "clock",
            "dead-man",
            "deployed",
            "publishers",
            "readers",
            "schemas",
            "subscriptions",
        ),
        *("alert-ids", "alert-policies", "metric-names", "queries", "request-log"),
        *("channels", "data", "expiry", "invokers", "probes", "secret-settings"),
        *("sign-ins", "triggers", "write-quota", "sources"),
        *("proof", "kept", "functions", "services", "revisions", "routers", "metrics", "looks"),
        "stand",
        *("hosting", "remote-config", "identity", "indexes", "schedules", "accounts"),
        *("exports", "backup-proof", "native-backups", "assets", "status-page"),
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
    return shortened.phrase(sorted(names), most)
