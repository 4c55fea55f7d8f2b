"""Drills that people ask for, and what is kept of them."""

from shared.core.codec import decode
from shared.core.store import Query
from shared.domain.rollback.drill import Drill
from shared.domain.system_record import System
from tests.support.runtime.world import World


def read_drills(world: World) -> list[Drill]:
    return [decode(Drill, one.fields) for one in world.ports.store.query(Query("drills"))]


def read_system(world: World) -> System:
    fields = world.ports.store.get("systems/bookshop").fields
    return decode(System, fields) if fields is not None else System("bookshop")
