"""Worlds in which much is said: nobody acts, it recovers by itself, orders cross, people accept."""

from functools import partial
from typing import Any

from shared.core.codec import encode
from shared.core.store import Put
from shared.domain import system_record as systems
from shared.domain.deployments.inventory.traffic import LATEST_REVISION
from shared.domain.policy.scenario_names import Mode
from shared.domain.system_record import System
from tests.simulation.scenes import scenes
from tests.simulation.scenes.bookshop import SYSTEM
from tests.simulation.scenes.scenes import Weighted
from tests.simulation.statements.truth import DATA, SIGN_IN, SITE
from tests.simulation.world import World

LONGEST_TROUBLE_SECONDS = 500.0


def fails_and_recovers(world: World) -> None:
    """Something fails that no release has caused, and works again after a while."""
    functions = [*world.policy.functions]
    if world.random.random() < 0.5:
        functions = [world.random.choice(functions)]
    _choose_mode(world)
    _break_functions(world, functions, "0.a")


def bad_release_watched(world: World) -> None:
    """A bad release in any mode; a person repairs it at some time, whatever automation does."""
    _choose_mode(world)
    functions = _deploy_bad(world)
    _answer_at_random(world)
    for function in functions:
        world.plan(_late(world), partial(_heal_if_failing, world, function))


def nobody_acts(world: World) -> None:
    """A bad release that is only observed, for long, with warnings and further alerts beside it."""
    _set_mode(world, world.random.choice((Mode.OBSERVE, Mode.OBSERVE, Mode.ASK)))
    functions = _deploy_bad(world)
    for number in range(world.random.randint(0, 2)):
        at = world.random.uniform(5.0, 200.0)
        warn = partial(world.others.watched_alert, f"0.warning-{number}", functions, "error_rate")
        world.plan(at, warn)
    if world.random.random() < 0.3:
        world.plan(world.random.uniform(20.0, 300.0), partial(world.others.answer, "accept"))
    if world.random.random() < 0.7:
        for function in functions:
            world.plan(_late(world), partial(_heal_if_failing, world, function))


def trouble_follows_trouble(world: World) -> None:
    """One trouble ends, and another one that has nothing to do with it begins soon after."""
    first, second = world.random.sample([*world.policy.functions], 2)
    _choose_mode(world)
    _break_functions(world, [first], "0.a")
    begins = world.random.uniform(30.0, 400.0)
    world.plan(begins, partial(_break_functions, world, [second], "0.b"))
    if world.random.random() < 0.5:
        at = begins + world.random.uniform(0.0, 120.0)
        world.plan(at, partial(world.others.watched_alert, "0.c", [second], "error_rate", second))


def orders_cross(world: World) -> None:
    """People order while something goes on: less than it, more than it, or the same."""
    _choose_mode(world)
    functions = _deploy_bad(world)
    for _ in range(world.random.randint(1, 3)):
        at = world.random.uniform(0.0, 250.0)
        narrow = world.random.random() < 0.6
        named = [world.random.choice([*world.policy.functions])] if narrow else []
        world.plan(at, partial(_order, world, named))
    if world.random.random() < 0.4:
        verb = world.random.choice(("accept", "undo", "retry", "cancel"))
        world.plan(world.random.uniform(60.0, 400.0), partial(world.others.answer, verb))
    for function in functions:
        world.plan(_late(world), partial(_heal_if_failing, world, function))


def order_without_trouble(world: World) -> None:
    """A person orders though nothing fails: there may be nothing to do."""
    world.excuses.add("a person ordered without need")
    if world.random.random() < 0.5:
        world.platform.deploy_at(world.clock.now(), [world.random.choice([*world.policy.functions])])
        world.others.hint()
    world.plan(1.0, partial(_order, world, []))
    if world.random.random() < 0.5:
        world.plan(world.random.uniform(5.0, 200.0), partial(_order, world, []))


def beside_functions(world: World) -> None:
    """The site, sign-in or data fail: a person is needed, and it recovers at some time."""
    world.forbidden = "nothing was changed"
    world.excuses.add(world.forbidden)
    subject, signal = world.random.choice(
        ((SITE, "frontend_unavailable"), (SIGN_IN, "authentication_failure"), (DATA, "database_corruption"))
    )
    world.truth.breaks(subject)
    world.plan(0.0, partial(world.others.watched_alert, "0.a", [subject], signal))
    world.plan(_late(world), partial(world.truth.recovers, subject))
    if world.random.random() < 0.3:
        world.plan(world.random.uniform(20.0, 300.0), partial(world.others.answer, "accept"))


