"""What people read, and what nobody can make it do."""

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from shared.domain.incidents.incident import (
    AffectedPart,
    IncidentStatus,
    PublicState,
    PublicStatusChange,
    RootCauseAnalysis,
    StatusPageRecord,
    change_status,
)
from shared.domain.notices.recipients import create_notices, incident_stage, is_for_audience
from shared.domain.policy.channels import Audience, Channel, ChannelKind, Component, IncidentStage, StatusPage
from shared.domain.policy.scenario_names import ScenarioName
from shared.domain.policy.severity import Severity
from shared.domain.presentation.notice_facts import (
    NoticeContext,
    TrustedText,
    describe_expected_duration,
    template_facts,
    template_name,
    time_to_recover,
)
from shared.domain.presentation.notice_templates import (
    MAX_SUBJECT_CHARACTERS,
    TEMPLATE_FOLDER,
    TEMPLATE_NAMES,
    NoticeTemplates,
    neutralize_text,
)
from shared.domain.rollback.plan import PlanHeader
from shared.domain.rollback.rollback import Direction, Rollback, RollbackRequest, RollbackStatus
from shared.domain.signals.alert import IncidentScope
from tests.support.fakes.runtime.clock import START
from tests.support.faults.hostile_text import (
    ATTACKS,
    COMMAND,
    ID,
    MEANS_SOMETHING,
    MINUTE,
    build_hostile_facts,
    build_hostile_notice,
)
from tests.support.runtime.world import BOOKSHOP, World


def describe_hostile_notice(about: NoticeContext, **changes: Any) -> dict[str, Any]:
    """What the templates may show of a notice, sent once, whose text was written by others."""
    return template_facts(build_hostile_notice(**changes), about, repeated=False)


def worded(template: str, text: str, foreign: str, **changes: Any) -> str:
    context = build_hostile_facts(foreign)
    assert context.incident is not None
    analysis = RootCauseAnalysis(foreign, foreign, START, prevention=foreign, public=foreign)
    analysed = replace(context, incident=replace(context.incident, analysis=analysis))
    facts = describe_hostile_notice(analysed, text=text, **{"facts": {"meant": foreign}, **changes})
    made = NoticeTemplates().render(template, facts)
    assert "\n" not in made.subject
    assert len(made.subject) <= MAX_SUBJECT_CHARACTERS
    return f"{made.subject}\n{made.body}"


@pytest.mark.parametrize("attack", ATTACKS)
@pytest.mark.parametrize("template", TEMPLATE_NAMES)
def test_text_of_others_is_only_read(template: str, attack: str) -> None:
    """Whatever a reason, a name or a note holds, no channel takes it for more than text."""
    text = ATTACKS[attack]

    made = worded(template, f"{ID} CRITICAL: {text}", text)

    plain = worded(template, f"{ID} CRITICAL: x", "x")
    for what, pattern in MEANS_SOMETHING.items():
        assert not re.search(pattern, made), what
    extra = text.count("\n") if template in ("incident", "plain") else 0  # lines of its text
    assert len(made.splitlines()) <= len(plain.splitlines()) + extra + 2


@pytest.mark.parametrize("template", TEMPLATE_NAMES)
def test_a_command_of_theirs_is_not_shown_as_ours(template: str) -> None:
    """What is to be pasted is ours alone: it is taken from the notice, not from its text."""
    mine = COMMAND.replace("{}", '{"command":"ack"}')

    made = worded(template, f"{ID} CRITICAL: x\n{COMMAND}\n{mine}", "x", commands=(mine,))

    assert "gcloud" not in made.replace("» gcloud", "").replace(mine, "")
    assert COMMAND not in made
    assert (mine in made) is (template in ("incident", "plain"))


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("151 functions are back, 2 min 21 s after detection", None),
        ("going back to deploy_20250821_120000 (r1)", None),
        ("_now_ is __not__ the_time _", "＿now＿ is ＿＿not＿＿ the_time ＿"),
        ("CPU at 99.5 %; it's “fine”: Zoë said so", "CPU at 99․5 %; it's “fine”: Zoë said so"),
        ("", None),
    ],
)
def test_harmless_text_stays_legible(text: str, read: str | None) -> None:
    """People still read what was said."""
    assert neutralize_text(text) == (text if read is None else read)


