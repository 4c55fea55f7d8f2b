"""What is reported of an incident, and what is said of what nobody has recorded."""

import json
import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from shared.domain.audit.audit_lines import audit_line_of_event
from shared.domain.audit.chain import Event, build_entry, create_event
from shared.domain.incidents.incident import Incident, IncidentStatus, RootCauseAnalysis, TimelineEvent
from shared.domain.incidents.recovery_times import measure_recovery
from shared.domain.notices.notice import Notice, NoticeStatus
from shared.domain.policy.scenario_names import ScenarioName
from shared.domain.policy.severity import Severity
from shared.domain.policy.system_policy import Outage, Policy
from shared.domain.reports.html import bar_percent, longest_phase_seconds, render_html
from shared.domain.reports.impact import ImpactCounts, summarize_impact
from shared.domain.reports.markdown import render_markdown
from shared.domain.reports.phases import all_notified_at, incident_totals, rollback_phases
from shared.domain.reports.report import ReportedRollback, ReportFacts, build_report
from shared.domain.rollback.plan import PlanHeader, Step, StepStatus
from shared.domain.rollback.rollback import Direction, Override, Rollback, RollbackRequest, RollbackStatus
from shared.domain.signals.alert import IncidentScope
from shared.domain.signals.health import RouterRequests
from tests.support.cli.in_process import WorldPrompt
from tests.support.fakes.runtime.clock import START
from tests.support.faults.hostile_text import ATTACKS, MEANS_SOMETHING
from tests.support.notices.response import build_escalation_notices, build_incident, build_rollback
from tests.support.rollbacks.pins import read_pins as pins_of
from tests.support.runtime.switches import build_frozen_escalation, publish_command
from tests.support.runtime.world import BOOKSHOP, EXAMPLE, World

SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
ID = "INC-20260302-001"
FREEZE = {"gate": "freeze", "answer": "stop", "reason": "the sale", "leads_to": "hold"}
GLASS = Override("ada", "admin", "all is down", "glass", ID, START)
DECIDED = create_event("rollback.decided", START + MINUTE, "worker", note="going back")


def kept(one: Rollback, *events: Event, steps: Sequence[Step] = ()) -> ReportedRollback:
    return ReportedRollback(one, steps, [build_entry("", 1, "c", 1, events)] if events else [])


def facts(*rollbacks: ReportedRollback, trouble: Incident | None = None, **changes: Any) -> ReportFacts:
    """An hour after a bad release was noticed."""
    return replace(
        ReportFacts(
            policy=BOOKSHOP,
            incident=trouble or build_incident(),
            alerts=(),
            rollbacks=rollbacks,
            elsewhere=(),
            outside=(),
            notices=(),
            pins=(),
            now=START + 60 * MINUTE,
        ),
        **changes,
    )


def sent(at: datetime | None = None, event_name: str = "detected", **changes: Any) -> Notice:
    return replace(build_escalation_notices()[0], event=event_name, sent_at=at, **changes)


@pytest.mark.parametrize(
    ("notices", "at"),
    [
        ([], None),
        ([sent()], None),
        ([sent(START + SECOND)], START + SECOND),
        ([sent(START + SECOND), sent(START + MINUTE)], START + MINUTE),
        ([sent(START + SECOND), sent()], None),
        ([sent(START + SECOND), sent(status=NoticeStatus.WITHDRAWN)], START + SECOND),
        ([sent(START + SECOND), sent(event_name="rollback.decided")], START + SECOND),
    ],
    ids=["none", "waiting", "sent", "two", "one waits", "one withdrawn", "another event"],
)
def test_people_are_told_once_every_channel_has_taken_the_first_notice(
    notices: list[Notice], at: datetime | None
) -> None:
    """One dead channel, and nobody says that all were told."""
    assert all_notified_at(notices) == at


def took(
    one: Rollback, *events: Event, began_at: datetime | None = START, policy: Policy = EXAMPLE
) -> dict[str, Any]:
    trail = kept(one, *events).trail
    found = rollback_phases(build_incident(), one, trail, began_at, None, policy)
    return {each.name: each.duration for each in found}


