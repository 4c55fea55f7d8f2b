"""What becomes of a system outside its rollbacks, by the clock alone: events, notices, refusals."""

from datetime import timedelta

from shared.core import topics
from shared.core.store import Query
from shared.domain.audit import system_chain
from tests.support.runtime.world import World

HALF_A_MINUTE = timedelta(seconds=30)


def tick_clock(world: World) -> None:
    """One tick of the clock, which takes half a minute, and what it leads to."""
    world.publish(topics.CLOCK, b"{}")
    world.settle()
    world.ports.clock.advance(HALF_A_MINUTE)


def pass_time(world: World, span: timedelta) -> None:
    """Time passes, tick by tick."""
    until = world.ports.clock.now() + span
    while world.ports.clock.now() < until:
        tick_clock(world)


def system_event_names(world: World, of: str = "") -> list[str]:
    """The names of the events outside rollbacks, in order: those that begin so."""
    events = world.ports.store.query(
        Query(system_chain.system_events_path(world.policy.system), order_by="at")
    )
    names = [str(one.fields["name"]) for one in events if one.fields]
    return [one for one in names if one.startswith(of)]


def notified_texts(world: World, of: str) -> list[str]:
    """What people were told of events that begin so, in order, each once."""
    found = world.ports.store.query(Query("notices"))
    texts = [
        (one.fields["created_at"], one.fields["text"])
        for one in found
        if one.fields and str(one.fields["event"]).startswith(of)
    ]
    return list(dict.fromkeys(text for _, text in sorted(texts)))


def read_dead_letters(world: World) -> list[dict[str, str]]:
    """What is known of the messages that became dead letters, in order."""
    return [one.attributes for one in world.ports.bus.messages if one.topic == topics.DEAD_LETTERS]


def refusal_reasons(world: World) -> list[str]:
    """Why they became that."""
    return [one["reason"] for one in read_dead_letters(world)]
