"""What happens in a world beside its faults: the trouble, its alerts, and what people do."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial

from shared.core import topics
from shared.core.codec import encode
from shared.core.store import Put
from shared.domain import system_record as systems
from shared.domain.audit.chain import create_event
from shared.domain.audit.system_chain import UNCLAIMED_SYSTEM, event_write
from shared.domain.deployments.inventory.traffic import LATEST_REVISION
from shared.domain.policy.execution_limits import WriteQuota
from shared.domain.policy.scenario_names import Mode
from shared.domain.system_record import BUDGET_PATH, Budget, System
from tests.simulation.scenes.bookshop import SYSTEM, kept
from tests.simulation.world import World

LONG_REASON = "\N{BOMB}" * 10_000
"""Ten times as long as the responders store a reason."""
ANSWERS = ("approve",) * 4 + ("reject", "cancel", "retry", "accept", "ack")
Scene = Callable[[World], None]


def bad_release(world: World) -> None:
    """Every function has a bad revision, and one alert tells of it."""
    world.others.deploy_bad()
    world.plan(0.0, world.others.alert)


def two_alerts(world: World) -> None:
    """A second incident on the same functions, and both come again and close at some time."""
    bad_release(world)
    world.excuses.add("a further alert may come after the end")
    for _ in range(world.random.randint(1, 3)):
        name = world.random.choice(("0.a", "0.b"))
        world.plan(world.random.uniform(0.0, 200.0), partial(world.others.alert, name))
    if world.random.random() < 0.5:
        name = world.random.choice(("0.a", "0.b"))
        world.plan(world.random.uniform(100.0, 300.0), partial(world.others.alert, name, "closed"))


def partly_bad(world: World) -> None:
    """Only some functions were changed; the others are left alone."""
    world.others.deploy_bad(["shelf", "order"])
    world.plan(0.0, world.others.alert)


def rolling_out(world: World) -> None:
    """A bad release has reached some functions when the alert comes, and goes on after it."""
    first = world.random.choice([*world.policy.functions])
    world.others.deploy_bad([first])
    world.plan(world.random.uniform(0.0, 20.0), world.others.alert)
    for _ in range(world.random.randint(1, 3)):
        world.plan(world.random.uniform(0.0, 150.0), world.others.roll_out)


def outage(world: World) -> None:
    """Everything fails, and nothing was changed: a person is needed."""
    for function, service in world.platform.services().items():
        world.platform.set_failure_rate(function, service.latest_ready, 0.9)
    world.forbidden = "nothing was changed"
    world.excuses.add(world.forbidden)
    world.plan(0.0, world.others.alert)


def images_gone(world: World) -> None:
    """Images are gone, which shows beforehand or in the shift: what is kept is built again.

    After a shift that failed traffic is pinned to what does not come up: it is moved once more.
    Somebody may deploy what is about to be built.
    """
    world.store.commit(kept(world.recorded))
    for function in world.platform.services():
        if world.random.random() < 0.6:
            world.platform.lose_image(function, told=world.random.random() < 0.5)
    world.builder.next_is_late = world.random.random() < 0.5
    world.others.deploy_bad()
    world.plan(0.0, world.others.alert)
    if world.random.random() < 0.3:
        world.plan(world.random.uniform(5.0, 40.0), world.others.deploy_by_hand)


def rebuilds_undone(world: World) -> None:
    """What had to be built again is undone, and approved, at any moment and more than once."""
    images_gone(world)
    world.others.hint()
    if world.random.random() < 0.3:
        world.plan(world.random.uniform(30.0, 120.0), partial(world.others.answer, "cancel"))
    for _ in range(world.random.randint(1, 3)):
        at = world.random.uniform(100.0, 600.0)
        world.plan(at, partial(world.others.answer, "undo"))
        approved_at = at + world.random.uniform(5.0, 60.0)
        world.plan(approved_at, partial(world.others.answer, "approve"))


def no_better(world: World) -> None:
    """What was stable fails as well: the canary tells, and nothing else is shifted."""
    bad_release(world)
    first = world.platform.services()["shelf"].revisions[0]
    world.platform.set_failure_rate("shelf", first.name, 1.0)
    world.spared = frozenset({"basket"})
    world.excuses.add("the canary is no better")


def no_cure(world: World) -> None:
    """What was stable of one function fails as well, and no canary tells of it."""
    bad_release(world)
    first = world.platform.services()["basket"].revisions[0]
    world.platform.set_failure_rate("basket", first.name, 0.9)
    world.incurable = "basket"
    world.excuses.add("the trouble goes on")


def observed(world: World) -> None:
    """Nobody has promoted the system: automation only watches."""
    bad_release(world)
    world.store.commit([Put(systems.system_path(SYSTEM), encode(System(SYSTEM)))])
    world.forbidden = "the system is only observed"
    world.excuses.add(world.forbidden)


def budget_spent(world: World) -> None:
    """Automation has gone back three times in this hour already."""
    bad_release(world)
    starts = tuple(world.clock.now() - timedelta(minutes=minutes) for minutes in (30, 20, 10))
    world.store.commit([Put(BUDGET_PATH, encode(Budget(starts)))])
    world.forbidden = "the budget of this hour is spent"
    world.excuses.add(world.forbidden)


def unwanted_scenario(world: World) -> None:
    """A signal that is only watched."""
    world.others.deploy_bad()
    world.forbidden = "the signal is only watched"
    world.excuses.add(world.forbidden)
    world.plan(0.0, partial(world.others.alert, "0.a", "open", "slow_response"))


def again(world: World) -> None:
    """A second bad release soon after: never twice backwards by itself."""
    bad_release(world)

    def release() -> None:
        world.platform.deploy_at(world.clock.now(), failure_rate=0.9)
        for function in world.platform.services():
            world.others.release_by_hand(function, LATEST_REVISION)
        world.excuses.add("a second bad release")

    world.plan(420.0, release)
    world.plan(480.0, partial(world.others.alert, "0.second"))


def people(world: World) -> None:
    """People pause, order, promote and change things while it goes on."""
    bad_release(world)
    for _ in range(world.random.randint(1, 3)):
        act = world.random.choice(
            (
                partial(world.others.pause_for, world.random.uniform(5.0, 100.0)),
                partial(world.others.command, "rollback", system=SYSTEM),
                partial(world.others.command, "promote", system=SYSTEM, mode="ask"),
                world.others.change_by_hand,
                world.others.publish_by_hand,
                world.others.release_another_by_hand,
                world.others.change_policy,
            )
        )
        world.plan(world.random.uniform(0.0, 150.0), act)


def asked(world: World) -> None:
    """People must approve: they answer, rightly or wrongly, at any moment."""
    bad_release(world)
    system = System(SYSTEM, mode=Mode.ASK)
    world.store.commit([Put(systems.system_path(SYSTEM), encode(system))])
    world.asks = True
    world.excuses.add("people must approve")
    for _ in range(world.random.randint(1, 6)):
        verb = world.random.choice(ANSWERS)
        world.plan(world.random.uniform(0.0, 200.0), partial(world.others.answer, verb))
    if world.random.random() < 0.3:
        world.plan(world.random.uniform(0.0, 60.0), world.others.change_by_hand)


def answered(world: World) -> None:
    """Automation acts, and people cancel, retry, accept and freeze while it does."""
    bad_release(world)
    others = world.others
    for _ in range(world.random.randint(1, 4)):
        act = world.random.choice(
            (
                *(partial(world.others.answer, verb) for verb in ("cancel", "retry", "accept", "ack")),
                partial(others.freeze_for, world.random.uniform(5.0, 100.0)),
                partial(others.pause_for, world.random.uniform(5.0, 100.0)),
            )
        )
        world.plan(world.random.uniform(0.0, 150.0), act)


def undone(world: World) -> None:
    """A person takes the rollback back, at any moment, and goes on in any way."""
    bad_release(world)
    if world.random.random() < 0.5:
        world.plan(world.random.uniform(5.0, 60.0), partial(world.others.answer, "cancel"))
    for _ in range(world.random.randint(1, 2)):
        world.plan(world.random.uniform(60.0, 300.0), partial(world.others.answer, "undo"))
    if world.random.random() < 0.4:
        verb = world.random.choice(("retry", "accept"))
        world.plan(world.random.uniform(60.0, 400.0), partial(world.others.answer, verb))


def unpinned(world: World) -> None:
    """What is repaired is deployed behind the pins, and a person lifts them, more than once."""
    bad_release(world)
    world.plan(100.0, partial(world.others.answer, "accept"))

    def repair() -> None:
        world.platform.deploy_at(world.clock.now(), failure_rate=0.0)

    begins = world.random.uniform(150.0, 300.0)
    world.plan(begins, repair)
    for _ in range(world.random.randint(1, 3)):
        at = begins + world.random.uniform(1.0, 120.0)
        world.plan(at, partial(world.others.command, "unpin", system=SYSTEM))
    if world.random.random() < 0.5:
        world.plan(begins + world.random.uniform(60.0, 300.0), partial(world.others.answer, "undo"))


def fixed(world: World) -> None:
    """A fix is deployed and unpinned, and some time later a second bad release replaces it."""
    bad_release(world)
    world.plan(100.0, partial(world.others.answer, "accept"))
    deployed_at = world.random.uniform(200.0, 300.0)
    unpinned_at = deployed_at + world.random.uniform(1.0, 200.0)
    replaced_at = unpinned_at + world.random.uniform(150.0, 900.0)
    deploy = world.platform.deploy_at

    def repair() -> None:
        deploy(world.clock.now(), failure_rate=0.0)
        world.fix = {name: one.latest_created for name, one in world.platform.services().items()}

    world.plan(deployed_at, repair)
    world.plan(unpinned_at, partial(world.others.command, "unpin", system=SYSTEM))
    world.plan(unpinned_at + 30.0, world.others.hint)
    world.excuses.add("a second bad release")
    world.plan(replaced_at, lambda: deploy(world.clock.now(), failure_rate=0.9))
    world.plan(replaced_at + 1.0, world.others.hint)
    world.plan(replaced_at + 90.0, partial(world.others.alert, "0.second"))


def throttled(world: World) -> None:
    """The platform takes a write each 16 s, and a person cancels while one is waited for.

    An effect then is sent long after its intent, and not long before the commit of each ten seconds
    that would hear of the person.
    """
    bad_release(world)
    world.platform.limit_writes(WriteQuota(burst=1, per_second=1 / 16))
    world.excuses.add("the platform takes few writes")
    world.plan(world.random.uniform(5.0, 30.0), partial(world.others.answer, "cancel"))


def silent_bus(world: World) -> None:
    """Nothing is published for a while, whatever was committed: a rollback that ends as well."""
    world.random.choice((bad_release, outage))(world)
    begins = world.random.uniform(0.0, 250.0)
    world.plan(begins, partial(setattr, world.bus, "is_silent", True))
    world.plan(begins + world.random.uniform(5.0, 60.0), partial(setattr, world.bus, "is_silent", False))


def repeating_bus(world: World) -> None:
    """Each hand-over to a worker comes several times at once: nobody has died, and it succeeds."""
    bad_release(world)
    world.bus.repeats = True


def slow_workers(world: World) -> None:
    """One worker after another is late, and none of them has died."""
    bad_release(world)
    world.mishaps.slow = world.random.randint(4, 7)


def crossing_orders(world: World) -> None:
    """People order the same, less, more or something else at about one time, and an alert may come.

    Copies and late ones among them: the bus delivers as it does.
    """
    world.others.deploy_bad()
    world.excuses.add("people order what they like")
    random = world.random
    if random.random() < 0.6:
        world.plan(0.0, world.others.alert)
    begins = random.choice((0.0, 20.0, 60.0, 200.0))
    for _ in range(random.randint(2, 4)):
        some = random.sample([*world.policy.functions], random.randint(1, 3))
        contents: tuple[dict[str, object], ...] = ({}, {"functions": some}, {"scenario": "complete"})
        content = random.choice(contents)
        if random.random() < 0.3:
            content = {**content, "supersede": True}
        act = partial(world.others.command, "rollback", system=SYSTEM, **content)
        world.plan(begins + random.choice((0.0, 0.5, 5.0, 90.0)) * random.random(), act)
    if random.random() < 0.3:
        world.plan(begins + random.uniform(0.0, 120.0), partial(world.others.answer, "cancel"))


def poison(world: World) -> None:
    """Messages that nobody can act on come beside it; refused ones fill more than one document."""
    bad_release(world)
    for number in range(30):
        told = create_event(
            "message.refused", world.clock.now(), "topic", message=f"{number}", reason=LONG_REASON
        )
        world.store.commit([event_write(UNCLAIMED_SYSTEM, f"refused:topic:{number}", told)])
    junk = (b"", b"{", b"[1]", b'{"version": 9}', b'{"token": "secret"}', b"\xff\xfe")
    for topic in (topics.ALERTS, topics.OVERRIDE, topics.WORK, topics.NOTICES, topics.DEPLOYMENTS):
        data = world.random.choice(junk)
        at = world.random.uniform(0.0, 100.0)
        world.plan(at, partial(world.bus.deliver, topic, data, {"junk": "yes"}))
        world.laws.seen.poisoned()


def dead_channel(world: World) -> None:
    """A channel does not answer for a while."""
    bad_release(world)
    world.sender.down.add("pager")
    world.plan(world.random.uniform(10.0, 120.0), world.sender.down.clear)


Weighted = tuple[tuple[Scene, int], ...]
SCENES: Weighted = (
    (bad_release, 30),
    (two_alerts, 14),
    (people, 14),
    (asked, 8),
    (answered, 8),
    (undone, 6),
    (unpinned, 6),
    (throttled, 3),
    (silent_bus, 4),
    (repeating_bus, 2),
    (again, 9),
    (partly_bad, 6),
    (images_gone, 12),
    (rolling_out, 6),
    (no_better, 6),
    (no_cure, 4),
    (outage, 4),
    (observed, 4),
    (budget_spent, 4),
    (unwanted_scenario, 2),
    (poison, 4),
    (dead_channel, 3),
)
"""Each with its weight."""
UNDONE: Weighted = ((rebuilds_undone, 1),)
FIXED: Weighted = ((fixed, 1),)
SLOW: Weighted = ((slow_workers, 1),)
CROSSING: Weighted = ((crossing_orders, 1),)
SILENT: Weighted = ((silent_bus, 1),)
PEOPLE: Weighted = ((people, 1),)
"""Played by themselves: with one more of those above every seed would be another world."""
