"""What `rollback status` and `rollback watch` tell of the response to an incident."""

import io
import json
import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from rich.console import Console

from cli.support.incident_follower import FollowedIncident, render_incident
from cli.support.response_time import prompt_lines, response_lines
from shared.core.codec import encode
from shared.core.store import Put
from shared.domain.incidents.incident import Incident, IncidentStatus, TimelineEvent
from shared.domain.incidents.next_actions import available_verbs
from shared.domain.incidents.recovery_times import RecoveryTimes, measure_recovery
from shared.domain.incidents.response_status import EscalationStep, ResponseStatus, evaluate_response
from shared.domain.notices.notice import Notice, NoticeStatus, WithdrawalCondition
from shared.domain.policy.severity import Severity
from shared.domain.rollback import rollback as rollbacks
from shared.domain.rollback.plan import Step, StepStatus
from shared.domain.rollback.rollback import Rollback, RollbackStatus
from tests.support.cli.in_process import WorldPrompt
from tests.support.fakes.runtime.clock import START
from tests.support.fakes.runtime.hooks import no_hook
from tests.support.notices.response import build_escalation_notices, build_incident, build_rollback
from tests.support.runtime.world import BOOKSHOP, World

SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)


def evaluate(
    incident: Incident, newest: Rollback | None, notices: list[Notice], now: datetime
) -> tuple[ResponseStatus, RecoveryTimes]:
    """The response and the times of an incident with this rollback."""
    times = measure_recovery(BOOKSHOP, incident, [newest] if newest is not None else [])
    return evaluate_response(incident, times, notices, now), times


@pytest.mark.parametrize("severity", Severity)
def test_the_response_time_of_each_severity_runs(severity: Severity) -> None:
    """What is left of it is told to the second; at its very moment nothing is breached yet."""
    trouble = build_incident(severity=severity, signal="frontend_unavailable")
    whole = BOOKSHOP.targets.by_severity[severity]
    at = {
        left: evaluate(trouble, None, [], START + whole - left)
        for left in (whole, SECOND, timedelta(), -SECOND)
    }

    assert {left: one.seconds_left for left, (one, _) in at.items()} == {
        left: left.total_seconds() for left in at
    }
    assert [one.is_breached for one, _ in at.values()] == [False, False, False, True]
    assert response_lines(*at[SECOND], "INC-1", START + whole - SECOND)[1][0].endswith(
        f"({severity} incident), 1 s left"
    )
    assert response_lines(*at[-SECOND], "INC-1", START + whole + SECOND)[1][0].endswith("missed 1 s ago")


WATCHED = build_rollback(RollbackStatus.WATCHING, verified_at=START + 4 * MINUTE)
LATE = build_rollback(RollbackStatus.SUCCEEDED, verified_at=START + 11 * MINUTE)
WORSE = build_rollback(RollbackStatus.FAILED, verified_at=START + 4 * MINUTE)
RESTORED = (
    (IncidentStatus.WATCHING, WATCHED, None, "6 min 0 s to spare"),
    (IncidentStatus.RESOLVED, LATE, START + 40 * MINUTE, "1 min 0 s late"),
    (
        IncidentStatus.RECOVERY_NOT_OBSERVED,
        build_rollback(RollbackStatus.FAILED),
        START + MINUTE,
        "recovery was not observed",
    ),
    (IncidentStatus.ESCALATED, WATCHED, None, "6 min 0 s to spare"),
    (IncidentStatus.ESCALATED, WORSE, None, "missed 50 min 0 s ago"),
    (IncidentStatus.INVESTIGATING, None, None, "missed 50 min 0 s ago"),
)
"""An incident an hour after its detection, and what is told of its ten minutes."""


@pytest.mark.parametrize(("status", "newest", "ended_at", "said"), RESTORED)
def test_what_ends_the_response_time(
    status: IncidentStatus, newest: Rollback | None, ended_at: datetime | None, said: str
) -> None:
    """Verification ends it while it holds; what a person ends proves nothing."""
    now = START + 60 * MINUTE

    verified_at = newest.verified_at if newest and status is IncidentStatus.WATCHING else None
    timeline = [TimelineEvent(status, ended_at or verified_at or START, "what became of it")]
    standing = evaluate(build_incident(status, ended_at=ended_at, timeline=timeline), newest, [], now)

    assert any(said in line for line, _ in response_lines(*standing, "INC-1", now))