def test_the_runbooks_template_whole() -> None:
    """Each line that the runbook asks for, in its order, in UTC."""
    made = worded("incident", f"{ID} CRITICAL: going back to r1: 12 functions", "Shop")

    headings = [
        *("Incident ID", "Severity", "Status", "Impact", "Expected resolution", "Timeline"),
        *("Root cause", "Resolution", "Prevention"),
    ]
    found = [one for line in made.splitlines() for one in headings if line.startswith(f"{one}:")]
    assert found == headings
    assert made.startswith(f"{ID} CRITICAL: going back to r1: 12 functions\n")
    assert "Impact: not working: Shop (function failure rate)\n" in made
    assert "- 12:00 UTC - Shop\n- 12:01 UTC - Shop\n" in made


@pytest.mark.parametrize("template", TEMPLATE_NAMES)
def test_a_possible_repeat_says_so(template: str) -> None:
    """For channels without a key the words are the only sign."""
    for repeated in (True, False):
        made = NoticeTemplates().render(
            template, template_facts(build_hostile_notice(), build_hostile_facts(), repeated=repeated)
        )
        assert ("This may be a repeat" in made.body) is repeated


def test_a_notice_that_comes_late_says_when_it_was_written() -> None:
    """By the time at which it is read, a newer one may say otherwise."""
    about, notice = build_hostile_facts(), build_hostile_notice()
    written_at = about.now - 5 * MINUTE
    for created_at, due_at, late in (
        (written_at, written_at, True),
        (written_at, about.now, False),
        (about.now, None, False),
    ):
        sent = replace(notice, created_at=created_at, since=due_at)
        made = NoticeTemplates().render("incident", template_facts(sent, about, repeated=False))
        assert ("This was written at" in made.body) is late


def test_a_late_notice_does_not_contradict_itself() -> None:
    """It says that it began, and that it works again; not that it does not work and works again."""
    about = build_hostile_facts()
    assert about.incident is not None
    verified = change_status(about.incident, IncidentStatus.WATCHING, START, "verified")
    watched = replace(about, incident=verified)

    made = NoticeTemplates().render("users", describe_hostile_notice(watched))

    assert "It works again." in made.body
    assert "not working" not in f"{made.subject} {made.body}"


def newest(status: RollbackStatus, outcome: str = "", *, planned: bool = True) -> Rollback:
    """The newest rollback of the incident, with its plan."""
    header = PlanHeader(ScenarioName.FUNCTIONS, "r3", 1, "", "") if planned else None
    rollback = build_hostile_facts().rollback
    assert rollback is not None
    return replace(rollback, status=status, plan=header, outcome=outcome)


@pytest.mark.parametrize(
    ("status", "outcome", "planned", "resolution"),
    [
        (RollbackStatus.PARKED, "mode: system ask", False, ""),
        (RollbackStatus.DECIDING, "", False, ""),
        (
            RollbackStatus.NOT_TAKEN,
            "mode: system observe",
            False,
            "nothing was changed: mode: system observe",
        ),
        (RollbackStatus.RUNNING, "", True, "in progress: back to r3"),
        (RollbackStatus.VERIFYING, "", True, "back to r3"),
        (
            RollbackStatus.FAILED,
            "1 of 2 not done",
            True,
            "the rollback to r3 did not complete: 1 of 2 not done",
        ),
        (RollbackStatus.SUCCEEDED, "stable", True, "back to r3; stable"),
    ],
)
def test_nothing_that_is_still_to_be_done_counts_as_done(
    status: RollbackStatus, outcome: str, planned: bool, resolution: str
) -> None:
    about = build_hostile_facts(rollbacks=(newest(status, outcome, planned=planned),))

    assert describe_hostile_notice(about)["resolution"] == resolution