def test_each_phase_counts_from_the_end_of_the_one_before() -> None:
    """The totals count from the detection; what did not end took no time that anybody knows."""
    one = build_rollback(
        shifted_at=START + 3 * MINUTE, confirmed_at=START + 4 * MINUTE, verified_at=START + 6 * MINUTE
    )

    assert took(one, DECIDED, began_at=START - MINUTE) == {
        "detection": MINUTE,
        "decision": MINUTE,
        "execution": 2 * MINUTE,
        "confirmation by probes": MINUTE,
        "verification": 3 * MINUTE,
        "communication": None,
        "watch": None,
    }
    verified = replace(one, status=RollbackStatus.WATCHING)
    times = measure_recovery(BOOKSHOP, build_incident(), [verified])
    whole = {each.name: each.duration for each in incident_totals(times, [], BOOKSHOP)}
    assert whole == {"traffic restored": 3 * MINUTE, "recovered (functions rollback)": 6 * MINUTE}


@pytest.mark.parametrize(
    ("changes", "missing"),
    [
        ({}, set()),
        ({"probes": ()}, {"confirmation by probes"}),
        ({"probes": (replace(EXAMPLE.probes[0], external=True),)}, {"confirmation by probes"}),
        ({"channels": ()}, {"communication"}),
        ({"channels": (replace(EXAMPLE.channels[0], severities=(Severity.LOW,)),)}, {"communication"}),
    ],
)
def test_what_a_policy_has_nothing_for_is_no_phase(changes: dict[str, Any], missing: set[str]) -> None:
    """Without probes nothing confirms, and without channels nobody is told: neither is late."""
    every = {*took(build_rollback())}

    assert every - {*took(build_rollback(), policy=replace(EXAMPLE, **changes))} == missing


@pytest.mark.parametrize(
    ("name", "decides"),
    [
        ("rollback.decided", True),
        ("rollback.escalated", True),
        ("rollback.not-taken", True),
        ("rollback.parked", False),
        ("decision.held", False),
    ],
)
def test_what_ends_the_decision(name: str, *, decides: bool) -> None:
    """Going back, calling a person, doing nothing: asking and waiting do not."""
    decided = took(build_rollback(), create_event(name, START + MINUTE, "worker"))["decision"]

    assert decided == (MINUTE if decides else None)


def test_a_further_rollback_has_no_detection_of_its_own() -> None:
    """Its decision counts from when it was asked for."""
    further = replace(build_rollback(), id=f"{ID}-r2", created_at=START + 30 * SECOND)

    found = took(further, DECIDED)

    assert found["decision"] == 30 * SECOND
    assert {"detection", "communication"}.isdisjoint(found)


@pytest.mark.parametrize(
    ("status", "target", "asked", "said"),
    [
        (RollbackStatus.RUNNING, "kept", DECIDED, "| decision | 1 min 0 s | < 3 min 0 s | kept |"),
        (RollbackStatus.RUNNING, "open", None, "| decision | not yet | < 3 min 0 s |  |"),
        (RollbackStatus.FAILED, "missed", None, "| decision | not reached | < 3 min 0 s | not kept |"),
        (
            RollbackStatus.RUNNING,
            "at its very target",
            create_event("rollback.decided", START + 3 * MINUTE, "worker"),
            "| decision | 3 min 0 s | < 3 min 0 s | not kept |",
        ),
        (RollbackStatus.RUNNING, "asks for nothing", None, "| watch | not yet |  |  |"),
    ],
)
def test_a_phase_stands_beside_its_target(
    status: RollbackStatus, target: str, asked: Event | None, said: str
) -> None:
    """What may yet come to its end is not called missed; what cannot, is."""
    text = render_markdown(build_report(facts(kept(build_rollback(status), *([asked] if asked else [])))))

    assert said in text.splitlines(), target


