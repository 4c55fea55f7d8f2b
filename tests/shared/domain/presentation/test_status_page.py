"""What of an incident is public, and when: in plain words, and in what it leaves of the uptime."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from shared.domain.incidents.incident import AffectedPart, PublicState, StatusPageRecord
from shared.domain.policy.channels import Component, StatusPage
from shared.domain.policy.scenario_names import ScenarioName
from shared.domain.policy.severity import Severity
from shared.domain.presentation.status_page import (
    UPTIME_DAYS,
    ComponentStatus,
    StatusPageDay,
    build_status_page,
    disruption_spans,
    downtime,
    is_public,
    record_parts,
)
from shared.domain.rollback.plan import PlanHeader
from shared.domain.signals.alert import Alert
from tests.support.fakes.runtime.clock import START
from tests.support.notices.response import build_incident, build_rollback
from tests.support.notices.status_page import BACK_SINCE, DAY, HOUR, MINUTE, SECOND, build_public_state
from tests.support.runtime.world import BOOKSHOP

PARTS = (Component("Shop"), Component("Signing in", ("authentication_failure",)))
PART_FUNCTIONS = {"Orders": "placeOrder", "Search": "searchBooks"}
RULES = StatusPage(publish_after={Severity.CRITICAL: timedelta(0), Severity.HIGH: timedelta(seconds=90)})


@pytest.mark.parametrize(
    ("told", "after", "shown"),
    [
        (build_public_state(Severity.CRITICAL), timedelta(0), True),
        (build_public_state(Severity.HIGH), 89 * SECOND, False),
        (build_public_state(Severity.HIGH), 90 * SECOND, True),
        (build_public_state(Severity.HIGH, ended=89 * SECOND), DAY, False),
        (build_public_state(Severity.HIGH, ended=90 * SECOND), DAY, True),
        (build_public_state(Severity.MEDIUM), DAY, False),
        (build_public_state(Severity.MEDIUM, published=True), timedelta(0), True),
        (build_public_state(severity=None), DAY, False),  # type: ignore[arg-type]
    ],
)
def test_what_the_public_sees_and_when(told: PublicState, after: timedelta, shown: bool) -> None:
    """At once, after a while unless it was over by then, or when a person says so."""
    policy = replace(BOOKSHOP, status_page=RULES)

    assert is_public(told, policy, START + after, alerted=False) is shown


@pytest.mark.parametrize(
    ("told", "spans"),
    [
        (build_public_state(), [(-MINUTE, HOUR)]),
        (build_public_state(ended=5 * MINUTE), [(-MINUTE, 5 * MINUTE)]),
        (
            build_public_state(Severity.HIGH, START, ("rolling back (monitoring)", MINUTE)),
            [(-MINUTE, MINUTE)],
        ),
        (
            build_public_state(
                Severity.HIGH,
                START,
                ("rolling back (monitoring)", MINUTE),
                ("resolved", 31 * MINUTE),
                ("investigating", 40 * MINUTE),
            ),
            [(-MINUTE, MINUTE), (40 * MINUTE, HOUR)],
        ),
    ],
)
def test_when_it_did_not_work(told: PublicState, spans: list[tuple[timedelta, timedelta]]) -> None:
    """From the onset until it was back; anew when it came back; not while it is only watched."""
    found = [(began - START, ended - START) for began, ended in disruption_spans(told, START + HOUR)]

    assert found == spans


@pytest.mark.parametrize(
    ("spans", "minutes"),
    [
        ([], 0),
        ([(0, 10)], 10),
        ([(0, 10), (5, 15)], 15),
        ([(5, 15), (0, 20)], 20),
        ([(-10, 5)], 5),
        ([(55, 70)], 5),
        ([(-10, -1), (60, 61)], 0),
    ],
)
def test_overlapping_trouble_counts_once(spans: list[tuple[int, int]], minutes: int) -> None:
    """And only what lies within the time that is asked for."""
    real = [(START + began * MINUTE, START + ended * MINUTE) for began, ended in spans]

    assert downtime(real, START, START + HOUR) == minutes * MINUTE


def test_ninety_days_of_a_part() -> None:
    """Each day in UTC, the oldest first; an incident over midnight counts in both."""
    midnight = START.replace(hour=0)
    told = build_public_state(Severity.HIGH, midnight, ended=HOUR, onset_at=midnight - 30 * MINUTE)

    seen = build_status_page(BOOKSHOP, [told], BACK_SINCE, START)

    [part] = seen.parts
    yesterday, today = part.days[-2:]
    assert len(part.days) == UPTIME_DAYS
    assert yesterday == StatusPageDay(midnight.date() - DAY, 30 * MINUTE, ComponentStatus.TROUBLED)
    assert today == StatusPageDay(midnight.date(), HOUR, ComponentStatus.DOWN)
    assert {one.mood for one in part.days[:-2]} == {ComponentStatus.WORKING}
    assert part.uptime == 1 - 90 * MINUTE / (89 * DAY + 12 * HOUR)


def test_before_anybody_watched_nothing_is_claimed() -> None:
    """Unknown is not the same as up."""
    seen = build_status_page(BOOKSHOP, [], START - 3 * DAY, START)

    moods = [one.mood for one in seen.parts[0].days]
    assert moods == [ComponentStatus.UNKNOWN] * 86 + [ComponentStatus.WORKING] * 4
    assert build_status_page(BOOKSHOP, [], START, START).parts[0].uptime is None


@pytest.mark.parametrize(("severity", "minutes"), [(Severity.MEDIUM, 61), (Severity.LOW, 0)])
def test_the_uptime_counts_what_the_page_calls_disrupted(severity: Severity, minutes: int) -> None:
    """A part that is partly disrupted was not up; a minor problem is shown and not counted."""
    seen = build_status_page(BOOKSHOP, [build_public_state(severity)], BACK_SINCE, START + HOUR)

    assert len(seen.active) == 1
    assert seen.parts[0].days[-1].down == minutes * MINUTE


@pytest.mark.parametrize(
    ("told", "mood", "words"),
    [
        ([], ComponentStatus.WORKING, "Working."),
        (
            [build_public_state()],
            ComponentStatus.DOWN,
            "Not working. We are investigating a problem with Bookshop.",
        ),
        (
            [build_public_state(Severity.HIGH, START, ("rolling back", MINUTE))],
            ComponentStatus.TROUBLED,
            "Disrupted. We are restoring a previous version.",
        ),
        (
            [build_public_state(Severity.HIGH, START, ("rolling back (monitoring)", MINUTE))],
            ComponentStatus.WATCHED,
            "It works again. We are monitoring it.",
        ),
        ([build_public_state(ended=MINUTE)], ComponentStatus.WORKING, "Working."),
        (
            [build_public_state(Severity.LOW), build_public_state()],
            ComponentStatus.DOWN,
            "Not working. We are investigating",
        ),
        (
            [build_public_state(Severity.LOW, START, ("unpinning", MINUTE))],
            ComponentStatus.CHECKED,
            "Maintenance. We are releasing a newer version.",
        ),
        (
            [build_public_state(Severity.CRITICAL, START, ("under investigation", MINUTE))],
            ComponentStatus.CHECKED,
            "Under investigation. We are checking Bookshop as a precaution.",
        ),
        (
            [build_public_state(Severity.CRITICAL, START, ("changed (monitoring)", MINUTE))],
            ComponentStatus.CHECKED,
            "Maintenance. We have changed some parts of Bookshop. We are monitoring them.",
        ),
        (
            [build_public_state(Severity.CRITICAL, START, ("unpinning", MINUTE), ("investigating", MINUTE))],
            ComponentStatus.DOWN,
            "Not working. We are looking for the cause.",
        ),
        (
            [replace(build_public_state(), severity=None, published=True)],
            ComponentStatus.TROUBLED,
            "Minor problem",
        ),
    ],
)
def test_a_part_in_plain_words(told: list[PublicState], mood: ComponentStatus, words: str) -> None:
    """The worst that troubles it; what is over troubles nobody."""
    [part] = build_status_page(BOOKSHOP, told, BACK_SINCE, START + HOUR).parts

    assert part.mood is mood
    assert part.words.startswith(words)


def test_a_part_that_the_signal_does_not_concern() -> None:
    """It works, and the page says that some parts do not."""
    policy = replace(BOOKSHOP, status_page=StatusPage(components=PARTS))

    seen = build_status_page(policy, [build_public_state()], BACK_SINCE, START)

    assert [one.mood for one in seen.parts] == [ComponentStatus.DOWN, ComponentStatus.WORKING]
    assert seen.mood is ComponentStatus.DOWN
    assert seen.active[0].parts == ("Shop",)


def test_trouble_of_no_part() -> None:
    """The page never says that all is well while an incident is open."""
    policy = replace(BOOKSHOP, status_page=StatusPage(components=PARTS[1:]))

    seen = build_status_page(policy, [build_public_state()], BACK_SINCE, START)

    assert (seen.mood, seen.parts[0].mood) == (ComponentStatus.TROUBLED, ComponentStatus.WORKING)


@pytest.mark.parametrize(
    ("changed", "working", "affected"),
    [
        ((), (), ["Orders"]),
        (("placeOrder", "searchBooks"), (), ["Orders", "Search"]),
        (("placeOrder", "searchBooks"), ("searchBooks",), ["Orders"]),
    ],
)
def test_a_part_that_is_restored_is_affected(
    changed: tuple[str, ...], working: tuple[str, ...], affected: list[str]
) -> None:
    """An alert names no function, one is seen to fail: what else is restored is in doubt."""
    parts = tuple(Component(name, functions=(one,)) for name, one in PART_FUNCTIONS.items())
    policy = replace(BOOKSHOP, status_page=StatusPage(components=parts))
    times = (START, START, START)
    alert = Alert("0.a:open", "0.a", "open", "", "bookshop", "function_failure_rate", "INC", *times, None, "")
    plan = PlanHeader(ScenarioName.FUNCTIONS, "r1", 2, "", "", changed=changed)
    rollback = build_rollback(failing=("placeOrder",), plan=plan)
    told, incident = build_public_state(), build_incident(working=working)

    record = record_parts(policy, told, StatusPageRecord(), [alert], rollback, incident, START)

    assert [one.name for one in record.parts] == affected


@pytest.mark.parametrize(
    ("failing", "over"),
    [
        ((1, 2, 1), "2 of 3 functions of Catalogue"),
        ((1, 3, 1), "Catalogue"),
        ((2, 1, 2), "2 of 3 functions of Catalogue"),
    ],
)
def test_a_part_that_works_again_is_named_with_the_most_that_failed(
    failing: tuple[int, ...], over: str
) -> None:
    """While it fails, with how many fail now; at the end, not with how many failed last."""
    names = ("getBook", "listBooks", "searchBooks")
    policy = replace(BOOKSHOP, status_page=StatusPage(components=(Component("Catalogue", functions=names),)))
    told, record = build_public_state(), StatusPageRecord()
    for number in failing:
        seen = build_rollback(failing=names[:number])
        record = record_parts(policy, told, record, [], seen, build_incident(), START)
    now = build_status_page(policy, [told], BACK_SINCE, START + MINUTE, {told.incident or "": record})
    ended = build_public_state(Severity.CRITICAL, START, ("resolved", HOUR), ended=HOUR)
    record = record_parts(policy, ended, record, [], None, build_incident(), START + HOUR)
    later = build_status_page(policy, [ended], BACK_SINCE, START + 2 * HOUR, {ended.incident or "": record})

    assert now.active[0].parts == (f"{failing[-1]} of 3 functions of Catalogue",)
    assert later.past[0].parts == (over,)


TWO_PARTS = (Component("Shop"), Component("Checkout"))


@pytest.mark.parametrize(
    ("word", "over", "title", "parts", "overall", "checkout"),
    [
        ("investigating", [], "Not working", ("Shop", "Checkout"), "Some parts do not work.", "Not working."),
        ("investigating", ["Checkout"], "Not working", ("Shop",), "Some parts do not work.", "Working."),
        (
            "investigating",
            ["Shop", "Checkout"],
            "Under investigation",
            ("Shop", "Checkout"),
            "We are checking or changing some parts.",
            "Working.",
        ),
        ("undoing", [], "Not working", ("Shop", "Checkout"), "Some parts do not work.", "Not working."),
        (
            "undoing",
            ["Shop", "Checkout"],
            "Maintenance",
            ("Shop", "Checkout"),
            "We are checking or changing some parts.",
            "Maintenance. We are undoing our last change.",
        ),
        (
            "rolling back (monitoring)",
            ["Shop", "Checkout"],
            "Monitoring",
            ("Shop", "Checkout"),
            "All parts work again. We are monitoring them.",
            "It works again. We are monitoring it.",
        ),
    ],
)
def test_an_incident_names_the_parts_that_still_fail(
    word: str, over: list[str], title: str, parts: tuple[str, ...], overall: str, checkout: str
) -> None:
    """Title, parts and overall sentence agree; the title names no part that works again."""
    policy = replace(BOOKSHOP, status_page=StatusPage(components=TWO_PARTS))
    affected = (AffectedPart(one.name, START) for one in TWO_PARTS)
    ended = tuple(replace(one, until=START + MINUTE if one.name in over else None) for one in affected)
    told = build_public_state(Severity.CRITICAL, START, (word, MINUTE))
    records = {told.incident or "": StatusPageRecord(parts=ended)}

    seen = build_status_page(policy, [told], BACK_SINCE, START + HOUR, records)

    assert (seen.active[0].title, seen.active[0].parts) == (title, parts)
    assert seen.words == overall
    assert seen.parts[1].words.startswith(checkout)


@pytest.mark.parametrize(
    "words", [("rolling back", "under investigation"), ("changing", "changed (monitoring)")]
)
def test_what_is_over_is_named_by_what_failed(words: tuple[str, str]) -> None:
    """Not by what was still checked or changed at its end."""
    turns = [(word, number * MINUTE) for number, word in enumerate(words, 1)]
    told = build_public_state(Severity.CRITICAL, START, *turns, ("resolved", HOUR), ended=HOUR)

    [over] = build_status_page(BOOKSHOP, [told], BACK_SINCE, START + 2 * HOUR).past

    assert over.title == "Not working"
