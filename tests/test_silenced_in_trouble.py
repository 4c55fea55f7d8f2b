"""A silence that does not stand, falls before its time, or hears less than it was to."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest
from msgspec.structs import replace

from cli.wired import UNUSABLE
from shared import command as commands
from shared import silence as silences
from shared.errors import Ambiguous, Rejected, Throttled, Unavailable
from shared.feeds import NO_PUSH, Feed
from shared.health import ProbeAnswer
from shared.ports import Query, Update
from shared.rollback import Status as RollbackStatus
from shared.severity import Severity
from shared.upheld import Status
from tests import fences, taken_out
from tests.fakes.hooks import no_hook, once, raising
from tests.fences import RULES
from tests.outside import refusals
from tests.prompt import Prompt
from tests.silent import (
    AS_BEFORE,
    BOTH,
    HEARERS,
    KEPT,
    ORDERS,
    SILENT,
    SilentShop,
    expect_the_applications_own,
    kept_from,
    meanwhile,
    notified,
    told,
)
from tests.spoilt import ERASURE, GOOD, MINUTE, SPOILT
from tests.world import POLICIES

PAID = {"customer": "bob", "status": "paid", "amount": 1}


def asked(*, late: bool = False) -> SilentShop:
    shop = SilentShop(late=late)
    shop.asked()
    return shop


def expect_nothing_written(shop: SilentShop, why: str) -> None:
    """It has failed, and says why; all is as it was."""
    assert shop.newest.status is RollbackStatus.FAILED
    assert "no document was written: the silence has fallen" in shop.newest.outcome
    assert why in shop.newest.outcome
    assert shop.data == {**GOOD, **SPOILT}


def test_a_push_that_could_not_be_given_back_is_not_taken_away() -> None:
    """Each subscription is asked first to be as it is: what refuses that is left alone."""
    shop = asked()
    shop.ports.feeds.may_not_act_as = True
    shop.approve("bob")
    shop.until(lambda: shop.newest.status is RollbackStatus.FAILED)
    assert shop.pushes() == AS_BEFORE
    shop.comes_to(Status.DOWN)

    expect_nothing_written(shop, "iam.serviceAccounts.actAs")
    assert shop.silence.why.startswith("PERMISSION_DENIED")
    assert shop.pushes() == AS_BEFORE


@pytest.mark.parametrize("failure", [Throttled("429"), Unavailable("none"), Ambiguous("none")])
@pytest.mark.parametrize("verb", ["feed", "set_push", "pull", "acknowledge", "hold"])
@pytest.mark.parametrize("side", ["before", "after"])
def test_what_gives_no_answer_is_asked_again(verb: str, side: str, failure: Exception) -> None:
    """One of four times, whatever is asked: nothing is lost, and nobody hears of the repair."""
    shop = asked()
    calls: list[str] = []

    def hook(called: str, when: str) -> None:
        if (called, when) == (f"feeds.{verb}", side) and shop.has_silence:
            calls.append(called)
            if len(calls) % 4 == 1:
                raise failure

    shop.ports.feeds.hook = hook
    shop.approve("bob")
    shop.comes_to(Status.STANDING)
    shop.work({"orders/2": PAID})
    shop.until(lambda: shop.silence.is_over, 90)
    shop.ports.feeds.hook = no_hook
    shop.pass_time(15 * MINUTE)

    assert calls
    assert shop.data == GOOD
    expect_the_applications_own(shop)


def test_what_took_too_long_to_be_sent_is_not_sent() -> None:
    """By what was read long ago nothing is taken away."""
    shop = asked()

    def slow(verb: str, side: str) -> None:
        if (verb, side) == ("feeds.set_push", "after"):
            assert shop.pushes() == AS_BEFORE
            shop.ports.clock.sleep(21)

    shop.ports.feeds.hook = slow
    shop.approve("bob")
    shop.until(lambda: shop.newest.status is RollbackStatus.FAILED)
    assert shop.silence.why == "it does not stand in time: it took too long to be sent"
    assert shop.pushes() == AS_BEFORE


@pytest.mark.parametrize(
    ("feed", "why"),
    [
        (Feed(b"push", KEPT, is_dead_lettered=True), "its subscription has a dead letter policy"),
        (None, "its subscription is gone"),
    ],
)
def test_a_subscription_that_changes_right_before_it_is_silent(feed: Feed | None, why: str) -> None:
    """What it was as people were asked does not count: it is left as it is."""
    shop = asked()

    def hook(verb: str, side: str) -> None:
        if shop.has_silence and not shop.silence.is_seen:
            if feed is None:
                shop.ports.feeds.known.pop(ORDERS, None)
            else:
                shop.ports.feeds.known[ORDERS].feed = feed

    shop.ports.feeds.hook = hook
    shop.approve("bob")
    shop.comes_to(Status.DOWN)
    expect_nothing_written(shop, f"{HEARERS[ORDERS].name} cannot be kept from being told: {why}")
    assert NO_PUSH not in shop.pushes().values()


def test_a_silence_that_cannot_stand_ends_it() -> None:
    """After its time; the pushes are as they were."""
    shop = asked()
    shop.ports.feeds.hook = raising("feeds.set_push", Unavailable("no answer"))
    shop.approve("bob")
    shop.until(lambda: shop.newest.status is RollbackStatus.FAILED)
    shop.ports.feeds.hook = no_hook
    shop.comes_to(Status.DOWN)

    expect_nothing_written(shop, "it does not stand in time: no answer")
    assert shop.pushes() == AS_BEFORE


def test_a_silence_that_nobody_raises_ends_it() -> None:
    """Whoever was to raise it never does: the repair waits no longer than it was to stand in."""
    shop = asked()
    shop.ports.feeds.hook = raising("feeds.set_push", Unavailable("no answer"))
    shop.approve("bob")
    shop.comes_to(Status.RAISING)
    path = commands.path(shop.silence.command)
    shop.ports.store.commit([Update(path, {"due_at": None})])
    shop.pass_time(8 * MINUTE)

    assert shop.newest.status is RollbackStatus.FAILED
    assert "no document was written: no silence stands" in shop.newest.outcome
    assert shop.data == {**GOOD, **SPOILT}


def test_a_fence_that_does_not_stand_ends_the_silence() -> None:
    """Nothing is written, and all that waits comes."""
    shop = SilentShop(replace(SILENT, fence=RULES))
    shop.asked()
    shop.ports.prober.answers[RULES.canary] = ProbeAnswer(True, 200)
    shop.approve("bob")
    shop.work({"orders/2": PAID})
    shop.comes_to(Status.DOWN)

    assert "no document was written: the fence has fallen" in shop.newest.outcome
    assert shop.silence.why == f"{shop.newest.id} writes nothing more"
    expect_the_applications_own(shop)


def test_a_pause_lets_it_be_raised_no_further() -> None:
    """As a fence."""
    shop = asked()
    shop.ports.feeds.hook = raising("feeds.set_push", Unavailable("no answer"))
    shop.approve("bob")
    shop.comes_to(Status.RAISING)
    shop.command("carol", command="pause")
    shop.pass_time(MINUTE)
    assert shop.silence.why == "a person has stopped automation"


def test_a_pause_while_it_settles() -> None:
    """It falls, too, and the pushes are as they were."""
    shop = asked()
    settling(shop, lambda: pause(shop))
    shop.approve("bob")
    shop.comes_to(Status.DOWN)
    assert shop.silence.stood_at is None
    assert shop.silence.why == "a person has stopped automation"
    assert shop.pushes() == AS_BEFORE


def test_a_pause_right_before_a_push_is_taken_away() -> None:
    """After the look, and before the request: none is sent."""
    shop = asked()
    paused, sent = list[str](), list[str]()

    def hook(verb: str, side: str) -> None:
        looked = (verb, side) == ("feeds.feed", "after") and shop.has_silence
        if looked and shop.silence.sent_at is not None and not paused:
            paused.append(verb)
            pause(shop)
        if verb == "feeds.set_push":
            sent.append(verb)

    shop.ports.feeds.hook = hook
    shop.approve("bob")
    shop.comes_to(Status.DOWN)
    assert sent == []
    assert shop.silence.why == "a person has stopped automation"


def changed(shop: SilentShop, push: bytes) -> None:
    """A person lets a subscription push somewhere."""
    shop.ports.feeds.known[ORDERS].feed = Feed(push, KEPT)
    shop.ports.feeds.deliver()


def settling(shop: SilentShop, happens: Callable[[], object]) -> None:
    """It happens once every push is seen to be taken away, and before it stands."""
    done: list[object] = []

    def hook(verb: str, side: str) -> None:
        if shop.has_silence and shop.silence.taken_at is not None and not done:
            done.append(verb)
            happens()

    shop.ports.feeds.hook = hook


def test_a_push_that_a_person_changes() -> None:
    """Nothing is written, theirs is left, and what waits in the others comes."""
    shop = asked()
    settling(shop, lambda: changed(shop, b"elsewhere"))
    shop.approve("bob")
    shop.until(lambda: shop.newest.status is RollbackStatus.FAILED)
    shop.work({"orders/2": PAID})
    shop.comes_to(Status.DOWN)

    name = HEARERS[ORDERS].name
    expect_nothing_written(shop, f"somebody has changed how {name} is told")
    assert shop.pushes() == {**AS_BEFORE, ORDERS: b"elsewhere"}
    assert shop.silence.left == (name,)
    assert f"{name}: somebody has changed how it is told: left" in notified(shop)[-1]
    assert {one.path for one in shop.told(BOTH)} == {"orders/2"}


def test_a_push_that_a_person_gives_back_before_it_stands() -> None:
    """It is taken away again, and all of it settles anew."""
    shop = asked()
    settling(shop, lambda: changed(shop, AS_BEFORE[ORDERS]))
    given_back = shop.ports.feeds.hook
    taken: list[datetime] = []

    def hook(verb: str, side: str) -> None:
        given_back(verb, side)
        if (verb, side) == ("feeds.set_push", "after") and shop.silence.status is Status.RAISING:
            shop.ports.clock.sleep(1)
            taken.append(shop.ports.clock.now())

    shop.ports.feeds.hook = hook
    shop.approve("bob")
    shop.comes_to(Status.STANDING)
    assert len(taken) == 2 * len(HEARERS) + 2
    assert shop.silence.stood_at is not None
    assert shop.silence.stood_at >= taken[-1] + silences.SETTLES
    shop.comes_to(Status.DOWN)
    expect_the_applications_own(shop)


def test_a_push_that_a_person_gives_back() -> None:
    """Nothing more is written once it stood."""
    shop = asked()

    def given_back() -> None:
        changed(shop, AS_BEFORE[ORDERS])
        shop.pass_time(MINUTE)

    shop.ports.quarantine.hook = once("quarantine.keep", "after", given_back)
    shop.approve("bob")
    shop.until(lambda: shop.newest.status is RollbackStatus.FAILED)
    shop.comes_to(Status.DOWN)

    assert shop.silence.why == f"somebody has {HEARERS[ORDERS].name} told again"
    assert "nothing more is written" in shop.newest.outcome
    assert shop.ports.rewritten.written == []
    expect_the_applications_own(shop)


def test_a_push_that_a_person_changes_halfway() -> None:
    """What is written is kept from the others; whoever has changed one may be told of it."""
    shop = asked()
    meanwhile(shop, lambda: changed(shop, b"elsewhere"))
    meanwhile_again = shop.ports.rewritten.hook

    def looked(verb: str, side: str) -> None:
        meanwhile_again(verb, side)
        if (verb, side) == ("rewrites.rewrite", "after"):
            shop.pass_time(MINUTE)

    shop.ports.rewritten.hook = looked
    shop.approve("bob")
    shop.until(lambda: shop.newest.status is RollbackStatus.FAILED)
    shop.ports.rewritten.hook = no_hook
    shop.comes_to(Status.DOWN)

    assert len(shop.written()) == 1
    assert "nothing more is written: the silence has fallen" in shop.newest.outcome
    assert not shop.told(BOTH)
    assert shop.pushes() == {**AS_BEFORE, ORDERS: b"elsewhere"}


def test_a_subscription_that_is_gone_meanwhile() -> None:
    """Its trigger was deployed anew: somebody is there."""
    shop = asked()
    settling(shop, lambda: shop.ports.feeds.known.pop(ORDERS))
    shop.approve("bob")
    shop.comes_to(Status.DOWN)
    expect_nothing_written(shop, "somebody has changed how")
    assert shop.silence.left == (HEARERS[ORDERS].name,)


def test_a_person_lifts_it() -> None:
    """As a fence: what was written until then nobody is told of, and nothing more is written."""
    shop = asked()

    def lifted() -> None:
        for person in ("carol", "dave"):
            shop.command(person, command="lift-fence", system="bookshop")
            shop.deliver_commands()

    meanwhile(shop, lifted)
    shop.approve("bob")
    shop.comes_to(Status.DOWN)

    assert len(shop.written()) == 1
    assert "the silence has fallen: lifted by carol" in shop.newest.outcome
    assert told(shop)[-2:] == ["silence.falls", "silence.down"]
    expect_the_applications_own(shop)
    shop.command("carol", command="lift-fence", system="bookshop")
    shop.settle()
    assert "bookshop has no fence" in refusals(shop)[-1]


def test_an_event_that_is_late() -> None:
    """It is waited for, as long as was said."""
    shop = asked(late=True)
    shop.approve("bob")
    shop.comes_to(Status.FALLING)
    shop.come()
    shop.work({"orders/2": PAID})
    shop.comes_to(Status.DOWN)
    assert kept_from(shop)[ORDERS] == (1, 1)
    expect_the_applications_own(shop)


def test_an_event_that_does_not_come() -> None:
    """After a minute the pushes are given back, and it is told who may be started yet."""
    shop = asked(late=True)
    shop.approve("bob")
    shop.comes_to(Status.FALLING)
    falls_at = shop.silence.falls_at
    assert falls_at is not None
    shop.until(lambda: shop.pushes() == AS_BEFORE, 3)
    assert shop.ports.clock.now() >= falls_at + silences.SEEN_WITHIN
    shop.comes_to(Status.DOWN)
    said = f"kept from 0 events of {shop.newest.id}; 1 never came, and may start it yet"
    assert f"{HEARERS[ORDERS].name}: {said}" in notified(shop)[-1]


def test_what_is_not_understood_is_left() -> None:
    """It is pushed afterwards, as it was."""
    shop = asked()
    shop.approve("bob")
    shop.comes_to(Status.STANDING)
    shop.ports.feeds.tell(ORDERS, None)
    shop.comes_to(Status.DOWN)
    shop.pass_time(MINUTE)
    shop.ports.feeds.deliver()
    assert None in shop.ports.feeds.known[ORDERS].pushed
    expect_the_applications_own(shop)


def test_a_silence_that_does_not_fall_is_told_loudly() -> None:
    """Once, with the subscriptions whose push is not back; tried until it falls."""
    shop = asked()
    shop.approve("bob")
    shop.comes_to(Status.FALLING)
    shop.ports.feeds.hook = raising("feeds.set_push", Rejected("PERMISSION_DENIED"))
    shop.pass_time(50 * MINUTE)
    assert told(shop).count("silence.stuck") == 1
    loud = [one.fields for one in shop.ports.store.query(Query("notices")) if one.fields]
    [stuck, *_] = [one for one in loud if one["event"] == "silence.stuck"]
    assert stuck["severity"] == Severity.CRITICAL
    assert "THE SILENCE DOES NOT FALL: PERMISSION_DENIED" in stuck["text"]
    assert ORDERS in stuck["text"]
    assert "rollback pushes --system bookshop" in stuck["text"]

    shop.ports.feeds.hook = no_hook
    shop.comes_to(Status.DOWN)
    shop.pass_time(15 * MINUTE)
    expect_the_applications_own(shop)


def test_a_silence_that_does_not_fall_without_its_policy(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Another system's people are told by which command a person gives the pushes back."""
    shop = asked()
    shop.approve("bob")
    shop.comes_to(Status.FALLING)
    fences.without_policy(shop)
    shop.ports.feeds.hook = raising("feeds.set_push", Rejected("PERMISSION_DENIED"))
    shop.pass_time(50 * MINUTE)
    [*_, said] = notified(shop)
    command = said.rpartition("rollback ")[2].split()
    prompt = Prompt(monkeypatch, tmp_path, shop)
    (tmp_path / "example.yaml").unlink()
    (tmp_path / "cvplus.yaml").symlink_to(POLICIES / "cvplus.yaml")

    assert prompt.say(*command).output.count("modify-push-config") == len(HEARERS)
    assert prompt.say("pushes", "--system", "a/shop").exit_code == UNUSABLE


