"""`rollback check`: has the data looked through, and says what is known of it."""

from __future__ import annotations

from collections.abc import Iterator

from cli.screen import AsJson, System, at, print_json, say
from cli.sending import Reason, conclude, send
from cli.wired import operations
from shared import integrity
from shared.damage import Record
from shared.policy import Policy

NOT_YET = "the data have not been looked through yet"


def check(reason: Reason, system: System = "", as_json: AsJson = False) -> None:
    """Have the declared data looked through now, and tell what the newest look has found.

    The new one begins within a minute, and is told by alert where it finds damage.
    """
    with operations() as ours:
        policy = ours.policy(system)
        said = {"command": "check", "system": policy.system, "reason": reason}
        answer = send(ours, said)
        if not answer.accepted:
            conclude(answer, as_json=as_json)
        found = ours.reading.integrity(policy.system)
    if as_json:
        print_json({"answer": answer, "integrity": found})
        return
    say(answer.text)
    for line in lines(policy, found):
        say(line)


def lines(policy: Policy, found: Record | None) -> Iterator[str]:
    """What is known of the data, in words."""
    if found is None or found.last is None:
        yield NOT_YET
        return
    yield integrity.said(found.last, policy.integrity)
    if found.failure:
        yield f"the newest run could not look: {found.failure}"
    for one in found.open.values():
        yield f"{one.signal}: {one.reason}"
        yield f"  since {at(one.onset_at)} UTC ({one.onset})"
        yield from (f"  changed before: {suspect}" for suspect in one.suspects)
        yield from (f"  {it.path}: {it.reason}" for it in one.samples)