def test_who_is_called_next_and_when() -> None:
    """The first rung that is not climbed, with its contact and all its channels."""
    now = START + 2 * MINUTE

    standing, times = evaluate(build_incident(), None, build_escalation_notices(), now)

    call = EscalationStep(1, "keeper", ["night-shift"], START + 5 * MINUTE)
    assert standing.next_call == call
    [*_, unheard, said] = [text for text, _ in response_lines(standing, times, "INC-1", now)]
    assert unheard == "nobody has acknowledged it: rollback ack INC-1 --reason WHY"
    assert said.startswith("next on call: keeper (night-shift) in 3 min, at ")


@pytest.mark.parametrize(
    ("changes", "notices"),
    [
        ({"acknowledged_by": "anna", "acknowledged_at": START}, build_escalation_notices()),
        ({"ended_at": START + MINUTE}, build_escalation_notices()),
        ({}, build_escalation_notices(status=NoticeStatus.SENT, due_at=None)),
        ({}, build_escalation_notices(unless=WithdrawalCondition.RESTORED)),
        ({}, []),
        (
            {"timeline": [TimelineEvent(IncidentStatus.RESOLVED, START + MINUTE, "over")]},
            build_escalation_notices(),
        ),
    ],
    ids=["acknowledged", "over", "all called", "another kind", "no ladder", "of the time before"],
)
def test_nobody_further_is_called(changes: dict[str, Any], notices: list[Notice]) -> None:
    """Where the notice that would call them would withdraw itself, or there is none."""
    standing, _ = evaluate(build_incident(**changes), None, notices, START + MINUTE)

    assert standing.next_call is None


def test_the_second_rung_follows_the_first() -> None:
    """What was sent is behind us."""
    sent = [
        replace(one, status=NoticeStatus.SENT, due_at=None) if "on-call-1" in one.event else one
        for one in build_escalation_notices()
    ]

    call = evaluate(build_incident(), None, sent, START + 6 * MINUTE)[0].next_call

    assert call is not None
    assert (call.rung, call.called, call.at) == (2, "night-shift", START + 15 * MINUTE)


def pictured(newest: Rollback, steps: list[Step], now: datetime) -> str:
    """What a terminal of 120 columns shows."""
    trouble = build_incident(acknowledged_by="anna", acknowledged_at=START)
    standing, times = evaluate(trouble, newest, [], now)
    standing = replace(standing, commands=newest.commands)
    seen = FollowedIncident(trouble, newest, steps, times, standing, now)
    screen = Console(file=io.StringIO(), width=120, force_terminal=True, color_system=None)
    screen.print(render_incident(seen))
    assert isinstance(screen.file, io.StringIO)
    return screen.file.getvalue()


def test_progress_stands_beside_the_targets() -> None:
    """Bars of the steps and of the watch, with the time that it took and that it may take."""
    ended = [Step(f"s{n}", "shift", "f", status=StepStatus.DONE) for n in range(3)]
    steps = [*ended, Step("s3", "shift", "f"), Step("s4", "shift", "f")]

    running = pictured(build_rollback(), steps, START + 2 * MINUTE)
    watched = pictured(
        build_rollback(
            RollbackStatus.WATCHING,
            started_at=START,
            shifted_at=START + 3 * MINUTE,
            verified_at=START + 4 * MINUTE,
            watch_until=START + 34 * MINUTE,
        ),
        steps[:3],
        START + 14 * MINUTE,
    )

    assert "traffic is not restored yet" in running
    assert "not recovered yet; the target is 10 min 0 s (functions rollback), 8 min 0 s left" in running
    assert "acknowledged by anna at 2026-03-02 12:00:00 UTC" in running
    assert "steps" in running
    assert "3/5" in running
    assert "━" in running
    assert "traffic restored 3 min 0 s after detection" in watched
    assert "recovered 4 min 0 s after detection; the target is 10 min 0 s" in watched
    assert "minutes watched" in watched
    assert "10/30" in watched


