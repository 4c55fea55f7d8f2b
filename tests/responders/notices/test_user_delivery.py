"""A notice to the devices of users: whom it reaches, what is kept of it, what the team hears."""

import json
from collections import Counter
from collections.abc import Iterable
from datetime import timedelta

import pytest
from msgspec.structs import replace

from shared.core.codec import encode
from shared.core.errors import Rejected, Unavailable
from shared.core.store import Put
from shared.domain.data.erasure.ledger import (
    Erasure,
    ErasureLedgerRecord,
    erasure_path,
    hash_person,
    ledger_path,
)
from shared.domain.notices.push_progress import MAX_DEVICES_PER_BATCH, PushResult
from shared.domain.policy.data_rules import ErasureRules, Place
from tests.support.notices.notices import read_notices as kept
from tests.support.notices.user_devices import (
    DATABASE,
    MANY,
    NOTICE,
    TEAM,
    build_policy_with_devices,
    build_world_with_users,
    device_token,
    push_progress,
    user_name,
)
from tests.support.runtime.world import BOOKSHOP, World


def told(world: World) -> Counter[str]:
    """How often each device was told of that it began."""
    return Counter(one.token for one in world.ports.sender.pushed if one.sent.key == NOTICE)


def all_of(numbers: Iterable[int]) -> Counter[str]:
    return Counter(device_token(number) for number in numbers)


def test_each_device_is_told_once() -> None:
    """In batches, and one that two users share, too; the team has nothing to hear."""
    world = build_world_with_users(MANY)
    shared = {"devices": [device_token(0), device_token(1), 7, ""], "news": True}
    world.ports.kept.write(DATABASE, {"users/zoe": shared, "users/zed": {"devices": None}})
    world.advance_clock(timedelta(minutes=1))

    world.pass_time(timedelta(minutes=3))

    assert told(world) == all_of(range(MANY))
    assert kept(world)[NOTICE]["status"] == "SENT"
    assert push_progress(world)["taken"] == MANY
    assert TEAM not in kept(world)
    assert {one.sent.notice["repeated"] for one in world.ports.sender.pushed} == {False}


def test_only_users_who_are_asked_for() -> None:
    """By equality of their fields."""
    world = build_world_with_users(6, build_policy_with_devices(news=True))

    world.pass_time(timedelta(minutes=3))

    assert told(world) == all_of((0, 2, 4))


def test_more_users_than_the_channel_may_tell() -> None:
    """The first are told; how many more there are is on record, and the team reads it."""
    world = build_world_with_users(7, build_policy_with_devices(at_most=2, news=True))

    world.pass_time(timedelta(minutes=3))

    assert told(world) == all_of((0, 2))
    assert (push_progress(world)["users"], push_progress(world)["beyond"]) == (2, 2)
    assert "users beyond at_most, not told: 2" in str(kept(world)[TEAM]["text"])
    assert kept(world)[TEAM]["status"] == "SENT"


def test_a_token_that_leads_nowhere() -> None:
    """It is counted, and no failure: the team has nothing to do about it."""
    world = build_world_with_users(3)
    world.ports.sender.fates = {device_token(1): PushResult.GONE}

    world.pass_time(timedelta(minutes=3))

    assert told(world) == all_of((0, 2))
    assert kept(world)[NOTICE]["status"] == "SENT"
    assert push_progress(world)["gone"] == 1
    assert TEAM not in kept(world)


def test_a_device_that_gives_no_answer_is_tried_again() -> None:
    """It alone, and what it is told then says that it may be a repeat."""
    world = build_world_with_users(3)
    world.ports.sender.fates = {device_token(1): PushResult.NONE}
    world.pass_time(timedelta(seconds=30))
    assert told(world) == all_of((0, 2))
    assert kept(world)[NOTICE]["status"] == "PENDING"

    world.ports.sender.fates = {}
    world.pass_time(timedelta(minutes=3))

    assert told(world) == all_of(range(3))
    late = [one for one in world.ports.sender.pushed if one.token == device_token(1)]
    assert [one.sent.notice["repeated"] for one in late] == [True]
    assert kept(world)[NOTICE]["status"] == "SENT"


def test_a_device_that_never_answers_is_given_up() -> None:
    """Within the limit of attempts; the team reads how many were not reached."""
    world = build_world_with_users(3)
    world.ports.sender.fates = {device_token(1): PushResult.NONE}

    world.pass_time(timedelta(hours=2))

    assert kept(world)[NOTICE]["status"] == "UNDELIVERABLE"
    assert "not reached: 1" in str(kept(world)[TEAM]["text"])
    assert told(world) == all_of((0, 2))


def test_many_devices_that_give_no_answer() -> None:
    """Every batch of them says that it may be a repeat, and nobody else's does."""
    world = build_world_with_users(3 * MAX_DEVICES_PER_BATCH)
    silent = [number for number in range(3 * MAX_DEVICES_PER_BATCH) if number % 2]
    world.ports.sender.fates = {device_token(number): PushResult.NONE for number in silent}
    world.pass_time(timedelta(seconds=30))

    world.ports.sender.fates = {}
    world.pass_time(timedelta(minutes=3))

    assert told(world) == all_of(range(3 * MAX_DEVICES_PER_BATCH))
    marked = {one.token for one in world.ports.sender.pushed if one.sent.notice["repeated"]}
    assert marked == set(all_of(silent))


