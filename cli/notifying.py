"""`rollback notify`: every channel is tried, and what became of it is said."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.screen import AsJson, System, print_json, say
from cli.sending import ANSWER_SECONDS, LOOK_EVERY_SECONDS, Reason, conclude, send
from cli.wired import NO, UNUSABLE, Operations, leaving, operations
from shared.notice import Notice, Status


def notify(
    test: Annotated[bool, typer.Option("--test", help="a test: the only thing to be said")] = False,
    reason: Reason = "a test",
    system: System = "",
    as_json: AsJson = False,
) -> None:
    """Try every channel but those to users and the public, and say which have taken it."""
    if not test:
        raise leaving(UNUSABLE, "only a test can be said: --test")
    with operations() as ours:
        named = ours.policy(system).system
        answer = send(ours, {"command": "notify", "system": named, "reason": reason})
        if not answer.accepted:
            conclude(answer, as_json=as_json)
        found = _settled(ours, f"test-{answer.command}")
    if as_json:
        print_json({one.channel: one.status for one in found})
    for one in () if as_json else found:
        say(f"{one.channel}: {one.status}{f', {one.last_error}' if one.last_error else ''}")
    if not found or any(one.status is not Status.SENT for one in found):
        raise typer.Exit(NO)


def _settled(ours: Operations, key: str) -> list[Notice]:
    """The notices of a test, once each is said or given up, or after a minute."""
    clock = ours.wiring.clock
    give_up_at = clock.monotonic() + ANSWER_SECONDS
    while True:
        found = ours.reading.notices(key)
        if not any(one.is_waiting for one in found) or clock.monotonic() > give_up_at:
            return found
        clock.sleep(LOOK_EVERY_SECONDS)
