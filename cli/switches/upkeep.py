"""`rollback drill`, `notify`, `check` and `regenerate`: commands about one system."""

from collections.abc import Iterator
from typing import Annotated

import typer

from cli.support.command_sending import (
    ANSWER_TIMEOUT_SECONDS,
    POLL_INTERVAL_SECONDS,
    Reason,
    conclude_command,
    send,
    send_command,
)
from cli.support.context import Operations, open_operations
from cli.support.exit_codes import INVALID_USAGE, REFUSED, create_exit
from cli.support.options import FUNCTIONS, Functions, Groups, Scenario, Target
from cli.support.output import AsJson, System, format_time, print_json, print_line
from cli.support.parameters import argument, flag, option
from shared.domain.data.integrity import scan
from shared.domain.data.integrity.damage import IntegrityRecord
from shared.domain.notices.notice import Notice, NoticeStatus
from shared.domain.policy.system_policy import Policy
from shared.domain.rollback.rollback import LAST_STABLE


def drill(
    reason: Reason,
    system: System = "",
    group: Groups = None,
    function: Functions = None,
    target: Target = LAST_STABLE,
    scenario: Scenario = FUNCTIONS,
    as_json: AsJson = False,
) -> None:
    """Rehearse a rollback without any change, store the result, and notify the team.

    A promotion may need drills of `functions` or `complete` that agree (`drills_before_ask`,
    `drills_before_act` in the policy).
    """
    send_command(
        "drill", reason, system, as_json, scenario=scenario, target=target, groups=group, functions=function
    )


def notify(
    test: Annotated[bool, flag("--test", "send a test; nothing else can be sent")] = False,
    reason: Reason = "a test",
    system: System = "",
    as_json: AsJson = False,
) -> None:
    """Test every channel but those to users and the public, and show which accepted it."""
    if not test:
        raise create_exit(INVALID_USAGE, "only a test can be sent: --test")
    with open_operations() as ours:
        named = ours.declared_policy(system).system
        answer = send(ours, {"command": "notify", "system": named, "reason": reason})
        if not answer.accepted:
            conclude_command(answer, as_json)
        found = _await_result(ours, f"test-{answer.command}")
    if as_json:
        print_json({one.channel: one.status for one in found})
    for one in () if as_json else found:
        print_line(f"{one.channel}: {one.status}{f', {one.last_error}' if one.last_error else ''}")
    if not found or any(one.status is not NoticeStatus.SENT for one in found):
        raise typer.Exit(REFUSED)


def _await_result(ours: Operations, key: str) -> list[Notice]:
    """Return the notices of a test, once each is sent or given up, or after a minute."""
    clock = ours.wiring.clock
    give_up_at = clock.monotonic() + ANSWER_TIMEOUT_SECONDS
    while True:
        found = ours.reading.notices(key)
        if not any(one.is_waiting for one in found) or clock.monotonic() > give_up_at:
            return found
        clock.sleep(POLL_INTERVAL_SECONDS)


def check(reason: Reason, system: System = "", as_json: AsJson = False) -> None:
    """Start a check of the declared data, and show the findings of the newest one.

    The new check begins within a minute, and opens an alert if it observes damage.
    """
    with open_operations() as ours:
        policy = ours.policy(system)
        answer = send(ours, {"command": "check", "system": policy.system, "reason": reason})
        if not answer.accepted:
            conclude_command(answer, as_json)
        found = ours.reading.integrity(policy.system)
    if as_json:
        print_json({"answer": answer, "integrity": found})
        return
    print_line(answer.text)
    for line in integrity_lines(policy, found):
        print_line(line)


def integrity_lines(policy: Policy, found: IntegrityRecord | None) -> Iterator[str]:
    """Return the findings on the data, in words."""
    if found is None or found.last is None:
        yield "the data were not checked yet"
        return
    yield scan.describe_coverage(found.last, policy.integrity)
    if found.failure:
        yield f"the newest run failed: {found.failure}"
    for one in found.open_findings.values():
        yield f"{one.signal}: {one.reason}"
        yield f"  since {format_time(one.onset_at)} UTC ({one.onset})"
        yield from (f"  changed before: {suspect}" for suspect in one.suspects)
        yield from (f"  {it.path}: {it.reason}" for it in one.samples)


def regenerate(
    collection: Annotated[str, argument("COLLECTION", "one with `derived` in the policy")],
    reason: Reason,
    document: Annotated[
        list[str] | None, option("PATH", "one to regenerate, such as jobs/1; default: all")
    ] = None,
    system: System = "",
    as_json: AsJson = False,
) -> None:
    """Request the application to regenerate the data that it derives from a collection.

    The request is a message on each topic that the policy declares for the collection.
    """
    send_command("regenerate", reason, system, as_json, collection=collection, documents=document)
