"""Which start is due next on the stand, and what is known once it was made."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

import pytest
from msgspec.structs import replace

from shared import stand, starts
from shared.deployment import Deployment, Placement, Restorability, Status, Tried
from shared.policy_file import loads
from shared.stand import OnStand, Outcome, Template, Trial, Verdict
from tests.fakes.clock import START
from tests.small_policy import SMALL, faults_of

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)
SERVICE = "projects/p/locations/r/services/pay"
TRIAL = Trial(f"{SERVICE}/revisions/pay-1", "stand-t20260302-120000", "1", START + HOUR)
NEVER = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


def deployment(
    name: str = "v1",
    *revisions: str,
    started: Mapping[str, datetime] | None = None,
    tried: Mapping[str, Tried] | None = None,
    status: Status = Status.STABLE,
    after: timedelta = timedelta(0),
) -> Deployment:
    """One that served these revisions of one function, proven at START."""
    served = {"pay": Placement(SERVICE, (), dict.fromkeys(revisions or ("pay-1",), 50))}
    proof = Restorability(START, started=dict(started or {}), tried=dict(tried or {}))
    return Deployment(
        name,
        "bookshop",
        START + after,
        status,
        served,
        settled_at=START + after,
        restorable=proof,
    )


@pytest.mark.parametrize(
    ("started", "tried", "due_at"),
    [
        (None, Tried(), NEVER),
        (START, Tried(), START + DAY),
        (START, Tried(START + HOUR), START + HOUR + DAY),
        (START + HOUR, Tried(START), START + HOUR + DAY),
        (None, Tried(failed_at=START), START + 5 * MINUTE),
        (None, Tried(failed_at=START, again_at=START + HOUR), START + 2 * HOUR),
        (None, Tried(failed_at=START, unknown_at=START + HOUR), START + 2 * HOUR),
        (None, Tried(unknown_at=START), START + HOUR),
        (START - 3 * DAY, Tried(failed_at=START), START + 5 * MINUTE),
        (START - 3 * DAY, Tried(START - 2 * DAY, START, unknown_at=START + HOUR), START + 2 * HOUR),
        (START + HOUR, Tried(failed_at=START), START + HOUR + DAY),  # it has started since
    ],
)
def test_when_a_start_is_due(started: datetime | None, tried: Tried, due_at: datetime) -> None:
    """A day after the last one, seen or made; an hour after one that failed or told nothing.

    Five minutes after the first that failed.
    """
    seen = {"pay-1": started} if started else {}

    assert stand.next_due([deployment(started=seen, tried={"pay-1": tried})], START) == (
        due_at,
        f"{SERVICE}/revisions/pay-1",
    )


def test_the_oldest_is_due_first() -> None:
    """What was never seen before what was seen long ago, of whichever of the deployments."""
    older = deployment("v1", "pay-1", "pay-2", started={"pay-1": START, "pay-2": START - HOUR})
    newer = deployment("v2", "pay-3", started={"pay-3": START + HOUR})

    assert stand.next_due([newer, older], START) == (
        START - HOUR + DAY,
        f"{SERVICE}/revisions/pay-2",
    )
    assert stand.next_due([newer, deployment("v1", "pay-4")], START) == (
        NEVER,
        f"{SERVICE}/revisions/pay-4",
    )
    assert stand.next_due([], START) is None


@pytest.mark.parametrize(
    ("now", "first"),
    [(START + 5 * MINUTE - SECOND, "pay-9"), (START + 5 * MINUTE, "pay-1")],
)
def test_what_is_to_be_confirmed_comes_before_what_was_never_seen(
    now: datetime, first: str
) -> None:
    """People are told of it in minutes, however many are due."""
    one = deployment("v1", "pay-1", "pay-9", tried={"pay-1": Tried(failed_at=START)})

    due = stand.next_due([one], now)

    assert due is not None
    assert due[1].endswith(f"/{first}")


@pytest.mark.parametrize(
    ("known", "names"),
    [
        ((), []),
        ((deployment(),), ["v1"]),
        ((deployment(), deployment("v0", after=-HOUR)), ["v1"]),
        ((deployment(), deployment("v2", status=Status.LIVE, after=HOUR)), ["v2", "v1"]),
        ((deployment(), deployment("v0", status=Status.LIVE, after=-HOUR)), ["v1"]),
        ((deployment(), deployment("v2", status=Status.BAD, after=HOUR)), ["v1"]),
        ((replace(deployment(), restorable=None),), []),
        ((replace(deployment(), expires_at=START),), []),
        ((deployment(), replace(deployment("v2", after=HOUR), named="v1")), ["v1"]),
        (
            (
                deployment(),
                replace(deployment("v2", status=Status.ROLLING_OUT, after=HOUR), settled_at=None),
            ),
            ["v1"],
        ),
    ],
)
def test_whose_starts_are_made(known: tuple[Deployment, ...], names: list[str]) -> None:
    """Those of the current target, and of what has just settled; nobody proves others by it."""
    assert [one.id for one in stand.wanted(known)] == names


def test_what_is_known_of_a_revision_is_known_of_each_deployment_that_it_served_in() -> None:
    """The newest word of any; nothing is started twice because somebody has deployed."""
    old = deployment("v1", "pay-1", "pay-2", tried={"pay-1": Tried(START)})
    new = deployment("v2", "pay-1", "pay-3", tried={"pay-1": Tried(failed_at=START + HOUR)})

    first, second = stand.shared([old, new])

    assert first.restorable is not None
    assert first.restorable.tried == {"pay-1": Tried(failed_at=START + HOUR)}
    assert second == new

    dead = deployment("v3", tried={"pay-1": Tried(failed_at=START, again_at=START + 2 * HOUR)})
    third, _ = stand.shared([second, dead])
    assert third.restorable is not None
    assert third.restorable.tried["pay-1"].again_at == START + 2 * HOUR


@pytest.mark.parametrize(
    ("before", "outcome", "after"),
    [
        (None, Outcome(Verdict.STARTED), Tried(TRIAL.at)),
        (Tried(START, START, "no"), Outcome(Verdict.STARTED), Tried(TRIAL.at)),
        (Tried(START), Outcome(Verdict.FAILED, "no"), Tried(START, TRIAL.at, "no")),
        (
            Tried(START, START, "no"),
            Outcome(Verdict.UNKNOWN, "quota"),
            Tried(START, START, "no", TRIAL.at, "quota"),
        ),
        (
            Tried(None, None, "", START, "quota"),
            Outcome(Verdict.FAILED, "no"),
            Tried(None, TRIAL.at, "no"),
        ),
        (
            Tried(None, START, "no"),
            Outcome(Verdict.FAILED, "other"),
            Tried(None, START, "no", again_at=TRIAL.at),
        ),
        (
            Tried(None, START, "no", again_at=START + MINUTE),
            Outcome(Verdict.FAILED, "other"),
            Tried(None, START, "no", again_at=TRIAL.at),
        ),
        (
            Tried(None, START, "no", again_at=START + MINUTE),
            Outcome(Verdict.STARTED),
            Tried(TRIAL.at),
        ),
    ],
)
def test_what_a_trial_tells(before: Tried | None, outcome: Outcome, after: Tried) -> None:
    """A start ends what failed; what told nothing leaves all as it was known.

    When and why it failed first is kept.
    """
    one = deployment(tried={"pay-1": before} if before else {})
    other = deployment("v2", "pay-9")

    first, second = stand.judged([one, other], TRIAL, outcome)

    assert first.restorable is not None
    assert first.restorable.tried == {"pay-1": after}
    assert second == other


def test_what_failed_once_after_a_start_that_was_seen() -> None:
    """It is the first time again."""
    before = Tried(None, START - DAY, "no", again_at=START - HOUR)
    one = deployment(started={"pay-1": START}, tried={"pay-1": before})

    (after,) = stand.judged([one], TRIAL, Outcome(Verdict.FAILED, "other"))

    assert after.restorable is not None
    assert after.restorable.tried == {"pay-1": Tried(None, TRIAL.at, "other")}
    assert starts.unknown(after.restorable) == (
        "start of pay-1: failed once, and is made again: other",
    )
    assert starts.did_not_start(after.restorable, "pay-1") is None
    assert starts.proven(after) == starts.Proven(1)


TWICE = Tried(failed_at=START - MINUTE, again_at=START)


@pytest.mark.parametrize(
    ("seen", "tried", "fails"),
    [
        (None, Tried(), False),
        (None, Tried(failed_at=START), False),
        (None, TWICE, True),
        (START - HOUR, TWICE, True),
        (START - MINUTE, TWICE, True),
        (START, TWICE, False),
        (START + HOUR, TWICE, False),
        (None, replace(TWICE, started_at=START - DAY), True),
        (None, replace(TWICE, started_at=START), False),
        (None, Tried(unknown_at=START), False),
    ],
)
def test_a_revision_that_did_not_start(seen: datetime | None, tried: Tried, *, fails: bool) -> None:
    """Once it failed twice, until a later start, seen or made; what told nothing accuses nobody."""
    started = {"pay-1": seen} if seen else {}
    one = deployment(started=started, tried={"pay-1": replace(tried, words="exit(1)")})
    assert one.restorable is not None

    assert (starts.did_not_start(one.restorable, "pay-1") is not None) == fails
    told = list(starts.not_started(one, one.restorable.tried, started))
    line = "pay: revision pay-1 did not start (2026-03-02 11:59 UTC): exit(1)"
    assert told == ([line] if fails else [])
    assert starts.is_news(one) == fails


def test_news_until_it_is_proven() -> None:
    """A fault that the proof has is none, and one that it still has and is over is some."""
    failing = deployment(tried={"pay-1": Tried(None, START, "no", again_at=START + MINUTE)})
    assert failing.restorable is not None
    line = "pay: revision pay-1 did not start (2026-03-02 12:00 UTC): no"
    proof = replace(failing.restorable, faults=("index gone", line))

    assert not starts.is_news(replace(failing, restorable=proof))
    over = replace(proof, tried={"pay-1": Tried(START + HOUR)})
    assert starts.is_news(replace(failing, restorable=over))


def test_a_start_that_was_made_counts_as_one_that_was_seen() -> None:
    """And it is said which it was: of both the newer."""
    names = ("pay-1", "pay-2", "pay-3", "pay-4", "pay-5")
    one = deployment(
        "v1",
        *names,
        started={"pay-1": START, "pay-3": START - 2 * DAY, "pay-5": START},
        tried={
            "pay-2": Tried(START),
            "pay-3": Tried(START + HOUR),
            "pay-4": Tried(START - DAY),
            "pay-5": Tried(None, START + HOUR, "no"),
        },
    )

    assert starts.proven(one) == starts.Proven(5, seen=1, made=2)
    assert starts.not_seen_to_start(one) == {"pay": START - DAY}
    assert "pay-5" not in starts.warning(one, {"pay"})


def test_silence_of_monitoring_where_all_was_made_to_start() -> None:
    """Nothing is unknown then."""
    one = deployment(tried={"pay-1": Tried(START)})
    assert one.restorable is not None
    mute = replace(one, restorable=replace(one.restorable, unknown=(starts.STARTS,)))

    assert starts.warning(mute, {"pay"}) == ""
    assert "not known" in starts.warning(
        replace(mute, restorable=replace(one.restorable, unknown=(starts.STARTS,), tried={})),
        {"pay"},
    )


def test_what_told_nothing_is_among_what_was_not_seen() -> None:
    """With the words, as long as no later trial has told something."""
    proof = Restorability(
        START, unknown=("indexes",), tried={"pay-1": Tried(unknown_at=START, unknown="403: no")}
    )

    assert starts.unknown(proof) == ("indexes", "start of pay-1: 403: no")


@pytest.mark.parametrize(
    ("revision", "ours"),
    [
        ("stand-new", True),
        (stand.copy_name("stand", START), True),
        ("stand-00002-abc", False),
        ("stand-t20260302", False),
        ("other-new", False),
        ("", False),
    ],
)
def test_whose_revision_stands_there(revision: str, *, ours: bool) -> None:
    """Nobody but Terraform and us gives such names."""
    assert stand.is_ours("stand", revision) == ours


@pytest.mark.parametrize(
    ("found", "why"),
    [
        (OnStand("1", "stand-new", internal=True), ""),
        (OnStand("1", "stand-00002-abc", internal=True), "stand-00002-abc stands on stand"),
        (OnStand("1", "stand-new", internal=False), "stand is reachable from outside"),
    ],
)
def test_a_stand_on_which_no_code_is_put(found: OnStand, why: str) -> None:
    """Somebody else's, and one whose address others would find the application's code at."""
    assert stand.why_left("stand", found).startswith(why)
    assert bool(stand.why_left("stand", found)) == bool(why)


def test_a_name_fits_into_what_cloud_run_takes() -> None:
    """63 characters at most, whatever the longest name of a stand is."""
    name = "s" * 40
    policy = loads(f"{SMALL}deployments: {{ starts: {name} }}\n", "shop.yaml")

    assert policy.deployments.starts == name
    assert stand.service(policy) == f"projects/shop-prod/locations/europe-west1/services/{name}"
    assert len(stand.copy_name(name, START)) <= 63
    assert loads(SMALL, "shop.yaml").deployments.starts == ""


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("s" * 41, "is not a service's name"),
        ("Stand", "is not a service's name"),
        ("-stand", "is not a service's name"),
        ("payorder", "is the service of the function payOrder"),
    ],
)
def test_a_stand_that_cannot_be(name: str, why: str) -> None:
    """No function of the application is overwritten by a wrong name."""
    faults = faults_of(f"{SMALL}deployments: {{ starts: {name} }}\n")

    assert len(faults) == 1
    assert why in faults[0]


def test_what_a_copy_is_made_of_is_shown_nowhere() -> None:
    """There are values of variables in it."""
    assert "hush" not in f"{Template(b'hush')!r} {Template(b'hush')}"


def test_the_pace_is_far_from_the_quota_and_soon_enough() -> None:
    """151 functions in about two hours, one write each; 60 a minute are admitted."""
    a_trial = timedelta(seconds=30)  # to the sweep after APART

    assert a_trial > stand.APART
    assert 151 * a_trial <= timedelta(hours=2)
    assert timedelta(minutes=1) / a_trial <= 0.1 * 60
