"""Numbers that change in the middle of an incident: main.py follows what the CLI publishes."""

from pathlib import Path

import pytest

from local.installation.provisioning import policy_bucket
from local.services.storage.conditions import Preconditions
from shared.core.store import Query
from shared.domain.rollback.rollback import RollbackStatus
from shared.policy_files.loader import PUBLISHED_OBJECT
from tests.e2e.conftest import NOON, WorldMaker
from tests.e2e.support.world import EXAMPLE, OPERATIONS, World, until
from tests.support.cli.operator import run_cli_line

STRICT = EXAMPLE.replace("minimum_requests: 5 #", "minimum_requests: 50 #")


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch, new_world: WorldMaker) -> World:
    """A world whose functions follow a bucket in which nobody has published anything yet."""
    monkeypatch.setenv("ROLLBACK_POLICY_BUCKET", policy_bucket(OPERATIONS))
    return new_world(NOON)


def facts_of(world: World, event: str) -> list[dict[str, object]]:
    """What the audit log says of such events."""
    found = world.wiring.store.query(Query("systems/bookshop/audit", order_by="at"))
    return [one.fields["facts"] for one in found if one.fields and one.fields["name"] == event]


def test_a_number_changes_without_a_build_while_a_rollback_is_running(world: World, tmp_path: Path) -> None:
    """The plan keeps its policy, the next message finds the new one; what is invalid is refused."""
    world.deploy_bad()
    world.command(command="rollback", system="bookshop")
    until("the plan", lambda: (one := world.rollback()) and one.plan)
    file = tmp_path / "home" / "strict.yaml"  # not beside the installed file
    file.write_text(STRICT)

    done = run_cli_line("policy", "publish", str(file), "--yes")
    assert done.exit_code == 0, done.output
    [changed] = until("the change", lambda: facts_of(world, "policy.changed"))

    lines = [str(line) for line in changed["difference"]]  # type: ignore[attr-defined]
    assert [line.split(":")[1][:3] for line in lines if line[0] in "+-"] == [" 5 ", " 50"]

    bucket, broken = policy_bucket(OPERATIONS), b'{"bookshop.yaml": "no policy"}'
    world.cloud.buckets.put(bucket, PUBLISHED_OBJECT, broken, "application/json", {}, Preconditions())
    [refused] = until("the refusal", lambda: facts_of(world, "policy.refused"))
    told = until(
        "the notice", lambda: [one for one in world.evidence.notices() if one.event == "policy.refused"]
    )

    assert refused["generation"] != changed["generation"]
    assert {one.channel for one in told} == {one.name for one in world.policy.channels}
    assert run_cli_line("policy", "show").stdout == STRICT
    until("the plan's end", lambda: world.is_carried_out())
    rollback = world.rollback()
    assert rollback is not None
    assert rollback.plan is not None
    assert rollback.plan.policy == world.policy.fingerprint
    assert rollback.status in (RollbackStatus.VERIFYING, RollbackStatus.WATCHING, RollbackStatus.RUNNING)