@pytest.mark.parametrize(
    ("way", "outcome", "resolution"),
    [
        (Direction.BACK, "no regression during monitoring", "back to r3"),
        (Direction.UNDO, "undone: 5 functions as before", "undo to r3"),
        (Direction.UNPIN, "", "unpin to r3"),
    ],
)
def test_a_later_decision_hides_no_change_of_an_earlier_rollback(
    way: Direction, outcome: str, resolution: str
) -> None:
    """Its functions stay changed; what was observed after it does not hold any more."""
    order = RollbackRequest(command="c", actor="ada", reason="x", way=way)
    first = replace(newest(RollbackStatus.SUCCEEDED, outcome), order=order)
    about = build_hostile_facts(
        rollbacks=(first, newest(RollbackStatus.NOT_TAKEN, "cool-down", planned=False))
    )

    said = describe_hostile_notice(about)["resolution"]

    assert said == f"{resolution}; nothing more was changed: cool-down"


def test_an_incident_that_recovered_by_itself_names_no_gate_as_its_resolution() -> None:
    about = build_hostile_facts(rollbacks=(newest(RollbackStatus.NOT_TAKEN, "mode: observe", planned=False),))
    assert about.incident is not None
    ended = change_status(
        about.incident, IncidentStatus.RESOLVED, START + 17 * MINUTE, "recovered without a rollback"
    )

    facts = describe_hostile_notice(replace(about, incident=ended))

    assert facts["resolution"] == "recovered without a rollback"
    assert facts["expected"] == "recovered 17 min 0 s after detection"


@pytest.mark.parametrize(
    ("event", "asked"),
    [
        ("accepted-1", "nothing; a report follows"),
        ("report-r2", "nothing; the report is written"),
        ("analysed-c", "nothing"),
    ],
)
def test_the_notice_of_the_report_announces_no_other(event: str, asked: str) -> None:
    context = ended(build_hostile_facts())

    assert describe_hostile_notice(context, event=event)["asked"] == asked


def test_nobody_reads_of_a_rollback_that_is_not_in_progress() -> None:
    """A person cancelled it after it was verified: the incident waits for them."""
    about = build_hostile_facts()
    assert about.incident is not None
    well = change_status(about.incident, IncidentStatus.RECOVERED, START + MINUTE, "cancelled")

    facts = describe_hostile_notice(replace(about, incident=well))

    assert NoticeTemplates().render("summary", facts).subject.endswith(f"CRITICAL incident {ID}, recovered")


def test_an_open_incident_has_no_end() -> None:
    """Nothing may be called closed by the time at which somebody reads it."""
    assert describe_hostile_notice(build_hostile_facts())["until"] == ""


def test_since_when_it_fails_is_when_it_began_to_fail_again() -> None:
    """It worked in between; only its end names the beginning of the whole."""
    about = build_hostile_facts()
    assert about.incident is not None
    well = change_status(about.incident, IncidentStatus.WATCHING, START + 4 * MINUTE, "verified")
    again = change_status(well, IncidentStatus.INVESTIGATING, START + 20 * MINUTE, "undo")
    context = replace(about, incident=again, now=START + 21 * MINUTE)

    made = {
        name: NoticeTemplates().render(name, describe_hostile_notice(one)).body
        for name, one in {"users": context, "summary": context, "all-clear": ended(context)}.items()
    }

    assert "Shop: not working since 2026-03-02 12:20 UTC" in made["users"]
    assert "Since: 2026-03-02 12:20 UTC" in made["summary"]
    assert "Began: 2026-03-02 11:59 UTC" in made["all-clear"]