def declared(world: World) -> None:
    """A finding declares a breach: nobody can observe that it is over; and a function may fail."""
    world.forbidden = "nothing was changed"
    world.excuses.add(world.forbidden)
    world.plan(0.0, partial(world.others.alert, "0.a", "open", "security_breach"))
    if world.random.random() < 0.4:
        world.plan(world.random.uniform(20.0, 300.0), partial(world.others.answer, "accept"))
    if world.random.random() < 0.5:
        function = world.random.choice([*world.policy.functions])
        world.plan(world.random.uniform(5.0, 200.0), partial(_break_functions, world, [function], "0.b"))


def worse_again(world: World) -> None:
    """A rollback helps, and something else fails for a while when it is being watched."""
    _deploy_bad(world)
    begins = world.random.uniform(40.0, 200.0)
    function = world.random.choice([*world.policy.functions])
    world.plan(begins, partial(_break_again, world, function))


def second_release(world: World) -> None:
    """After a rollback a person lifts the pins or repairs, and the next release is bad again."""
    functions = _deploy_bad(world)
    world.excuses.add("a second bad release")
    repaired_at = world.random.uniform(150.0, 300.0)
    for function in functions:
        world.plan(repaired_at, partial(_repair, world, function))
    world.plan(repaired_at + 5.0, partial(world.others.command, "unpin", system=SYSTEM))
    fails_at = repaired_at + world.random.uniform(60.0, 400.0)
    world.plan(fails_at, partial(_release_bad_again, world, functions))
    for function in functions:
        world.plan(fails_at + _late(world), partial(_heal_if_failing, world, function))


def held(world: World) -> None:
    """A person holds a rollback for long; meanwhile functions are repaired, or begin to fail."""
    world.excuses.add("a person holds it for long")
    functions = world.random.sample([*world.policy.functions], world.random.choice((1, 2, 3)))
    world.others.deploy_bad(functions)
    named = functions[0] if len(functions) == 1 else None
    signal = "function_failure_rate"
    world.plan(0.0, partial(world.others.watched_alert, "0.a", functions, signal, named))
    begins, seconds = world.random.uniform(0.5, 20.0), world.random.uniform(300.0, 900.0)
    hold = world.others.pause_for if world.random.random() < 0.6 else world.others.freeze_for
    world.plan(begins, partial(hold, seconds))
    if world.random.random() < 0.6:
        for function in functions:
            world.plan(_late(world), partial(_heal_if_failing, world, function))
    if world.random.random() < 0.6:
        function = world.random.choice([*world.policy.functions])
        world.plan(begins + world.random.uniform(20.0, 100.0), partial(_break_unreported, world, function))


def ordered_unreported(world: World) -> None:
    """People order functions back that fail without an alert, and it may not help."""
    functions = [*world.policy.functions]
    world.others.deploy_bad(functions)
    _set_mode(world, Mode.OBSERVE)
    world.forbidden = ""
    for function in world.random.sample(functions, world.random.randint(0, 2)):
        first = world.platform.services()[function].revisions[0]
        world.platform.set_failure_rate(function, first.name, 0.9)
    named = world.random.sample(functions, world.random.randint(1, len(functions)))
    world.plan(1.0, partial(_order, world, named))
    for function in functions:
        world.plan(_late(world), partial(_heal_if_failing, world, function))


def unpinned_unreported(world: World) -> None:
    """After a rollback a person lifts the pins of the bad release, and no alert tells of it."""
    functions = [*world.policy.functions]
    world.others.deploy_bad(functions)
    world.plan(0.0, partial(world.others.watched_alert, "0.a", functions))
    lifted_at = world.random.uniform(250.0, 500.0)
    world.plan(lifted_at, partial(world.others.command, "unpin", system=SYSTEM))
    for function in functions:
        world.plan(lifted_at + _late(world), partial(_heal_if_failing, world, function))


def partly_counted(world: World) -> None:
    """An alert is about all functions, and some of them receive no requests."""
    _set_mode(world, world.random.choice((Mode.OBSERVE, Mode.ASK)))
    functions = [*world.policy.functions]
    for function in world.random.sample(functions, world.random.randint(1, 2)):
        world.metrics.rates[function] = 0.0
    world.others.deploy_bad(functions)
    world.plan(0.0, partial(world.others.watched_alert, "0.a", functions))
    for function in functions:
        world.plan(_late(world), partial(_heal_if_failing, world, function))


def _choose_mode(world: World) -> None:
    _set_mode(world, world.random.choice((Mode.OBSERVE, Mode.ASK, Mode.ACT, Mode.ACT)))


