from typing import Any

import pytest
from msgspec.structs import replace

from shared.core import topics
from shared.core.errors import Unavailable
from shared.core.store import Query, Update
from shared.domain.commands.credential import ROLE_CLAIM
from shared.domain.deployments.inventory.traffic import TrafficTarget
from shared.domain.incidents.incident import IncidentStatus
from shared.domain.notices.recipients import incident_stage
from shared.domain.policy.channels import IncidentStage
from shared.domain.policy.scenario_names import ScenarioName
from shared.domain.rollback.rollback import RollbackStatus
from shared.state.open_question import read_open_question
from shared.state.reader import StateReader
from tests.support.decision.outages import ABOUT_GET_BOOK, notice_texts, raise_probe_alarm
from tests.support.fakes.runtime.hooks import raise_error
from tests.support.notices.system_events import read_dead_letters
from tests.support.rollbacks.approvals import (
    HOUR,
    MINUTE,
    build_world_awaiting_approval,
    find_notice,
    publish_command,
)
from tests.support.runtime.world import BOOKSHOP, World

FOUR_EYES = replace(BOOKSHOP, gates=replace(BOOKSHOP.gates, four_eyes=(ScenarioName.FUNCTIONS,)))


def test_an_approved_plan_is_carried_out() -> None:
    """A question holds nothing; its answer sets the same machinery in motion."""
    world = build_world_awaiting_approval()
    before = world.live
    assert world.documents["systems/bookshop"]["slot"] == ""

    assert publish_command(world, "approve", actor="alice") == ""
    assert world.newest_rollback.outcome == ""  # why it asked is no outcome
    world.pass_time(HOUR)

    rollback = world.newest_rollback
    assert rollback.status is RollbackStatus.SUCCEEDED
    assert rollback.outcome == "no regression during monitoring"
    assert all(world.live[function] != before[function] for function in world.live)
    assert [word.actor for word in rollback.approvals] == ["alice"]
    pins = (one.fields or {} for one in world.store.query(Query("pins")))
    assert {pin["owner"] for pin in pins} == {"alice"}
    assert "rollback.approved" in world.events(rollback)
    assert "approved by alice" in next(
        answer["reason"] for answer in rollback.gates if answer["gate"] == "mode"
    )
    assert world.find_violated_invariants() == []


def test_the_question_says_what_would_be_done() -> None:
    """To what, of what, since when, with the two lines that answer it."""
    world = build_world_awaiting_approval()

    notice = find_notice(world, "rollback.parked")

    plan = world.newest_rollback.question
    assert plan is not None
    assert "back to v1, 8 functions" in notice["text"]
    assert "getBook: getbook-00002 → getbook-00001, changed 2026-03-02 12:00 UTC" in notice["text"]
    for verb in ("approve", "reject"):
        [line] = [one for one in notice["text"].splitlines() if f'"command":"{verb}"' in one]
        assert plan.plan.fingerprint in line
    assert len(notice["facts"]["difference"]) == 8


def test_another_plan_than_the_approved_one_is_asked_about_anew() -> None:
    """An approval is for exactly what was shown: when the world has moved, it counts nothing."""
    world = build_world_awaiting_approval()
    first = world.newest_rollback.question
    assert first is not None
    world.platform.deploy(["getBook"], failure_rate=0.8)
    world.advance_clock(MINUTE)

    publish_command(world, "approve", actor="alice")
    world.pass_time(5 * MINUTE)

    rollback = world.newest_rollback
    assert (rollback.status, rollback.approvals) == (RollbackStatus.PARKED, ())
    assert rollback.question is not None
    assert rollback.question.plan.fingerprint != first.plan.fingerprint
    assert world.platform.applied_shifts == []
    assert "of another plan" in publish_command(world, "approve", plan=first.plan.fingerprint)

    publish_command(world, "approve", actor="alice", plan=rollback.question.plan.fingerprint)
    world.pass_time(HOUR)

    assert world.newest_rollback.status is RollbackStatus.SUCCEEDED
    assert world.find_violated_invariants() == []


def test_a_rejected_plan_is_not_carried_out_and_nothing_else_is_either() -> None:
    """No is an answer: told, escalated, and automation leaves the incident to the person."""
    world = build_world_awaiting_approval()
    bad = world.live
    world.carry_out("promote", mode="act")

    publish_command(world, "reject", actor="bob", reason="we fix forward")
    world.alert("0.further")
    world.pass_time(HOUR)

    assert world.live == bad
    first, *others = world.rollbacks()
    assert (first.status, first.outcome) == (RollbackStatus.NOT_TAKEN, "rejected by bob: we fix forward")
    assert {one.status for one in others} <= {RollbackStatus.NOT_TAKEN}
    assert world.newest_incident.status is IncidentStatus.ESCALATED
    assert "we fix forward" in find_notice(world, "rollback.rejected")["text"]


