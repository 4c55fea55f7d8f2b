"""What is pulled as a silence falls: all that is ours, whatever else there is to do."""

from __future__ import annotations

from datetime import timedelta

from shared import silence as silences
from shared.errors import Unavailable
from shared.feeds import NO_PUSH, Feed, Message, Told
from shared.upheld import Status
from tests import taken_out
from tests.fakes.hooks import no_hook
from tests.silent import (
    AS_BEFORE,
    BOTH,
    CUSTOMERS,
    ORDERS,
    SilentShop,
    expect_the_applications_own,
    kept_from,
    meanwhile,
)
from tests.spoilt import MINUTE

PAID = {"customer": "bob", "status": "paid", "amount": 1}


def test_a_repair_that_is_paused_for_longer_than_anybody_is_silent() -> None:
    """What it has written until then nobody hears of, though it may take some out yet."""
    shop = SilentShop()
    shop.asked()

    def paused() -> None:
        shop.command("carol", command="pause")
        shop.ports.clock.sleep(3)
        shop.deliver_commands()

    meanwhile(shop, paused)
    shop.approve("bob")
    shop.comes_to(Status.STANDING)
    shop.work({"orders/2": PAID})
    shop.until(lambda: shop.pushes() == AS_BEFORE, 200)
    fell_at, now = shop.silence.falls_at, shop.ports.clock.now()
    shop.pass_time(10 * MINUTE)

    assert taken_out.later(shop).due_at is not None
    assert fell_at is not None
    assert silences.ENDS_WITHIN < now - fell_at < silences.GIVEN_BACK_WITHIN
    assert len(shop.written()) == 1
    assert shop.silence.why == "its time is over"
    assert shop.silence.stood_at is not None
    assert shop.silence.stood_at < shop.silence.began_at + silences.STANDS_WITHIN
    expect_the_applications_own(shop)


def test_an_application_that_never_rests() -> None:
    """One that has always something more for one hearer does not keep another from being heard."""
    shop = SilentShop()
    shop.asked()
    shop.approve("bob")
    shop.comes_to(Status.STANDING)
    number = iter(range(10, 100_000))

    def works(verb: str, side: str) -> None:
        if (verb, side) == ("feeds.pull", "before"):
            shop.ports.clock.sleep(0.3)
            shop.work({f"customers/{next(number)}": {"email": "x@example.com"}})
            shop.work({"customers/bob": {"email": f"{next(number)}@example.com"}})

    shop.ports.feeds.hook = works
    shop.until(lambda: shop.pushes() == AS_BEFORE, 60)
    shop.ports.feeds.hook = no_hook
    shop.comes_to(Status.DOWN)
    shop.pass_time(15 * MINUTE)

    assert kept_from(shop) == {ORDERS: (1, 1), CUSTOMERS: (1, 1), BOTH: (2, 2)}
    expect_the_applications_own(shop)


def test_an_acknowledgement_that_is_refused_for_a_while() -> None:
    """What is ours stays in hand until one is heard: else it would come again, and be pushed."""
    shop = SilentShop()
    shop.ports.feeds.ack_within = timedelta(seconds=10)
    shop.asked()
    calls: list[str] = []

    def refused(verb: str, side: str) -> None:
        if (verb, side) == ("feeds.acknowledge", "before") and len(calls) < 3:
            calls.append(verb)
            shop.ports.clock.sleep(4)
            raise Unavailable("no answer")

    shop.ports.feeds.hook = refused
    shop.approve("bob")
    shop.comes_to(Status.DOWN)
    shop.pass_time(15 * MINUTE)

    assert len(calls) == 3
    expect_the_applications_own(shop)


def test_a_subscription_that_cannot_be_seen() -> None:
    """The others are told again, and it is not over before that one is."""
    shop = SilentShop()
    shop.asked()
    feed, answers = shop.ports.feeds.feed, list[bool]()

    def silent(name: str) -> Feed:
        if name == CUSTOMERS and shop.has_silence and shop.silence.falls_at and not answers:
            raise Unavailable("no answer")
        return feed(name)

    shop.ports.feeds.feed = silent  # type: ignore[method-assign]
    shop.approve("bob")
    shop.comes_to(Status.FALLING)
    shop.pass_time(40 * MINUTE)
    assert shop.pushes() == {**AS_BEFORE, CUSTOMERS: NO_PUSH}
    assert (shop.silence.status, shop.silence.waiting) == (Status.FALLING, "no answer")

    answers.append(True)
    shop.comes_to(Status.DOWN)
    assert shop.pushes() == AS_BEFORE


def test_a_subscription_that_gives_no_answer_for_long() -> None:
    """It holds up no other, however long it lets its caller wait."""
    shop = SilentShop()
    shop.asked()
    pull = shop.ports.feeds.pull

    def silent(name: str) -> list[Message]:
        if name == CUSTOMERS:
            shop.ports.clock.sleep(20)
            raise Unavailable("no answer")
        return pull(name)

    shop.ports.feeds.pull = silent  # type: ignore[method-assign]
    shop.approve("bob")
    shop.comes_to(Status.DOWN)

    assert kept_from(shop) == {ORDERS: (1, 1), CUSTOMERS: (0, 1), BOTH: (2, 2)}
    assert shop.pushes() == AS_BEFORE
    assert {one.path for one in shop.told(CUSTOMERS)} == {"customers/ada"}


def test_an_event_that_comes_twice_is_not_taken_for_another() -> None:
    """Which is late, and waited for."""
    shop = SilentShop(late=True)
    shop.asked()
    twice: list[Told] = []

    def comes(verb: str, side: str) -> None:
        fell = shop.silence.falls_at if shop.has_silence else None
        if fell is None:
            return
        if not twice:
            twice.append(next(told for name, told in shop.late or () if name == BOTH))
            shop.ports.feeds.tell(BOTH, twice[0])
            shop.late = [one for one in shop.late or () if one != (BOTH, twice[0])]
        if len(twice) == 1 and shop.silence.heard_at is not None:  # behind another look
            twice.append(twice[0])
            shop.ports.feeds.tell(BOTH, twice[0])
        if shop.ports.clock.now() >= fell + 1.25 * MINUTE:
            shop.come()

    shop.ports.feeds.hook = comes
    shop.approve("bob")
    shop.comes_to(Status.DOWN)

    assert len(twice) == 2
    assert kept_from(shop)[BOTH] == (2, 2)
    expect_the_applications_own(shop)