def overridden(*skipped: dict[str, Any]) -> Event:
    return create_event("rollback.decided", START, "worker", overridden=list(skipped))


@pytest.mark.parametrize(
    ("own", "elsewhere", "said"),
    [
        (kept(build_rollback()), (), "None: nobody has overridden a gate for this incident."),
        (
            kept(build_rollback(overrides=(replace(GLASS, skipped=(FREEZE,)),)), overridden(FREEZE)),
            (),
            "| freeze | stop | the sale |",
        ),
        (  # it was held, or a person was called: the rollback keeps nothing, its trail does
            kept(build_rollback(overrides=(GLASS,)), overridden(FREEZE)),
            (),
            "| freeze | stop | the sale |",
        ),
        (kept(build_rollback(overrides=(GLASS,)), overridden()), (), "No gate would have held it up."),
        (kept(build_rollback(overrides=(GLASS,))), (), "The gates have not been asked yet."),
        (
            kept(build_rollback()),
            (kept(replace(build_rollback(overrides=(GLASS,)), id="INC-20260302-002")),),
            f"- Said for: {ID}; went to: INC-20260302-002 (Running)",
        ),
        (
            kept(build_rollback()),
            (kept(build_rollback(overrides=(replace(GLASS, incident="INC-20260302-009"),))),),
            "None: nobody has overridden a gate for this incident.",
        ),
    ],
    ids=["none", "skipped", "not gone ahead", "nothing in the way", "undecided", "for", "another's"],
)
def test_each_override_is_there_to_be_reviewed(
    own: ReportedRollback, elsewhere: tuple[ReportedRollback, ...], said: str
) -> None:
    """With the gates that it skipped, and lines to sign; where there is none, it says so."""
    text = render_markdown(build_report(facts(own, elsewhere=elsewhere)))

    assert said in text.splitlines()
    assert ("- Reviewed by: ____" in text) != ("None: nobody has overridden" in text)


def test_what_is_known_of_nothing_says_so() -> None:
    """Of an incident whose rollbacks are gone, every part says what it does not know."""
    text = render_markdown(build_report(facts()))

    for said in (
        "No alert is kept of it.",
        "No rollback is kept of it.",
        "Nobody has acknowledged it.",
        "None: its rollbacks hold nothing.",
        "No event is kept of it.",
        "- Root cause: nobody has recorded it.",
    ):
        assert said in text.splitlines()
    assert "- Users: not measured" in text
    assert "- Failed requests: not counted" in text
    assert "- Cost: not known" in text


def test_what_is_where_and_who_has_it() -> None:
    """Steps by how far they came, without what nothing called for; who acknowledged, and when."""
    steps = [
        Step("shift a", "shift", "a", status=StepStatus.DONE, ended_at=START + MINUTE),
        Step("shift b", "shift", "b", status=StepStatus.STOPPED, note="a person is there"),
        Step("rebuild b", "rebuild", "b", status=StepStatus.UNNEEDED),
    ]
    plan = PlanHeader(ScenarioName.FUNCTIONS, "v1", 3, "f", "p", reported=("c is new",))
    trouble = build_incident(acknowledged_by="anna", acknowledged_at=START + 90 * SECOND)
    one = kept(build_rollback(RollbackStatus.FAILED, plan=plan, outcome="some are not back"), steps=steps)

    text = render_markdown(build_report(facts(one, trouble=trouble)))

    for said in (
        "Plan: functions, to v1. Outcome: some are not back.",
        "Steps: 1 done, 1 stopped.",
        "| shift b | Stopped |  | a person is there |",
        "- c is new",
        "Acknowledged by anna, 2026-03-02 12:01:30: 1 min 30 s after the detection.",
    ):
        assert said in text.splitlines()
    assert "rebuild b" not in text