def test_a_question_that_is_judged_again_can_still_be_answered() -> None:
    """An alert that joins does not turn a person's answer away."""
    world = build_world_awaiting_approval()
    world.ports.counts.hook = raise_error("metrics.requests", Unavailable("no answer"))
    world.advance_clock(10 * MINUTE)
    world.alert("0.further")
    world.pass_time(2 * MINUTE)
    assert world.newest_rollback.status is RollbackStatus.DECIDING

    assert publish_command(world, "reject", actor="bob") == ""
    world.pass_time(MINUTE)

    assert world.newest_rollback.outcome == "rejected by bob: a test"


def test_an_approval_while_it_is_judged_again_shortens_the_time_for_unknown_facts() -> None:
    """What cannot be read keeps a question open, but not the plan that people have approved."""
    world = build_world_awaiting_approval()
    rollback, now = world.newest_rollback, world.now
    later = {"status": RollbackStatus.DECIDING, "decide_by": now + HOUR}
    world.store.commit([Update(f"rollbacks/{rollback.id}", later)])
    assert world.newest_rollback.is_awaiting_approval

    assert publish_command(world, "approve", actor="alice") == ""

    decide_by = world.newest_rollback.decide_by
    assert decide_by is not None
    assert decide_by <= world.now + 5 * MINUTE


def test_a_question_that_is_judged_again_expires_when_it_would_have() -> None:
    """Whatever joins in between: no alert gives a question more time than its people were told."""
    world = build_world_awaiting_approval()
    until = world.newest_rollback.parked_until

    world.advance_clock(BOOKSHOP.gates.approval_expires - 3 * MINUTE)
    world.alert("0.further")
    world.pass_time(MINUTE)

    rollback = world.newest_rollback
    assert (rollback.status, rollback.parked_until) == (RollbackStatus.PARKED, until)
    assert "rollback.unparked" in world.events(rollback)
    world.pass_time(4 * MINUTE)
    assert world.newest_rollback.outcome == "the request for approval expired"


def test_nobody_answers_and_nothing_is_done() -> None:
    """A question expires into doing nothing and telling."""
    world = build_world_awaiting_approval()
    bad = world.live

    world.pass_time(BOOKSHOP.gates.approval_expires + 2 * MINUTE)

    assert world.live == bad
    assert world.newest_rollback.outcome == "the request for approval expired"
    assert '"command":"retry"' in find_notice(world, "rollback.expired")["text"]
    assert "prepared: functions back to v1, plan " in find_notice(world, "rollback.expired")["text"]


def test_four_eyes_are_two_people() -> None:
    """The same person twice is one person; two different ones are enough."""
    world = build_world_awaiting_approval(FOUR_EYES)

    assert publish_command(world, "approve", actor="alice") == ""
    assert "alice approved it already" in publish_command(world, "approve", actor="alice")
    world.pass_time(3 * MINUTE)
    assert world.newest_rollback.status is RollbackStatus.PARKED

    assert publish_command(world, "approve", actor="bob") == ""
    world.pass_time(HOUR)

    assert world.rollbacks()[-1].status is RollbackStatus.SUCCEEDED
    assert world.find_violated_invariants() == []


@pytest.mark.parametrize("auto_confirm", [True, False])
def test_who_orders_is_the_first_of_two_people(auto_confirm: bool) -> None:
    """An order of what needs four eyes waits for another pair, however it was confirmed."""
    world = World(policy=FOUR_EYES)
    world.deploy_bad()
    world.send_command("rollback", actor="alice", auto_confirm=auto_confirm)
    world.pass_time(2 * MINUTE)
    assert world.newest_rollback.status is RollbackStatus.PARKED
    assert "alice approved it already" in publish_command(world, "approve", actor="alice")

    publish_command(world, "approve", actor="bob")
    world.pass_time(HOUR)

    assert world.rollbacks()[-1].status is RollbackStatus.SUCCEEDED


CAREFUL = replace(BOOKSHOP, gates=replace(BOOKSHOP.gates, approvals=(ScenarioName.FUNCTIONS,)))