def _set_mode(world: World, mode: Mode) -> None:
    world.store.commit([Put(systems.system_path(SYSTEM), encode(System(SYSTEM, mode=mode)))])
    world.note(f"mode {mode.name}")
    world.excuses.add("people may not have let it act")
    world.asks = mode is Mode.ASK
    if mode is Mode.OBSERVE:
        world.forbidden = "the system is only observed"


def _deploy_bad(world: World) -> list[str]:
    """A bad release of some or all functions, and the alert of it; those functions."""
    functions = [*world.policy.functions]
    if world.random.random() < 0.4:
        functions = world.random.sample(functions, world.random.randint(1, len(functions)))
    world.excuses.add("it may have recovered by itself")
    world.others.deploy_bad(functions)
    world.plan(0.0, partial(world.others.watched_alert, "0.a", functions))
    return functions


def _break_functions(world: World, functions: list[str], alert: str) -> None:
    """An outage that no release has caused, its alert, and its end.

    Where a person has changed a function before, that may be taken for the cause.
    """
    if world.laws.seen.by_hand.keys() & {*functions}:
        world.forbidden = world.forbidden.replace("nothing was changed", "")
    elif not world.forbidden and "a release goes on" not in world.excuses:
        world.forbidden = "nothing was changed"
    world.excuses.add("nothing was changed")
    named = functions[0] if len(functions) == 1 else None
    for function in functions:
        if not world.truth.fails(function):
            world.platform.begin_outage(function)
            world.plan(_late(world), partial(_heal_if_failing, world, function))
    signal = "function_failure_rate"
    world.plan(0.0, partial(world.others.watched_alert, alert, functions, signal, named))


def _break_again(world: World, function: str) -> None:
    world.excuses.add("something else fails")
    world.note(f"fails again: {function}")
    if world.truth.fails(function):
        return
    world.platform.begin_outage(function)
    world.plan(world.random.uniform(150.0, 300.0), partial(_heal_if_failing, world, function))
    alert = partial(world.others.watched_alert, "0.again", [function], "function_failure_rate", function)
    world.plan(world.random.uniform(20.0, 90.0), alert)


def _break_unreported(world: World, function: str) -> None:
    """An outage of which no alert tells, for a while or to the end."""
    if world.truth.fails(function):
        return
    world.note(f"fails unreported: {function}")
    world.platform.begin_outage(function)
    if world.random.random() < 0.7:
        heal = partial(_heal_if_failing, world, function)
        world.plan(world.random.uniform(100.0, 500.0), heal)


def _heal_if_failing(world: World, function: str) -> None:
    if world.truth.fails(function):
        world.others.heal(function)


def _repair(world: World, function: str) -> None:
    """A good revision is deployed behind a pin."""
    world.note(f"repaired: {function}")
    world.platform.deploy_at(world.clock.now(), [function])
    world.laws.seen.deployed_by_hand(function)


def _release_bad_again(world: World, functions: list[str]) -> None:
    world.note("a second bad release")
    world.platform.deploy_at(world.clock.now(), functions, failure_rate=0.9)
    for function in functions:
        world.others.release_by_hand(function, LATEST_REVISION)
    world.plan(world.random.uniform(5.0, 60.0), partial(world.others.watched_alert, "0.second", functions))


def _order(world: World, functions: list[str]) -> None:
    named: dict[str, Any] = {"functions": functions} if functions else {}
    supersede = world.random.random() < 0.5
    world.others.command("rollback", system=SYSTEM, supersede=supersede, **named)


def _answer_at_random(world: World) -> None:
    for _ in range(world.random.randint(0, 3)):
        verb = world.random.choice(("approve", "approve", "reject", "cancel", "accept", "ack", "retry"))
        world.plan(world.random.uniform(0.0, 250.0), partial(world.others.answer, verb))


def _late(world: World) -> float:
    """When trouble ends by itself: rather soon than late."""
    return 20.0 + LONGEST_TROUBLE_SECONDS * world.random.random() ** 2


SPOKEN: Weighted = (
    *((scene, (weight + 3) // 4) for scene, weight in scenes.SCENES),
    (scenes.crossing_orders, 4),
    (fails_and_recovers, 12),
    (bad_release_watched, 12),
    (nobody_acts, 12),
    (trouble_follows_trouble, 10),
    (orders_cross, 14),
    (order_without_trouble, 5),
    (beside_functions, 8),
    (declared, 4),
    (second_release, 10),
    (worse_again, 8),
)
"""Played by the policy in which much is said, by a quarter of all seeds."""
UNREPORTED: Weighted = ((held, 6), (ordered_unreported, 3), (unpinned_unreported, 2), (partly_counted, 2))
"""Played by the same policy: checks alone observe what fails, or that it works again."""
