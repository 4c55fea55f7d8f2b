"""`rollback approve` at the prompt: what a person reads before the question is answered."""

import shlex
from datetime import timedelta
from pathlib import Path
from typing import cast

import pytest
from msgspec.structs import replace
from typer.testing import CliRunner

from cli.app import app
from cli.support import command_sending
from shared.domain.policy.execution_limits import WriteQuota
from shared.domain.rollback.rollback import RollbackStatus
from tests.support.cli.in_process import WorldPrompt
from tests.support.notices.notices import read_notices
from tests.support.notices.user_messages import MINUTES, build_user, build_world_with_addresses, count_mails
from tests.support.rollbacks.approvals import build_failed_rollback, build_world_awaiting_approval
from tests.support.runtime.world import BOOKSHOP

SLOW = replace(BOOKSHOP, execution=replace(BOOKSHOP.execution, write_quota=WriteQuota(2, 0.1)))


@pytest.mark.parametrize("typed", ["n\n", "y\n"])
def test_a_plan_is_shown_whole_before_it_is_approved(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, typed: str
) -> None:
    """Each function now and then, why it is asked, its time, and the plan that is approved."""
    world = build_world_awaiting_approval(SLOW)
    WorldPrompt(monkeypatch, tmp_path, world)
    world.advance_clock(timedelta(seconds=30))
    parked = world.rollback
    assert parked.question is not None
    # In one thread the whole rollback passes before its answer can be read.
    monkeypatch.setattr(command_sending, "ANSWER_TIMEOUT_SECONDS", 3600.0)
    line = ["--without-sign-in", "approve", parked.incident, "--reason", "seen"]

    done = CliRunner().invoke(app, line, input=typed, catch_exceptions=False)

    before, _, _ = done.output.partition("Approve this plan?")
    assert "started by automation, because " in before
    [reason] = [gate["reason"] for gate in parked.gates if gate["leads_to"] == "ask"]
    assert before.startswith(f"Approval required: {reason}; the request expires at 2026-03-02 ")
    assert "approved by nobody: 0 of 1" in before
    assert " after detection, within the target of 10 min" in before
    for function in world.policy.functions:
        name = function.lower()
        assert f"{function} {name}-00002 {name}-00001" in " ".join(before.split())
    assert f"plan {parked.question.plan.fingerprint}" in before
    is_approved = typed == "y\n"
    assert done.exit_code == (0 if is_approved else 1), done.output
    now = world.rollback
    assert [word.plan for word in now.approvals] == [parked.question.plan.fingerprint] * is_approved
    assert (now.status is not RollbackStatus.PARKED) is is_approved


def test_nothing_is_approved_where_nothing_is_asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An answer that names no plan could approve a question that arises a moment later."""
    world = build_failed_rollback()
    prompt = WorldPrompt(monkeypatch, tmp_path, world)

    done = prompt.say("approve", world.incident.id, "--reason", "go", "--yes")

    assert done.exit_code == 1
    assert "has no open question; possible commands: retry, undo, accept" in done.output


def test_the_line_of_a_question_approves_a_message_to_users(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As it is pasted; the same line a second time approves nothing."""
    world = build_world_with_addresses(tmp_path, {"ada": build_user("ada")})
    world.pass_time(2 * MINUTES)
    prompt = WorldPrompt(monkeypatch, tmp_path, world)
    [asked] = [one for name, one in read_notices(world).items() if ":message.asked." in name]
    [line] = cast(list[str], asked["commands"])

    done = prompt.say(*shlex.split(line)[1:])
    again = prompt.say(*shlex.split(line)[1:])

    assert (done.exit_code, done.output) == (0, "approved the message by mail\n")
    assert count_mails(world).total() == 1
    assert again.exit_code == 1
    assert "waits for approval: its texts may have changed" in again.output
