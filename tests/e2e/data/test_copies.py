"""A copy by a person's word over the wire: our adapters, Google's clients, Firestore embedded."""

from datetime import timedelta

import pytest

from local.faults.hooks import Fate
from shared.core.codec import decode
from shared.core.store import Query
from shared.domain.data.backups.database_copy import DatabaseCopy
from shared.domain.data.backups.filled_database import FillStatus
from tests.e2e.conftest import NOON, WorldMaker
from tests.e2e.support.world import EXAMPLE, World, database, pass_time, until

COPIES = f"{EXAMPLE}\nbackups: {{ copies: {{ kept: 1h }} }}\n"
MINUTE = timedelta(minutes=1)


def newest(world: World, status: FillStatus) -> DatabaseCopy | None:
    """The copy, once it has come that far."""
    documents = world.wiring.store.query(Query("copies"))
    copies = [decode(DatabaseCopy, document.fields) for document in documents]
    return copies[0] if copies and copies[0].status is status else None


def request_copy(world: World) -> DatabaseCopy:
    """A person asks for a copy; its making is due by the end."""
    world.command(command="copy", system="bookshop", restore_point="30m")
    making = until("the request", lambda: newest(world, FillStatus.MAKING))
    until("its operation", lambda: (copy := newest(world, FillStatus.MAKING)) and copy.operation)
    pass_time(world, 11 * MINUTE)
    return making


@pytest.mark.slice
def test_a_clone_is_made_looked_through_and_let_go(new_world: WorldMaker) -> None:
    """With the documents of its minute, whatever was written since; in the end it is gone."""
    world = new_world(NOON, COPIES)
    with database(world, "(default)") as client:
        client.document("customers/ada").set({"email": "ada@example.com"})
        pass_time(world, 50 * MINUTE)
        client.document("customers/ada").set({"email": "ada@elsewhere.example.com"})
        client.document("customers/bob").set({"email": "bob@example.com"})

    making = request_copy(world)
    ready = until("the copy", lambda: newest(world, FillStatus.READY))

    assert (ready.id, ready.faults) == (making.id, ())
    assert ready.counts == {"customers": 1, "orders": 0}
    with database(world, ready.id) as copy:
        customers = {customer.id: customer.to_dict() for customer in copy.collection("customers").stream()}
    assert customers == {"ada": {"email": "ada@example.com"}}
    assert world.evidence.rollbacks() == []

    pass_time(world, 2 * timedelta(hours=1))
    until("its end", lambda: newest(world, FillStatus.DELETED))
    assert ready.id not in world.wiring.system("bookshop").restores.names()


@pytest.mark.slice
def test_a_clone_that_fails_late_is_told(new_world: WorldMaker) -> None:
    """With Google's reason, and nothing is left of it."""
    world = new_world(NOON, COPIES)
    with database(world, "(default)") as client:
        client.document("customers/ada").set({"email": "ada@example.com"})
    pass_time(world, 50 * MINUTE)
    fate = Fate(failure="no room")
    world.cloud.faults.add_oracle(lambda asked: fate if asked.endswith("/cloneDatabase") else None)

    request_copy(world)
    failed = until("its end", lambda: newest(world, FillStatus.FAILED))

    assert failed.faults == ("the copy could not be made: no room",)
    assert any("no room" in notice.text for notice in world.evidence.notices())
    assert failed.id not in world.wiring.system("bookshop").restores.names()