def test_a_silence_whose_time_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """A repair that stands still does not keep anybody silent for longer."""
    monkeypatch.setattr(silences, "LONGEST", 12 * MINUTE)
    shop = asked()
    shop.ports.quarantine.hook = once("quarantine.keep", "after", lambda: pause(shop))
    shop.approve("bob")
    shop.comes_to(Status.FALLING)
    assert shop.silence.why == "its time is over"
    shop.until(lambda: shop.pushes() == AS_BEFORE, 60)


def test_they_are_told_again_when_it_was_promised(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where its time is over, and what waits cannot be looked through."""
    monkeypatch.setattr(silences, "LONGEST", 12 * MINUTE)
    shop = asked()
    shop.ports.quarantine.hook = once("quarantine.keep", "after", lambda: pause(shop))
    shop.ports.feeds.hook = raising("feeds.pull", Unavailable("no answer"))
    shop.approve("bob")
    shop.comes_to(Status.FALLING)
    shop.until(lambda: shop.pushes() == AS_BEFORE, 60)

    now = shop.ports.clock.now()
    [said] = re.findall(r"until (\S+) UTC at most", notified(shop)[0])
    assert shop.silence.why == "its time is over"
    assert f"{shop.silence.began_at:%H:%M}" < f"{now:%H:%M}" <= said


def pause(shop: SilentShop) -> None:
    shop.command("carol", command="pause")
    shop.ports.clock.sleep(3)
    shop.deliver_commands()


def cancel(shop: SilentShop) -> None:
    shop.command("carol", command="cancel", system="bookshop", incident=shop.newest.incident)
    shop.deliver_commands()


@pytest.mark.parametrize("happens", [cancel, fences.without_policy])
def test_a_repair_that_ends_halfway(happens: Callable[[SilentShop], None]) -> None:
    """What it has written until then nobody hears of; also where its policy is gone."""
    shop = asked()
    meanwhile(shop, lambda: happens(shop))
    shop.approve("bob")
    shop.work({"orders/2": PAID})
    shop.comes_to(Status.DOWN)
    assert shop.written() <= set(SPOILT)
    expect_the_applications_own(shop)


def test_a_write_whose_answer_is_lost_before_it_is_cancelled() -> None:
    """What stands there as it was meant is ours, though nobody was told that it landed."""
    shop = asked()

    def lost(verb: str, side: str) -> None:
        if (verb, side) == ("rewrites.rewrite", "after"):
            shop.ports.rewritten.hook = no_hook
            cancel(shop)
            raise Ambiguous("no answer")

    shop.ports.rewritten.hook = lost
    shop.approve("bob")
    shop.comes_to(Status.DOWN)
    assert shop.newest.status is RollbackStatus.CANCELLED
    assert sum(one.unknown for one in taken_out.journal(shop)) == 1
    expect_the_applications_own(shop)


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("called_off", [False, True])
def test_who_is_erased_meanwhile_is_taken_out_in_silence(called_off: bool, late: bool) -> None:
    """Neither what was written of them nor that it is gone is told, and nothing names them."""
    policy = replace(SILENT, erasure=ERASURE)
    shop = SilentShop(policy, spoilt=taken_out.SPOILT, late=late)

    def come(verb: str, side: str) -> None:
        """Those of one hearer, which is told of the erased alone, are the last."""
        fell = shop.silence.falls_at if shop.has_silence else None
        if fell is not None and shop.ports.clock.now() >= fell + 1.25 * MINUTE:
            shop.come()
        if shop.late is not None:
            on_time = [one for one in shop.late if one[0] != ORDERS]
            shop.late = [one for one in shop.late if one[0] == ORDERS]
            for one in on_time:
                shop.ports.feeds.tell(*one)

    shop.ports.feeds.hook = come
    taken_out.repaired(taken_out.called_off if called_off else taken_out.erase, shop=shop)
    shop.comes_to(Status.DOWN)

    assert shop.data == taken_out.WITHOUT_ADA
    assert sum(one.taken_out for one in taken_out.journal(shop)) == 2
    assert sum(len(one.events) for one in taken_out.journal(shop)) == 4
    assert shop.written() == {"customers/bob"}
    expect_the_applications_own(shop)
