"""A rollback in the embedded cloud whose canary and verification call the handlers of callables."""

import json

import pytest

from shared.domain.rollback.rollback import RollbackStatus
from tests.e2e.conftest import NOON, WorldMaker
from tests.e2e.support.world import EXAMPLE, until

URL = "https://europe-west1-bookshop-prod.cloudfunctions.net/orderStatus"
CALL = f"""    url: {URL}
    method: POST
    body: {{ data: {{ order: test-order }} }}
    sign_in: {{ email: probe@bookshop.example, password_secret: password, api_key_secret: api-key }}
    expect: {{ status: 200, json: {{ result.state: paid }} }}
"""
STEPS = """verification:
  checkout: { scenarios: [functions], probes: [order-status], groups: [checkout] }
  refunds: { scenarios: [functions] }
"""
POLICY = EXAMPLE.replace(f"    url: {URL}\n", CALL)
POLICY = POLICY[: POLICY.index("verification:")] + STEPS + POLICY[POLICY.index("\nresources:") :]


@pytest.mark.slice
def test_a_rollback_is_verified_by_what_the_handler_answers(new_world: WorldMaker) -> None:
    """The signed-in call judges the canary and is a row; its secrets are in no stored document."""
    world = new_world(NOON, POLICY)
    world.deploy_bad()
    probe = next(one for one in world.policy.probes if one.name == "order-status")
    until("a failing call", lambda: not world.wiring.prober.ask(probe).passed)

    world.command(command="rollback", system="bookshop")
    until("the verification", lambda: (one := world.rollback()) and one.verified_at)

    rollback = world.rollback()
    assert rollback is not None
    assert rollback.status is RollbackStatus.WATCHING
    states = {name: str(row.state) for name, row in rollback.verification.items()}
    assert states == {"checkout": "passed", "refunds": "not declared"}
    steps = world.evidence.steps(rollback.id)
    [judged] = [one for one in steps if one.name == "judge checkout"]
    assert judged.note == "5 of 5 probes passed"
    secret = world.wiring.secrets.read("password")
    stored = json.dumps(world.wiring.store.get(f"rollbacks/{rollback.id}").fields, default=str)
    trail = json.dumps([str(one) for one in world.evidence.trail(rollback.id)])
    assert secret not in stored + trail + "".join(str(one) for one in steps)