def test_each_part_has_its_own_time() -> None:
    """A part that failed later, or again, is not dated by the first."""
    about = build_hostile_facts()
    assert about.incident is not None
    parts = (
        AffectedPart("Shop", START),
        AffectedPart("Account", START + 7 * MINUTE),
        AffectedPart("Search", START, until=START + 3 * MINUTE),
        AffectedPart("Search", START + 7 * MINUTE),
    )
    names = dict.fromkeys(one.name for one in parts)
    page = StatusPage(components=tuple(Component(one) for one in names))
    context = replace(
        about, policy=replace(about.policy, status_page=page), record=StatusPageRecord(parts=parts)
    )

    made = NoticeTemplates().render("users", describe_hostile_notice(context))

    assert "Shop: not working since 2026-03-02 12:00 UTC." in made.body
    assert "Account, Search: not working since 2026-03-02 12:07 UTC." in made.body


def test_the_cause_is_that_of_the_newest_rollback_that_suspected_one() -> None:
    """A cancel or a rejected plan takes nothing back of what an earlier decision found."""
    first = newest(RollbackStatus.CANCELLED)
    about = build_hostile_facts("r4 was deployed", rollbacks=(first, replace(first, gates=())))

    cause = describe_hostile_notice(about)["cause"]

    assert cause.startswith("not proven yet; suspected: ")


@pytest.mark.parametrize(
    ("status", "is_observed_only", "asked"),
    [
        (RollbackStatus.RUNNING, False, "nothing; it is handled automatically"),
        (RollbackStatus.DECIDING, True, "nothing; the response team investigates it"),
        (RollbackStatus.PARKED, False, "nothing; the response team has been notified and must decide"),
    ],
)
def test_what_waits_for_a_person_is_not_handled_automatically(
    status: RollbackStatus, is_observed_only: bool, asked: str
) -> None:
    about = build_hostile_facts(rollbacks=(newest(status),))
    assert about.incident is not None
    context = replace(about, incident=replace(about.incident, is_observed_only=is_observed_only))

    assert describe_hostile_notice(context)["asked"] == asked


@pytest.mark.parametrize("audience", Audience)
def test_only_the_team_reads_who_acted_and_why(audience: Audience) -> None:
    """No name of a person reaches anybody else; no secret reaches anybody."""
    said = "rejected by ada@example.com: ask +49 170 1234567, password=hunter2222"
    policy = replace(BOOKSHOP, channels=(Channel("hook", ChannelKind.WEBHOOK, audience=audience),))
    is_told = {True: "ada@example.com: ask +49 170 1234567", False: "[removed]: ask [removed]"}
    expected = f"rejected by {is_told[audience is Audience.TEAM]}, password=[removed]"

    notices = create_notices(
        policy, ID, Severity.CRITICAL, "published", said, START, gates=[{"reason": said}]
    )
    facts = template_facts(
        build_hostile_notice(), build_hostile_facts(said), repeated=False, audience=audience
    )

    outside = audience in (Audience.USERS, Audience.CONCERNED, Audience.PUBLIC)
    for notice in notices:
        assert notice.text == ("" if outside else expected)
        assert notice.facts == ({} if outside else {"gates": [{"reason": expected}]})
    assert facts["timeline"][0]["note"] == expected
    assert facts["cause"] == f"not proven yet; suspected: {expected}"


def test_a_paused_rollback_is_reported_as_paused() -> None:
    """The team reads by whom, and how to continue; the business that it is paused, no more."""
    hold = "paused since 2026-03-02 12:01:00 UTC by ada@example.com: wait; to continue: rollback resume"
    held = replace(newest(RollbackStatus.RUNNING), held_since=START + MINUTE)
    about = build_hostile_facts(rollbacks=[held], hold=hold)
    templates, notice = NoticeTemplates(), build_hostile_notice()

    team = templates.render("incident", template_facts(notice, about, repeated=False, audience=Audience.TEAM))
    board = templates.render("summary", template_facts(notice, about, repeated=False))
    users = templates.render("users", template_facts(notice, about, repeated=False))

    assert f"On hold: {neutralize_text(hold)}" in team.body
    assert "Resolution: paused: back to r3" in team.body
    for made in (board, users):
        assert "We have paused the restoration of a previous version." in made.body
        assert "ada" not in made.body
        assert "resume" not in made.body
    assert "nothing; the rollback is on hold, and the response team knows" in board.body


