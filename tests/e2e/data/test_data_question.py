"""A release corrupts documents on the embedded cloud: code goes back, then people are asked."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from shared.domain.incidents.incident import IncidentStatus
from shared.domain.rollback.rollback import Rollback, RollbackStatus
from tests.e2e.conftest import NOON, WorldMaker
from tests.e2e.support.world import EXAMPLE, World, database, pass_time, until
from tests.support.cli import operator

MINUTE = timedelta(minutes=1)
AUTOMATIC = f"{EXAMPLE}\nintegrity: {{ quiet: 2m }}\n".replace("database: ask", "database: act").replace(
    "scenario: database, mode: ask", "scenario: database, mode: act"
)
PAID = {"customer": "ada", "status": "paid", "amount": 3}
SPOILT = {"customer": "ada", "status": "paid"}


def find_rollback(world: World, number: int, status: RollbackStatus) -> Rollback | None:
    """The rollback of that number, once it has come that far."""
    found = world.evidence.rollbacks()
    return found[number - 1] if len(found) >= number and found[number - 1].status is status else None


@pytest.mark.slice
def test_two_people_approve_the_documents_after_the_code_half(new_world: WorldMaker) -> None:
    """Nobody orders anything: the check finds the damage, and the code half waits for nobody."""
    world = new_world(NOON, AUTOMATIC)
    with database(world, "(default)") as client:
        client.document("customers/ada").set({"email": "ada@example.com"})
        client.document("orders/1").set(PAID)
        pass_time(world, 15 * MINUTE)
        world.application.deploy(release="v2")
        pass_time(world, 5 * MINUTE)
        client.document("orders/1").set(SPOILT)
        pass_time(world, MINUTE)
        world.command(command="check", system="bookshop")
        asked = until("the question", lambda: find_rollback(world, 2, RollbackStatus.PARKED))
        assert world.live == world.stable
        assert client.document("orders/1").get().to_dict() == SPOILT
        for email in ("ada@example.com", "bob@example.com"):
            operator.sign_in_at_prompt(world.cloud, replace(operator.ADA, email=email))
            shown = operator.run_cli_line("approve", asked.incident, "--reason", "a test", "--yes")
            assert shown.exit_code == 0, shown.output
            assert "brought back: orders/1" in shown.output
        until("the second look", lambda: find_rollback(world, 2, RollbackStatus.WATCHING))
        assert client.document("orders/1").get().to_dict() == PAID
    assert world.evidence.incidents()[-1].status is IncidentStatus.WATCHING
    assert world.evidence.dead_letters() == []
