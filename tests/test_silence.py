"""What a silence makes of what it sees: who is told, what is ours, and until when it listens."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from shared import silence as silences
from shared import upheld
from shared.documents import decode, encode
from shared.feeds import NO_PUSH, Feed, Told
from shared.inventory import Source
from shared.plan import Step
from shared.quarantine import Entry, Landed
from shared.repair import KIND
from shared.silence import Listener, Silence, Stand
from shared.triggers import Hearer
from shared.upheld import Status
from shared.versions import Scope

AT = datetime(2026, 11, 27, 12, 0, 0, 1, UTC)
SECOND = timedelta(seconds=1)
DAY = timedelta(days=1)
HERE = "(default)"
EVENT = "google.cloud.firestore.document.v1."
ORDERS, USERS = Scope("orders"), Scope("users")
WRITTEN = Hearer("any", f"{EVENT}written", "**", "s/any", (ORDERS, USERS))
CREATED = Hearer("new", f"{EVENT}created", "orders/{id}", "s/new", (ORDERS,))
DELETED = Hearer("gone", f"{EVENT}deleted", "orders/{id}", "s/gone", (ORDERS,))
PUSH = b"\x00\xffpush"


def silence(*hearers: Hearer, **more: object) -> Silence:
    listeners = tuple(Listener(one, PUSH) for one in hearers)
    made = Silence("shop", "c", "alice", "a test", AT, AT + DAY, "INC-1", listeners=listeners)
    return replace(made, **more)


def test_it_is_kept_as_it_is() -> None:
    """A push comes back verbatim, whatever bytes it is."""
    made = silence(WRITTEN, CREATED)
    assert decode(Silence, encode(made)) == made


def test_a_listener_has_every_scope_that_a_step_names() -> None:
    """One for each subscription, however many steps it hears of."""
    steps = [
        Step(str(scope), KIND, str(scope), goal={"silenced": [encode(one)]})
        for scope, one in (
            (ORDERS, replace(WRITTEN, scopes=(ORDERS,))),
            (ORDERS, CREATED),
            (USERS, replace(WRITTEN, scopes=(USERS,))),
        )
    ]
    found = silences.listeners([*steps, Step("take out", "take_out", "who")])
    assert found == (Listener(WRITTEN), Listener(CREATED))


@pytest.mark.parametrize(
    ("feed", "stand"),
    [
        (Feed(PUSH, DAY), Stand(told=(Listener(CREATED, PUSH),))),
        (Feed(NO_PUSH, DAY), Stand(silent=(Listener(CREATED, PUSH),))),
        (Feed(b"elsewhere", DAY), Stand(theirs=("new",))),
        (None, Stand(theirs=("new",))),
    ],
)
def test_how_a_listener_is_told(feed: Feed | None, stand: Stand) -> None:
    """As before, not at all, or as somebody wants it."""
    feeds = {"s/new": feed} if feed is not None else {}
    assert silences.stand(silence(CREATED).listeners, feeds) == stand


def test_what_is_ours_by_the_journal() -> None:
    """Made, changed and removed, each told by its time; who is named nowhere by a number."""
    entry = Entry(
        "e",
        "s",
        HERE,
        Source("b", "o", 1),
        (
            Landed("orders/made", AT),
            Landed("orders/changed", AT, AT - SECOND),
            Landed("orders/gone", None, AT - SECOND),
            Landed("users/ada", AT, AT - SECOND),
            Landed("books/1", AT),
            Landed("orders/never", None),
            Landed("orders/same", AT - SECOND, AT - SECOND),
        ),
        events=(7,),
    )
    found = silences.ours(silence(WRITTEN, CREATED, DELETED), [entry])
    assert found.expected == {"s/any": 4, "s/new": 1, "s/gone": 1}
    assert found.unnamed == 1
    assert Told(HERE, "orders/changed", AT).key in found.keys
    assert Told(HERE, "orders/gone", AT - SECOND, is_gone=True).key in found.keys
    assert 7 in found.keys
    for other in (
        Told("copy", "orders/changed", AT),
        Told(HERE, "orders/changed", AT + SECOND / 1_000_000),
        Told(HERE, "orders/changed", AT - SECOND),
        Told(HERE, "orders/gone", AT - SECOND),
        Told(HERE, "orders/same", AT - SECOND),
        Told(HERE, "orders/changed", AT, is_gone=True),
    ):
        assert other.key not in found.keys


@pytest.mark.parametrize(
    ("seen", "heard", "lost", "after", "is_over"),
    [
        (2, None, None, 0, True),
        (1, None, None, 59, False),
        (1, None, None, 60, True),
        (1, 30, None, 89, False),
        (1, 30, None, 90, True),
        (1, None, 600, 599, False),
        (1, None, 600, 600, True),
        (2, None, 600, 0, True),
        (0, 1790, 3000, 1799, False),
        (0, 1790, 3000, 1800, True),
    ],
)
def test_until_when_it_listens(
    seen: int, heard: int | None, lost: int | None, after: int, *, is_over: bool
) -> None:
    """Until all has come; else a minute after the last; longer after a death; and not for ever."""
    made = silence(WRITTEN, status=Status.FALLING, falls_at=AT)
    [one] = made.listeners
    made = replace(
        made,
        listeners=(replace(one, expected=2, kept_from=seen),),
        heard_at=AT + heard * SECOND if heard is not None else None,
        lost_until=AT + lost * SECOND if lost is not None else None,
    )
    assert silences.is_heard_out(made, AT + after * SECOND) is is_over


@pytest.mark.parametrize(("after", "stands"), [(0, False), (59, False), (60, True)])
def test_it_stands_once_that_has_settled(after: int, *, stands: bool) -> None:
    """A minute after the last push was seen to be taken away."""
    taken = silences.taken(silence(WRITTEN), AT)
    later = silences.taken(taken, AT + after * SECOND)
    assert (later.status is Status.STANDING) is stands
    assert later.taken_at == AT


@pytest.mark.parametrize(
    ("after", "awaits_end", "listens"),
    [(0, True, False), (19, True, False), (20, True, True), (899, True, True), (900, False, True)],
)
def test_from_when_it_listens(after: int, *, awaits_end: bool, listens: bool) -> None:
    """Once a write that was on its way has landed; where its rollback does not end, later."""
    made = upheld.falls(silence(WRITTEN), "a test", AT)
    assert silences.is_end_awaited(made, AT + after * SECOND) is awaits_end
    assert silences.may_listen(made, AT + after * SECOND) is listens


@pytest.mark.parametrize(("after", "may"), [(None, False), (0, True), (29, True), (30, False)])
def test_by_which_intent_a_push_is_taken_away(after: int | None, *, may: bool) -> None:
    """By one that is on record, and not old."""
    made = silence(WRITTEN, sent_at=AT if after is not None else None)
    assert upheld.may_send(made, AT + (after or 0) * SECOND) is may