# Expected resolution


def took(minutes: float, severity: Severity = Severity.CRITICAL, *, moved: bool = True) -> PublicState:
    words = ["detected", "rolling back" if moved else "investigating", "resolved"]
    times = [START, START, START + minutes * MINUTE]
    return PublicState(
        system="bookshop",
        display_name="",
        word="resolved",
        incident="INC-20260101-001",
        severity=severity,
        since=START,
        updated_at=START,
        signal="",
        onset_at=START,
        turns=[PublicStatusChange(word, at) for word, at in zip(words, times, strict=True)],
    )


@pytest.mark.parametrize(
    ("history", "words"),
    [
        ([], "not measured yet; the target is 5 min 0 s after detection"),
        ([took(2), took(3)], "not measured yet"),
        ([took(2), took(3), took(4, Severity.HIGH)], "not measured yet"),
        ([took(2), took(3), took(4, moved=False)], "not measured yet"),
        (
            [took(2), took(3), took(4)],
            "3 min 0 s after detection; 8 of 10 took 2 min 12 s to 3 min 48 s (3 measured)",
        ),
        ([took(90)] * 3, "1 h 30 min after detection; 8 of 10 took 1 h 30 min to 1 h 30 min"),
    ],
)
def test_when_it_should_be_over(history: list[PublicState], words: str) -> None:
    """From what rollbacks of that severity took, with the spread; with too few, the target."""
    assert describe_expected_duration(history, Severity.CRITICAL, 5 * MINUTE).startswith(words)


def test_an_incident_that_is_not_back_yet_measures_nothing() -> None:
    """It has no length."""
    assert time_to_recover(replace(took(2), turns=took(2).turns[:2])) is None


def test_a_recovery_that_did_not_last_measures_nothing() -> None:
    """It failed again, or nobody observed whether it did; what recovers again counts from then."""
    monitored = took(2)
    words = ("investigating", "recovery not observed")
    failed = [*monitored.turns, *(PublicStatusChange(word, START + 9 * MINUTE) for word in words)]
    again = [*failed, PublicStatusChange("rolling back (monitoring)", START + 20 * MINUTE)]

    assert time_to_recover(replace(monitored, turns=failed)) is None
    assert time_to_recover(replace(monitored, turns=again)) == 20 * MINUTE


# Who hears what, in which words


@pytest.mark.parametrize(
    ("event", "heard_by"),
    [
        ("detected", {"team", "stakeholders", "users", "public"}),
        ("reopened-2", {"team", "stakeholders", "users", "public"}),
        ("rollback.decided-r2", {"team", "stakeholders", "public"}),
        ("rollback.shifted", {"team"}),
        ("rollback.escalated", {"team", "stakeholders", "public"}),
        ("incident.raised-critical", {"team", "stakeholders", "users", "public"}),
        ("incident.spread-20260302T120000", {"team", "stakeholders", "users", "public"}),
        ("rollback.succeeded", {"team", "stakeholders", "users", "public"}),
        ("accepted-1", {"team", "stakeholders", "users", "public"}),
        ("response-time-critical", {"team"}),
        ("refused", {"team"}),
        ("whatever-comes", {"team"}),
    ],
)
def test_who_hears_an_event(event: str, heard_by: set[str]) -> None:
    """The team everything; the others what is theirs, and nothing that is new and unknown."""
    assert {one.value for one in Audience if is_for_audience(event, one)} == heard_by