CHOICES: tuple[tuple[RollbackStatus, IncidentStatus, list[str]], ...] = (
    (RollbackStatus.FAILED, IncidentStatus.ESCALATED, ["retry", "undo", "accept"]),
    (RollbackStatus.CANCELLED, IncidentStatus.ESCALATED, ["retry", "accept"]),
    (RollbackStatus.PARKED, IncidentStatus.INVESTIGATING, ["approve", "reject", "cancel"]),
    (RollbackStatus.RUNNING, IncidentStatus.ROLLING_BACK, ["cancel"]),
    (RollbackStatus.SUCCEEDED, IncidentStatus.INVESTIGATING, ["accept"]),
)


@pytest.mark.parametrize(("status", "trouble", "verbs"), CHOICES)
def test_a_person_is_told_what_may_be_said(
    status: RollbackStatus, trouble: IncidentStatus, verbs: list[str]
) -> None:
    """One that failed offers its ways to end, and nothing else; each is a line of ours."""
    found = available_verbs(build_incident(trouble), build_rollback(status))
    assert prompt_lines("INC-20260302-001", found) == [
        f"rollback {verb} INC-20260302-001 --reason WHY" for verb in verbs
    ]


@pytest.fixture
def trouble(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> tuple[World, WorldPrompt]:
    """A bad release that automation rolls back."""
    world = World()
    world.deploy_bad()
    world.alert()
    return world, WorldPrompt(monkeypatch, tmp_path, world)


def test_an_incident_is_followed_to_its_end(trouble: tuple[World, WorldPrompt]) -> None:
    """Each moment once, who is called and until when it must be back; exit code 0 in the end."""
    world, prompt = trouble
    world.settle()
    opened = world.incident

    done = prompt.say("watch", opened.id)

    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    assert len(lines) == len(set(lines))
    assert done.stdout.count("next on call: keeper") == 1
    assert done.stdout.count("nobody has acknowledged it") == 1
    assert "recovered 3 min 8 s after detection; the target is" in done.stdout
    assert [one.status for one in world.rollbacks()] == [RollbackStatus.SUCCEEDED]


def test_a_terminal_shows_the_bars_while_it_is_followed(
    trouble: tuple[World, WorldPrompt], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each look in the place of the one before; what stays is the time line and the end."""
    world, prompt = trouble
    world.settle()
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")

    done = prompt.say("watch", world.incident.id)

    assert done.exit_code == 0, done.output
    pictures, _, left = done.stdout.rpartition("\x1b[2K")
    assert re.search(r"steps .*━.*/11", pictures)
    assert re.search(r"minutes watched .*━.*/15", pictures)
    assert "the target is 10 min" in pictures
    assert "Resolved" in left


def test_status_shows_the_response_time_and_who_has_it(trouble: tuple[World, WorldPrompt]) -> None:
    """At each look what is left by then; an acknowledgement takes the place of the next call."""
    world, prompt = trouble
    world.ports.bus.messages.clear()
    world.command(command="pause")
    world.settle()
    world.alert()
    world.settle()
    opened = world.incident

    first = json.loads(prompt.say("status", "--json").stdout)["systems"][0]["response"]
    world.advance_clock(MINUTE)
    later = json.loads(prompt.say("status", "--json").stdout)["systems"][0]["response"]
    shown = prompt.say("status").stdout
    assert prompt.say("ack", opened.id).exit_code == 0
    acknowledged = prompt.say("status").stdout

    assert round(first["seconds_left"] - later["seconds_left"]) == 60
    assert first["next_call"]["called"] == "keeper"
    assert "next on call: keeper" in shown
    assert "acknowledged by " in acknowledged
    assert "next on call" not in acknowledged


def test_what_a_superseded_rollback_has_in_flight_is_counted(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A pause is no more than requested while anything of anybody is on its way."""
    world = World()
    world.deploy_bad()
    world.command(command="rollback", system=BOOKSHOP.system)
    world.settle()
    newest = world.rollback
    older = build_rollback(in_flight=3, cancel_requested=f"superseded by {newest.incident}")
    older = replace(older, id="INC-20260301-009", incident="INC-20260301-009")
    world.store.commit([Put(rollbacks.rollback_path(older.id), encode(older))])
    world.command(command="pause")
    [message] = world.waiting()
    assert world.deliver(message)
    prompt = WorldPrompt(monkeypatch, tmp_path, world)

    seen = json.loads(prompt.say("status", "--json").stdout)

    assert seen["pause"] == "PAUSE_REQUESTED"
    assert seen["systems"][0]["in_flight"] == newest.in_flight + 3
    line = f"rollback INC-20260301-009: Running, superseded by {newest.incident}, 3 in flight"
    assert line in prompt.say("status").stdout


def halt_after_first_shift(world: World, *commands: str) -> None:
    """A person says these at the first shift, before its worker goes on."""
    said: list[str] = []

    def say(verb: str, side: str) -> None:
        if (verb, side) == ("platform.shift", "after") and not said:
            said.extend(commands)
            for one in commands:
                world.send_command(one, actor="anna", reason="I look")
                world.deliver_newest()

    world.platform.hook = say


@pytest.mark.parametrize("terminal", [False, True])
def test_a_pause_is_shown_while_a_rollback_is_followed(
    trouble: tuple[World, WorldPrompt], monkeypatch: pytest.MonkeyPatch, terminal: bool
) -> None:
    """Who paused, why, and the line that resumes: no forecast counts down while nothing is done."""
    world, prompt = trouble
    halt_after_first_shift(world, "pause")
    world.settle()
    opened = world.incident
    if terminal:
        monkeypatch.setenv("FORCE_COLOR", "1")
        monkeypatch.setenv("TERM", "xterm")
        monkeypatch.setenv("COLUMNS", "300")

    shown, looked = prompt.say("status").stdout, json.loads(prompt.say("status", "--json").stdout)
    looks = iter(range(5))

    def resume_at_the_fifth_look(verb: str, side: str) -> None:
        if (verb, side) == ("store.get", "before") and next(looks, None) is None:
            world.store.hook = no_hook
            world.send_command("resume")

    world.store.hook = resume_at_the_fifth_look
    done = prompt.say("watch", opened.id)

    line = "paused since 2026-03-02 12:10:01 UTC by anna: I look; "
    resume = "to continue: rollback resume --system bookshop --reason WHY"
    assert line + resume in shown
    assert " s left" not in shown.partition("rollback INC")[2]
    assert looked["systems"][0]["outlook"] is None
    assert looked["systems"][0]["response"]["hold"] == line + resume
    assert done.exit_code == 0, done.output
    assert line + resume in done.stdout


def test_who_ordered_and_who_cancels_is_shown_with_the_reason(trouble: tuple[World, WorldPrompt]) -> None:
    """In `status`, while it is followed, and in `explain`."""
    world, prompt = trouble
    world.ports.bus.messages.clear()
    world.send_command("rollback", actor="bob", reason="checkout broken")
    halt_after_first_shift(world, "pause")
    world.settle()
    opened = world.incident
    world.send_command("cancel", actor="anna", reason="wrong target", incident=opened.id)
    world.deliver_newest()

    status, explained = prompt.say("status").stdout, prompt.say("explain", opened.id).stdout
    rollback = world.rollback
    followed = pictured(rollback, [], world.now)

    for shown in (status, explained, followed):
        assert "ordered by bob: checkout broken" in shown
        assert "cancelled by anna: wrong target" in shown
    assert "acknowledged by bob at " in explained


def test_an_explanation_reads_as_words(trouble: tuple[World, WorldPrompt]) -> None:
    """No stored value, no raw time, and nothing twice."""
    world, prompt = trouble
    world.settle()

    result = prompt.say("explain", world.incident.id).stdout

    assert "  function failure rate in bookshop\n" in result
    assert re.search(r"  function failure rate: open; it opened the incident\n", result)
    assert re.search(r": decided at \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC \(functions, back to v1\)\n", result)
    assert not re.search(r"\+00:00|function_failure_rate|open \(open\)|ROLLING_BACK", result)