@pytest.mark.parametrize(
    ("content", "status"), [({}, RollbackStatus.PARKED), ({"auto_confirm": True}, RollbackStatus.SUCCEEDED)]
)
def test_an_order_is_confirmed_where_the_policy_asks(content: dict[str, Any], status: RollbackStatus) -> None:
    """An order is asked about once more, unless it confirms itself."""
    world = World(policy=CAREFUL)
    world.deploy_bad()

    world.send_command("rollback", actor="alice", **content)
    world.pass_time(20 * MINUTE)

    assert world.newest_rollback.status is status


def test_an_expired_question_is_approved_by_nobody() -> None:
    """It expired into doing nothing, also where its worker has not come to say so yet."""
    world = build_world_awaiting_approval()
    bad = world.live
    world.advance_clock(BOOKSHOP.gates.approval_expires + MINUTE)

    assert "expired at" in publish_command(world, "approve", actor="alice")
    world.pass_time(HOUR)

    assert world.live == bad
    assert world.newest_rollback.outcome == "the request for approval expired"


def test_a_policy_that_asks_more_people_asks_anew() -> None:
    """Who has approved before it was one of two does not keep the question open for ever."""
    world = build_world_awaiting_approval()
    first = world.newest_rollback.question
    world.policy = FOUR_EYES
    world.start_instances()

    assert publish_command(world, "approve", actor="alice") == ""
    world.pass_time(MINUTE)

    question = world.newest_rollback.question
    assert first is not None
    assert question is not None
    assert (first.needed, question.needed) == (1, 2)
    world.pass_time(HOUR)
    assert world.newest_rollback.status is RollbackStatus.NOT_TAKEN
    assert world.find_violated_invariants() == []


def test_two_names_of_one_person_are_one_person() -> None:
    """A changed address is no second pair of eyes."""
    world = build_world_awaiting_approval(FOUR_EYES)
    publish_command(world, "approve", actor="alice")
    about = {"system": "bookshop", "incident": world.newest_incident.id, "reason": "a test"}
    token = world.ports.sign_in.person(sub="uid-alice", email="someone.else", **{ROLE_CLAIM: "commander"})

    world.publish(topics.COMMANDS, {"version": 1, "command": "approve", **about, "token": token})
    world.pass_time(2 * MINUTE)

    assert "alice approved it already" in read_dead_letters(world)[-1]["reason"]
    assert world.newest_rollback.status is RollbackStatus.PARKED


def test_names_on_the_topic_without_proof_are_one_person() -> None:
    """Whoever may publish there can call themselves anything: one of two eyes must be proven."""
    world = build_world_awaiting_approval(FOUR_EYES)
    about = {"system": "bookshop", "incident": world.newest_incident.id, "reason": "a test"}
    for name in ("alice", "bob"):
        command = {"version": 1, "command": "approve", **about, "actor": name}
        world.publish(topics.OVERRIDE, command)
    world.pass_time(2 * MINUTE)
    assert world.newest_rollback.status is RollbackStatus.PARKED

    publish_command(world, "approve", actor="carol")
    world.pass_time(HOUR)

    assert world.rollbacks()[-1].status is RollbackStatus.SUCCEEDED


def test_a_question_that_is_judged_again_says_why_it_is_asked_now() -> None:
    """Another alert confirms it: the next evaluation has the reason, and no time counts twice."""
    world = World()
    world.carry_out("promote", mode="ask")
    raise_probe_alarm(world)
    world.pass_time(2 * MINUTE)
    first = world.newest_rollback.question
    world.alert("0.abc", resource=ABOUT_GET_BOOK)
    world.pass_time(2 * MINUTE)
    assert world.newest_rollback.question == first
    world.pass_time(3 * MINUTE)

    question = world.newest_rollback.question
    [asked], now = world.incidents(), world.now
    assert first is not None
    assert question is not None
    assert (question.plan, question.asked_at) == (first.plan, first.asked_at)
    assert "no second source" in first.reason
    assert "no second source" not in question.reason
    [*_, forecast] = read_open_question(StateReader(world.store), asked, now).summary
    assert "verified about 10 min 49 s after detection" in forecast  # 7 min have passed


def test_a_question_names_automation_and_who_added_to_it() -> None:
    """An order that became part of it hides neither what began it nor the cause."""
    world = World()
    world.carry_out("promote", mode="ask")
    raise_probe_alarm(world)
    world.pass_time(2 * MINUTE)
    [asked], parked = world.incidents(), world.newest_rollback
    world.store.commit([Update(f"rollbacks/{parked.id}", {"added_orders": ["joined by bob: me too"]})])

    summary = read_open_question(StateReader(world.store), asked, world.now).summary

    assert summary[0].startswith("Approval required: ")
    assert [line.partition(",")[0] for line in summary[2:4]] == [
        "started by automation",
        "joined by bob: me too",
    ]