def ended(known: NoticeContext) -> NoticeContext:
    assert known.incident is not None
    over = change_status(known.incident, IncidentStatus.RESOLVED, START + MINUTE, "stable")
    return replace(known, incident=over)


def ordered(way: Direction = Direction.BACK) -> NoticeContext:
    context = build_hostile_facts()
    assert context.incident is not None
    assert context.rollback is not None
    order = RollbackRequest(command="c", actor="anna", reason="planned", way=way)
    return replace(
        context,
        incident=replace(
            context.incident, severity=Severity.MEDIUM, scopes=(IncidentScope(ScenarioName.FUNCTIONS),)
        ),
        rollbacks=(replace(context.rollback, order=order),),
    )


@pytest.mark.parametrize(
    ("audience", "event", "known", "template"),
    [
        (Audience.TEAM, "detected", build_hostile_facts(), "incident"),
        (Audience.TEAM, "refused", build_hostile_facts(incident=None), "plain"),
        (Audience.STAKEHOLDERS, "rollback.succeeded", build_hostile_facts(), "summary"),
        (Audience.USERS, "detected", build_hostile_facts(), "users"),
        (Audience.USERS, "detected", ordered(), "planned"),
        (Audience.PUBLIC, "rollback.succeeded", build_hostile_facts(), "users"),
        (Audience.PUBLIC, "rollback.succeeded", ended(build_hostile_facts()), "all-clear"),
        (Audience.USERS, "accepted-1", ended(ordered()), "all-clear"),
        (Audience.USERS, "detected", ordered(Direction.UNPIN), "users"),
        (Audience.USERS, "detected", ordered(Direction.UNDO), "users"),
        (Audience.CONCERNED, "rollback.succeeded", build_hostile_facts(), "concerned"),
        (Audience.CONCERNED, "rollback.failed", ordered(), "concerned"),
    ],
)
def test_which_words_for_whom(audience: Audience, event: str, known: NoticeContext, template: str) -> None:
    """By who hears it, and what there is to say."""
    assert template_name(build_hostile_notice(event=event), audience, known) == template


@pytest.mark.parametrize(
    ("event", "stage"),
    [
        ("rollback.parked", IncidentStage.ASKED),
        ("rollback.parked-r2-15", IncidentStage.ASKED),
        ("rollback.parked-again-7", IncidentStage.OTHER),
        ("rollback.parked-r2-again-28", IncidentStage.OTHER),
    ],
)
def test_a_question_asked_again_pages_nobody(event: str, stage: IncidentStage) -> None:
    """Also in a further rollback of the incident, whose number stands before the word."""
    assert incident_stage(event) is stage


def test_every_stage_is_told_to_the_stakeholders() -> None:
    """The business hears of each turn."""
    of_the_team = {IncidentStage.ASKED, IncidentStage.LATE, IncidentStage.OTHER}
    assert {*IncidentStage} - of_the_team == {
        incident_stage(event)
        for event in (
            "detected",
            "incident.spread-20260302T121300",
            "rollback.decided",
            "rollback.verified",
            "rollback.failed",
            "incident.raised-critical",
            "accepted",
            "report-r2",
        )
    }


@pytest.mark.parametrize("audience", [Audience.USERS, Audience.PUBLIC])
def test_people_outside_get_no_word_of_ours(audience: Audience) -> None:
    """What stands in a notice to them holds no reason, no command and no fact."""
    channel = Channel("users", ChannelKind.WEBHOOK, "https://x.example", audience=audience)
    policy = replace(BOOKSHOP, channels=(channel,))

    [said] = create_notices(
        policy, ID, Severity.HIGH, "detected", "anna broke it", START, to_paste=("x",), cause="y"
    )

    assert (said.text, said.commands, said.facts) == ("", (), {})


# On their way


