"""Whether what is counted and compared of a system is known: answers in, findings out."""

from __future__ import annotations

from collections.abc import Iterator

from cli.doctor.finding import Finding, Verdict, named, unseen
from shared.checks import counts_sign_ins
from shared.errors import RollbackError
from shared.health import Requests
from shared.inventory import WholeInventory
from shared.policy import Policy, ScenarioName

SECRETIVE = ("credential", "key", "password", "private", "secret", "token")
"""What the name of a setting says that holds a secret."""


def sign_ins(policy: Policy, found: Requests | RollbackError) -> Iterator[Finding]:
    """Whether sign-ins are counted, where a verification asks for their failures."""
    if not counts_sign_ins(policy, ScenarioName.AUTH):
        return
    check, name = "sign-ins", policy.project
    if isinstance(found, RollbackError):
        yield unseen(check, name, found)
    elif not found.total:
        why = "none was counted within a day: no rollback of authentication is verified"
        to_do = "does anybody sign in? is request logging on, and the counter there?"
        yield Finding(check, name, Verdict.DOUBTFUL, why, to_do)
    else:
        why = f"{found.total} were counted within a day, {found.failed} of them failed"
        yield Finding(check, name, Verdict.WELL, why)


def invokers(policy: Policy, rest: WholeInventory) -> Finding:
    """Whether it is known who may call each function."""
    check, name = "invokers", policy.project
    if rest.invokers is None:
        why = "who may call functions could not be read, or not of all: it is not compared"
        return Finding(check, name, Verdict.UNKNOWN, why, "do you have the rights?")
    return Finding(check, name, Verdict.WELL, f"read of {len(rest.invokers)} functions")


def secretive(policy: Policy, rest: WholeInventory) -> Iterator[Finding]:
    """Whether a setting of Identity Platform that is recorded looks as if it held a secret."""
    if not policy.resources.identity or rest.identity is None:
        return
    check, name = "secret-settings", policy.project
    doubtful = {
        path
        for path, value in rest.identity.items()
        if isinstance(value, str)
        and any(word in path.rpartition(".")[2].lower() for word in SECRETIVE)
    }
    if doubtful:
        why = f"recorded, and called as if it held a secret: {named(doubtful)}"
        to_do = "if it does, name it in shared/inventory.py: see docs/unverified.md"
        yield Finding(check, name, Verdict.DOUBTFUL, why, to_do)
    else:
        yield Finding(check, name, Verdict.WELL, "no setting that is recorded is called a secret")