def test_the_time_line_is_the_trails() -> None:
    """With the commands about the incident; quiet events, and repeats, are counted."""
    held = create_event("decision.held", START + 2 * MINUTE, "worker", note="not known yet")
    looked = create_event("health.looked", START + 3 * MINUTE, "worker")
    commands = [
        audit_line_of_event(
            create_event("command.ack", START + MINUTE, "anna", command={"incident": name}), "s"
        )
        for name in (ID, "INC-20260302-002")
    ]
    one = kept(build_rollback(), replace(held, at=DECIDED.at), held, looked)

    made = build_report(facts(one, outside=commands))

    assert [(line.what, line.who) for line in made.timeline] == [
        ("command.ack", "anna"),
        ("decision.held", "worker"),
    ]
    assert made.left_out == 2


def said_everywhere(text: str) -> str:
    """The report in which all that others have said is that text."""
    gate = {**FREEZE, "reason": text}
    said = replace(GLASS, actor=text, right=text, reason=text, skipped=(gate,))
    one = build_rollback(overrides=(said,), outcome=text, gates=(gate,))
    happened = create_event("rollback.ordered", START, text, reason=text)
    return render_markdown(build_report(facts(kept(one, happened), trouble=analysed(text))))


def analysed(text: str) -> Incident:
    """An incident of which somebody has said that, and nothing else."""
    return replace(
        build_incident(), analysis=RootCauseAnalysis(text, text, START, prevention=text, public=text)
    )


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
def test_text_of_others_is_only_read(attack: str) -> None:
    """Whatever they say: the same lines, and none of it means anything to who shows Markdown."""
    calm, text = said_everywhere("calm").splitlines(), said_everywhere(attack).splitlines()

    assert len(text) == len(calm)
    assert [line[:2] for line in text] == [line[:2] for line in calm]
    assert [line.count("|") for line in text] == [line.count("|") for line in calm]
    [reason] = [line for line in text if line.startswith("- Reason: ")]
    foreign = reason.removeprefix("- Reason: ")
    assert [name for name, sign in MEANS_SOMETHING.items() if re.search(sign, foreign)] == []
    assert not re.search(r"[\[\]@*]|://|<\S", "\n".join(text))


@pytest.fixture(scope="module")
def overrode() -> World:
    """An override for an incident that a freeze held up, carried out to its end."""
    world = build_frozen_escalation()
    trouble = world.newest_incident.id
    order = {"override": True, "supersede": True, "incident": trouble, "id": "glass"}
    publish_command(world, "rollback", system="bookshop", **order, actor="alice", reason="all is down")
    world.pass_time(60 * MINUTE)
    return world