def outside(after: timedelta | None) -> Iterator[Any]:
    rules = StatusPage(publish_after={} if after is None else {Severity.CRITICAL: after})
    channels = (
        BOOKSHOP.channels[0],
        Channel("users", ChannelKind.WEBHOOK, "https://x.example", audience=Audience.USERS),
        Channel("board", ChannelKind.WEBHOOK, "https://y.example", audience=Audience.STAKEHOLDERS),
    )
    yield replace(BOOKSHOP, status_page=rules, channels=channels, contacts=(), on_call=())


def heard(world: World, channel: str) -> list[str]:
    return [one.notice["subject"] for one in world.sent_notices if one.channel == channel]


def test_users_hear_that_it_began_and_that_it_is_over() -> None:
    """And the business each turn of it, in its own words."""
    [policy] = outside(timedelta(0))
    world = World(policy=policy)
    world.deploy_bad()
    world.alert()
    world.pass_time(45 * MINUTE)

    assert heard(world, "users") == ["The Bookshop: not working", f"The Bookshop: incident {ID} has ended"]
    events = [one.notice["event"] for one in world.sent_notices if one.channel == "board"]
    turns = [f"rollback.{one}" for one in ("decided", "verified", "succeeded")]
    assert events == ["detected", *turns, "report"]
    assert heard(world, "board")[-1] == f"The Bookshop: CRITICAL incident {ID}, resolved"
    told = json.dumps([one.notice for one in world.sent_notices if one.channel == "users"])
    assert not re.search("payOrder|deploy|v1|gcloud|facts", told)


@pytest.mark.parametrize("after", [None, 60 * MINUTE])
def test_users_hear_nothing_of_what_the_page_does_not_show(after: timedelta | None) -> None:
    """What was over in time, or what a person holds back."""
    [policy] = outside(after)
    world = World(policy=policy)
    world.deploy_bad()
    world.alert()
    world.pass_time(120 * MINUTE)

    assert heard(world, "users") == []
    assert len(heard(world, "board")) == 5


def test_what_a_person_publishes_users_hear_at_once() -> None:
    """As on the page."""
    [policy] = outside(None)
    world = World(policy=policy)
    world.deploy_bad()
    world.alert()
    world.settle()
    world.send_command("publish", incident=ID)
    world.pass_time(45 * MINUTE)

    began, ended = heard(world, "users")
    assert began == "The Bookshop: working again after a problem"
    assert ended == f"The Bookshop: incident {ID} has ended"


# Templates of one's own


def test_a_folder_with_one_template_of_its_own(tmp_path: Path) -> None:
    """It wins; the others are ours; and it can do nothing with text of others either."""
    (tmp_path / "users.txt").write_text("Ahoi {{ id }}\n{{ parts }}\n")
    facts = describe_hostile_notice(build_hostile_facts("<b>"))

    assert NoticeTemplates(tmp_path).render("users", facts).body == "‹b›\n"
    assert NoticeTemplates(tmp_path).render("summary", facts) == NoticeTemplates().render("summary", facts)


@pytest.mark.parametrize(
    "broken",
    [
        "{{ nothing_of_that_name }}",
        "{% if %}",
        "{{ 1 + 'a' }}",
        "{{ ''.__class__.__mro__ }}",
        "{% include '/etc/passwd' %}",
    ],
)
def test_a_broken_template_silences_nobody(
    broken: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ours is used, and the log says so."""
    (tmp_path / "users.txt").write_text(broken)
    facts = describe_hostile_notice(build_hostile_facts())

    made = NoticeTemplates(tmp_path).render("users", facts)

    assert made == NoticeTemplates().render("users", facts)
    assert json.loads(capsys.readouterr().err)["event"] == "template.broken"


def test_each_template_has_a_file() -> None:
    """And each file is a template."""
    assert {file.stem for file in TEMPLATE_FOLDER.iterdir()} == set(TEMPLATE_NAMES)
    assert isinstance(TrustedText("x"), str)