def test_a_question_alone_publishes_no_outage() -> None:
    """Who is asked at once may find a false alarm; once the time to decide is over, it is one."""
    world = World()
    world.carry_out("promote", mode="ask")
    raise_probe_alarm(world)
    world.pass_time(MINUTE)
    asked = world.incident
    assert world.newest_rollback.status is RollbackStatus.PARKED
    assert asked.is_unconfirmed

    world.pass_time(4 * MINUTE)

    late = world.incident
    assert (late.status, late.is_unconfirmed) == (IncidentStatus.INVESTIGATING, False)


def test_a_question_expires_although_every_alert_is_over() -> None:
    """The routers still count failures: it is decided again now and then, and ends in time."""
    world = build_world_awaiting_approval()
    world.pass_time(2 * MINUTE)
    world.alert(state="closed")

    world.pass_time(BOOKSHOP.gates.approval_expires)

    rollback = world.newest_rollback
    assert rollback.outcome == "the request for approval expired"
    assert 1 <= world.events(rollback).count("rollback.unparked") <= 6


def test_an_unchanged_question_is_the_same_question() -> None:
    """Evaluated each 5 minutes: one notice, one line of the time line, no approval is lost."""
    world = build_world_awaiting_approval(FOUR_EYES)
    asked = world.newest_rollback
    assert publish_command(world, "approve", actor="alice") == ""

    world.pass_time(20 * MINUTE)

    now = world.newest_rollback
    assert now.question is not None
    assert asked.question is not None
    assert (now.status, now.parked_until) == (RollbackStatus.PARKED, asked.parked_until)
    assert (now.question.plan, now.question.asked_at) == (asked.question.plan, asked.question.asked_at)
    assert [one.actor for one in now.approvals] == ["alice"]
    assert 3 <= world.events(now).count("rollback.unparked") <= 4
    text = find_notice(world, "rollback.parked")["text"]  # the only one
    reasons = "; ".join(gate["reason"] for gate in now.gates if gate["leads_to"] == "ask")
    assert f"CRITICAL: Approval required: {reasons}; the request expires at " in text
    assert "2 different people" in text
    lines = [one.note for one in world.newest_incident.timeline]
    assert sum("must approve" in one for one in lines) == 1
    publish_command(world, "approve", actor="bob")
    world.pass_time(HOUR)
    assert world.newest_rollback.status is RollbackStatus.SUCCEEDED
    assert world.find_violated_invariants() == []


def test_a_question_says_what_it_no_longer_restores() -> None:
    """Somebody has released a function anew: the smaller plan is asked about, and names it."""
    world = build_world_awaiting_approval()
    before = world.newest_rollback.question
    assert before is not None
    world.platform.change_by_hand("getBook", (TrafficTarget("getbook-00001", 100),))

    world.pass_time(7 * MINUTE)

    after = world.newest_rollback.question
    assert after is not None
    assert {*before.plan.changed} - {*after.plan.changed} == {"getBook"}
    told = notice_texts(world, ":rollback.parked-")
    assert told
    assert all("this plan no longer restores: getBook\n" in text for text in told)
    stages: dict[bool, set[IncidentStage]] = {True: set(), False: set()}
    for sent in world.sent_notices:
        if ":rollback.parked" in sent.key:
            stages["-again" in sent.key].add(incident_stage(sent.notice["event"]))
    assert stages == {False: {IncidentStage.ASKED}, True: {IncidentStage.OTHER}}  # on-call is paged once


def test_a_question_stands_while_nothing_can_be_read() -> None:
    """What is not known neither ends a question nor loses an approval; people can answer it."""
    world = build_world_awaiting_approval(FOUR_EYES)
    asked = world.newest_rollback.question
    publish_command(world, "approve", actor="alice")

    def refuse(verb: str, side: str) -> None:
        if (verb, side) == ("platform.inventory", "before"):
            raise Unavailable("no answer")

    hook, world.platform.hook = world.platform.hook, refuse
    world.pass_time(20 * MINUTE)

    rollback = world.newest_rollback
    assert (rollback.status, rollback.question) == (RollbackStatus.DECIDING, asked)
    world.platform.hook = hook
    assert publish_command(world, "approve", actor="bob") == ""
    world.pass_time(HOUR)
    assert world.newest_rollback.status is RollbackStatus.SUCCEEDED