@pytest.mark.parametrize("number", [0, 1], ids=["said for", "carried out"])
def test_an_override_stands_in_both_reports(
    number: int, overrode: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Of the incident that it was said for, and of the one it opened; reading changes nothing."""
    prompt = WorldPrompt(monkeypatch, tmp_path, overrode)
    name = overrode.incidents()[number].id
    before = json.dumps(overrode.documents, default=str)
    file = tmp_path / "report.md"

    shown = prompt.say("report", name)
    written = prompt.say("report", name, "--output", str(file))
    made = json.loads(prompt.say("report", name, "--json").stdout)

    assert (shown.exit_code, written.exit_code) == (0, 0)
    assert "| freeze | stop | frozen by somebody until " in shown.stdout
    assert "- Reason: all is down" in shown.stdout
    assert "with a second factor" in shown.stdout
    assert (written.stdout, file.read_text()) == ("", shown.stdout)
    [override] = made["overrides"]
    assert (override["override"]["actor"], override["override"]["command"]) == ("alice", "glass")
    assert override["override"]["incident"] == overrode.incidents()[0].id
    assert override["rollback"] == overrode.newest_rollback.id
    assert [gate["gate"] for gate in override["override"]["skipped"]] == ["freeze"]
    assert len(made["pins"]) == (len(pins_of(overrode)) if number else 0)
    assert json.dumps(overrode.documents, default=str) == before


def test_a_report_of_nothing_and_to_nowhere(
    overrode: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The nearest incident is named; a file that cannot be written is told as such."""
    prompt = WorldPrompt(monkeypatch, tmp_path, overrode)
    name = overrode.newest_incident.id

    unknown = prompt.say("report", "INC-20260302-003")
    nowhere = prompt.say("report", name, "--output", str(tmp_path / "none" / "report.md"))

    assert (unknown.exit_code, nowhere.exit_code) == (1, 2)
    assert f"did you mean {name}?" in unknown.stderr
    assert "No such file or directory" in nowhere.stderr


def test_impact_is_what_was_counted_and_declared() -> None:
    """Downtime from the beginning until it worked again; its cost where a minute has a price."""
    timeline = [
        TimelineEvent(IncidentStatus.DETECTED, START, "detected"),
        TimelineEvent(IncidentStatus.WATCHING, START + 4 * MINUTE, "verified"),
        TimelineEvent(IncidentStatus.RESOLVED, START + 34 * MINUTE, "over"),
    ]
    over = build_incident(IncidentStatus.RESOLVED, timeline=timeline)
    over = replace(over, onset_at=START - 2 * MINUTE, ended_at=START + 34 * MINUTE)
    priced = replace(BOOKSHOP, outage=Outage(40.5, "EUR"))

    made = build_report(
        facts(trouble=over, policy=priced, counts=ImpactCounts(RouterRequests(900, 700), users=120))
    )

    assert made.impact.downtime_seconds == 360.0
    assert made.impact.restored_at == START + 4 * MINUTE
    text = render_markdown(made)
    window = "since 2026-03-02 11:58:00 until 2026-03-02 12:04:00"
    assert f"Of 900 requests to all functions of the system {window}, 700 failed." in text.splitlines()
    assert "By the declared value of a minute that cost 243" in text
    assert "120 users met a failure." in text
    assert set(made.unrecorded) == {"root cause"}
    assert summarize_impact(made.impact) == (
        "it did not work for 6 min 0 s, 700 of 900 requests failed, 120 users met a failure, "
        "that cost 243.00 EUR"
    )


def test_an_end_without_an_observed_recovery_is_reported_as_that() -> None:
    """A person closed the incident: the report says neither that it works nor that it fails."""
    timeline = [
        TimelineEvent(IncidentStatus.DETECTED, START, "detected"),
        TimelineEvent(IncidentStatus.INVESTIGATING, START, "a person is needed"),
        TimelineEvent(IncidentStatus.RECOVERY_NOT_OBSERVED, START + 4 * MINUTE, "accepted"),
    ]
    closed = build_incident(IncidentStatus.RECOVERY_NOT_OBSERVED, timeline=timeline)
    made = build_report(facts(trouble=replace(closed, ended_at=START + 4 * MINUTE)))

    text = render_markdown(made)

    assert made.impact.restored_at is None
    assert "nobody has observed whether it works again" in text
    assert "It did not work for at least 4 min 0 s" in text
    assert summarize_impact(made.impact).startswith("it did not work for at least 4 min 0 s")
    assert "does not yet" not in text


def test_requests_that_are_not_all_counted_are_not_called_all() -> None:
    """The report says until when the counts are complete."""
    counts = ImpactCounts(RouterRequests(900, 700), complete_until=START + MINUTE)

    made = build_report(facts(trouble=build_incident(), counts=counts))

    late = "Requests after 2026-03-02 12:01:00 are not all counted yet."
    text = render_markdown(made)
    since = "since 2026-03-02 12:00:00"
    assert f"Of 900 requests to all functions of the system {since}, 700 failed. {late}" in text.splitlines()
    assert late in render_html(made)
    assert "700 of 900 requests failed (not all are counted after 12:01 UTC)" in summarize_impact(made.impact)


def test_what_would_have_shortened_it() -> None:
    """Waits for people, late phases and what was built again, each in a sentence."""
    parked = create_event("rollback.parked", START + MINUTE, "worker", note="asked")
    approved = create_event("rollback.approved", START + 9 * MINUTE, "ada", note="yes")
    held = create_event("decision.held", START, "worker", note="unknown")
    built = Step("redeploy f", "redeploy", "f", begun_at=START, ended_at=START + 3 * MINUTE)
    built = replace(built, status=StepStatus.DONE)
    late = build_incident()
    late = replace(late, onset_at=START - 5 * MINUTE)
    went = kept(build_rollback(RollbackStatus.RUNNING), held, parked, approved, steps=[built])

    said = build_report(facts(went, trouble=late)).shortened

    assert said == (
        "It waited 8 min 0 s for approval: ask fewer people, or allow automatic rollback.",
        "The decision took 2 checks. It waited because: unknown.",
        "It was detected 3 min 0 s late: a probe that opens the signal checks twice a minute.",
        "Rebuilt because revisions or images were missing: 1 function.",
        "The longest step, redeploy f, took 3 min 0 s.",
        "Nobody acknowledged it: `rollback ack` names the owner and stops the escalation.",
    )


def test_a_wait_that_a_further_alert_interrupts_counts_once() -> None:
    """The question is asked again: the first wait ends where the second begins."""
    names = ("rollback.parked", "rollback.unparked", "rollback.parked", "rollback.rejected")
    events = [create_event(name, START + at * MINUTE, "worker", note="") for at, name in enumerate(names)]

    said = build_report(facts(kept(build_rollback(RollbackStatus.NOT_TAKEN), *events))).shortened

    assert said[0].startswith("It waited 1 min 0 s")
    assert not any("2 min" in one or "3 min" in one for one in said)


def test_only_what_a_pause_has_held_counts_as_on_hold() -> None:
    """A pause during verification holds nothing; a hold is recorded at each check."""
    names = ("rollback.held", "rollback.held", "rollback.resumed", "rollback.verified", "rollback.paused")
    events = [create_event(name, START + at * MINUTE, "worker", note="") for at, name in enumerate(names)]

    said = build_report(facts(kept(build_rollback(RollbackStatus.SUCCEEDED), *events))).shortened

    assert [one for one in said if "hold" in one or "stood still" in one] == [
        "It was on hold for 2 min 0 s, by a pause or a freeze."
    ]


def test_a_rollback_that_was_not_executed_missed_no_target_of_its_execution() -> None:
    assert set(took(build_rollback(RollbackStatus.NOT_TAKEN), DECIDED)) == {
        *("detection", "decision", "communication")
    }


def test_a_repair_is_not_confirmed_by_probes_and_waits_for_the_writer() -> None:
    """Its target is that of the database: the decision has none of its own."""
    order = RollbackRequest(command="c", actor="ada", reason="corrupt", way=Direction.REPAIR)
    one = build_rollback(RollbackStatus.WATCHING, order=order)

    found = rollback_phases(build_incident(), one, kept(one, DECIDED).trail, START, None, EXAMPLE)

    targets = {each.name: each.target for each in found}
    assert targets["decision"] is None
    assert "confirmation by probes" not in targets
    assert "verification" in targets


def test_an_undo_ends_with_its_execution() -> None:
    """It has no last shift of its own to confirm, is not verified and not monitored."""
    undo = RollbackRequest(command="c", actor="ada", reason="no cure", way=Direction.UNDO)
    done = build_rollback(RollbackStatus.SUCCEEDED, order=undo, ended_at=START + 3 * MINUTE)

    assert took(done, DECIDED, began_at=None) == {
        "decision": MINUTE,
        "execution": 2 * MINUTE,
        "communication": None,
    }


def test_commands_and_times_of_the_report_can_be_copied() -> None:
    """Only text of others is written with signs that look alike; a warning is not "left alone"."""
    plan = PlanHeader(ScenarioName.FUNCTIONS, "v1", 3, "f", "p", reported=("warning: v1 is bad",))
    held = {**FREEZE, "reason": "changed manually, left until 08:47:02 or http://evil:80"}
    text = render_markdown(build_report(facts(kept(build_rollback(plan=plan, gates=(held,)), DECIDED))))

    assert "- Nobody acknowledged it: `rollback ack` names the owner and stops the escalation." in text
    assert "(outage.users)." in text
    assert "left until 08:47:02 or http\uff1a//evil\uff1a80" in text
    assert "The plan reported:\n\n- warning: v1 is bad" in text
    assert "Left alone" not in text


def test_the_team_is_still_to_be_notified_after_a_decision_without_a_rollback() -> None:
    """One minute of the twenty has passed: nothing is missed yet."""
    ended = kept(build_rollback(RollbackStatus.NOT_TAKEN), DECIDED)

    early, late = (
        render_markdown(build_report(facts(ended, now=START + minutes * MINUTE))) for minutes in (1, 21)
    )

    assert "| communication | not yet | < 20 min 0 s |  |" in early
    assert "| communication | not reached | < 20 min 0 s | not kept |" in late


def test_an_alert_that_no_second_source_confirmed_is_no_outage() -> None:
    """It closed again before anything else had seen a failure."""
    alone = build_incident(IncidentStatus.RESOLVED, ended_at=START + 2 * MINUTE)
    alone = replace(alone, timeline=alone.timeline[:1], unconfirmed_until=START + 5 * MINUTE)
    assert alone.is_unconfirmed

    made = build_report(facts(trouble=alone))

    assert not made.impact.is_failure_observed
    said = "Nothing was observed to fail: no second source has confirmed the alert."
    assert said in render_markdown(made)
    assert said in render_html(made)
    assert summarize_impact(made.impact).startswith("nothing was observed to fail")


def test_an_order_without_an_alert_is_no_outage() -> None:
    """An unpin of a system that works: nobody has observed a failure."""
    order = (IncidentScope(ScenarioName.FUNCTIONS),)
    unpin = build_incident(
        IncidentStatus.RESOLVED, signal="unpin", scopes=order, ended_at=START + 20 * MINUTE
    )

    made = build_report(facts(kept(build_rollback(RollbackStatus.SUCCEEDED)), trouble=unpin))

    assert (made.impact.downtime_seconds, made.impact.is_failure_observed) == (0.0, False)
    assert "did not work" not in render_markdown(made)
    assert summarize_impact(made.impact).startswith("nothing was observed to fail")


@pytest.mark.parametrize("attack", [*ATTACKS.values(), "<img src=x onerror=alert(1)>"])
def test_the_report_for_a_browser_runs_nothing(attack: str) -> None:
    """Text of others is text; nothing but our own style is let be; each phase has its bar."""
    one = build_rollback(RollbackStatus.RUNNING)
    one = replace(one, outcome=attack, shifted_at=START + 4 * MINUTE)
    found = create_event("rollback.decided", START + MINUTE, "worker", note=attack)

    written = render_html(build_report(facts(kept(one, found), trouble=analysed(attack))))

    outside_head = written.partition("</head>")[2]
    assert not re.search(r"<(script|img|iframe|a |style)|\son\w+=\"", outside_head)
    assert "default-src 'none'; style-src 'sha256-" in written
    assert written.count('class="chart"') == len(build_report(facts(kept(one, found))).rollbacks[0].took)


def test_bars_are_on_one_scale() -> None:
    """The longest of what was taken and of the targets fills the width."""
    one = replace(build_rollback(RollbackStatus.RUNNING), shifted_at=START + 4 * MINUTE)
    [course] = build_report(facts(kept(one, DECIDED))).rollbacks

    whole = longest_phase_seconds(course)
    targets = [bar_percent(one.target_seconds, whole) for one in course.took]
    assert max(targets + [bar_percent(one.took_seconds, whole) for one in course.took]) == 100.0
    [execution] = [one for one in course.took if one.phase == "execution"]
    assert bar_percent(execution.target_seconds, whole) == pytest.approx(
        100 * 600 / max(one.target_seconds or 0.0 for one in course.took), abs=0.1
    )