def test_a_channel_that_is_down_goes_on_where_it_stood() -> None:
    """Nobody is told twice, nobody is left out."""
    world = build_world_with_users(MANY)
    sent: list[str] = []

    def fail_second(verb: str, side: str) -> None:
        if (verb, side) == ("sender.send_each", "before"):
            sent.append(verb)
            if len(sent) == 2:
                raise Unavailable("no answer")

    world.ports.sender.hook = fail_second
    world.pass_time(timedelta(minutes=3))

    assert told(world) == all_of(range(MANY))
    marked = {one.token for one in world.ports.sender.pushed if one.sent.notice["repeated"]}
    assert marked == set(all_of(range(MAX_DEVICES_PER_BATCH, 2 * MAX_DEVICES_PER_BATCH)))


@pytest.mark.parametrize(
    ("devices", "failing", "fate", "status", "line"),
    [
        (2, (0, 1), PushResult.GONE, "SENT", "lead nowhere any more: 2"),
        (2, (0, 1), PushResult.REFUSED, "UNDELIVERABLE", "given up: devices refuses"),
        (MAX_DEVICES_PER_BATCH + 1, (1, MAX_DEVICES_PER_BATCH), PushResult.REFUSED, "SENT", "refused: 2"),
    ],
    ids=["no token leads anywhere", "all refuse", "one of each batch refuses"],
)
def test_devices_that_cannot_be_told(
    devices: int, failing: tuple[int, ...], fate: PushResult, status: str, line: str
) -> None:
    """The team hears why; it is given up at once where all refuse, else the others are told."""
    world = build_world_with_users(devices)
    world.ports.sender.fates = {device_token(number): fate for number in failing}

    world.pass_time(timedelta(minutes=3))

    assert kept(world)[NOTICE]["status"] == status
    assert line in str(kept(world)[TEAM]["text"])


@pytest.mark.parametrize(
    ("failure", "status"), [(Rejected("no index"), "UNDELIVERABLE"), (Unavailable("no answer"), "SENT")]
)
def test_users_that_cannot_be_read(failure: Exception, status: str) -> None:
    """Could not look is no empty list: asked again; a no is given up, and the team reads why."""
    world = build_world_with_users(2)
    failures = [failure]

    def fail_once(verb: str, side: str) -> None:
        if (verb, side) == ("documents.matching", "before") and failures:
            raise failures.pop()

    world.ports.kept.hook = fail_once
    world.pass_time(timedelta(minutes=3))

    assert kept(world)[NOTICE]["status"] == status
    assert (TEAM in kept(world)) == (status == "UNDELIVERABLE")
    assert told(world) == (all_of(()) if status == "UNDELIVERABLE" else all_of((0, 1)))


@pytest.mark.parametrize("place", [Place("users"), Place("users", field="owner")])
def test_whoever_was_erased_is_not_told(place: Place) -> None:
    """Though their document is still there, whether its name or a field says whose it is."""
    world = build_world_with_users(3)
    now, system = world.now, BOOKSHOP.system
    hashed = hash_person("salt", user_name(1))
    entry, book = Erasure(system, hashed, now, ()), ErasureLedgerRecord(system, "salt", now)
    world.store.commit(
        [Put(ledger_path(system), encode(book)), Put(erasure_path(system, hashed), encode(entry))]
    )
    policy = replace(build_policy_with_devices(), erasure=ErasureRules((place,)))
    world.policy = policy
    world.start_instances()

    world.pass_time(timedelta(minutes=3))

    assert told(world) == all_of((0, 2))
    assert push_progress(world)["users"] == 2


def test_what_takes_long_goes_on_in_the_next_delivery() -> None:
    """A batch that is begun late in one delivery is the last of it; none is lost."""
    world = build_world_with_users(MANY)

    def take_long(verb: str, side: str) -> None:
        if (verb, side) == ("sender.send_each", "after"):
            world.advance_clock(timedelta(seconds=15))

    world.ports.sender.hook = take_long
    world.settle()

    assert told(world) == all_of(range(MANY))
    assert kept(world)[NOTICE]["status"] == "SENT"
    assert {one.sent.notice["repeated"] for one in world.ports.sender.pushed} == {False}


def test_users_are_told_as_of_one_moment() -> None:
    """Whoever comes or goes between two deliveries moves nobody's turn."""
    world = build_world_with_users(MANY)

    def change(verb: str, side: str) -> None:
        if (verb, side) == ("sender.send_each", "after"):
            world.advance_clock(timedelta(seconds=30))
            world.ports.kept.write(DATABASE, {f"users/{user_name(0)}": None, "users/a": {}})

    world.ports.sender.hook = change
    world.settle()

    assert told(world) == all_of(range(MANY))


def test_nobody_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    """No token and no user in state, trail, log or what the team hears."""
    world = build_world_with_users(
        MAX_DEVICES_PER_BATCH + 3, build_policy_with_devices(at_most=MAX_DEVICES_PER_BATCH + 2)
    )
    world.ports.sender.fates = {
        device_token(1): PushResult.NONE,
        device_token(2): PushResult.GONE,
        device_token(3): PushResult.REFUSED,
    }

    world.pass_time(timedelta(hours=2))

    log = capsys.readouterr().err
    assert "notice.short" in log
    state = json.dumps(world.documents, default=str)
    everything = f"{log}{state}{world.sent_notices}"
    assert "hush-" not in everything
    assert "ada-" not in everything
