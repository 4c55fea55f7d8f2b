"""Orders that nothing could carry out: refused before there is an incident."""

from typing import Any

import pytest
from msgspec.structs import replace

from shared.core import topics
from shared.core.store import Document, Put
from shared.domain.commands.credential import ROLE_CLAIM
from shared.domain.data.integrity.damage import damage_path
from shared.domain.deployments.deployment import deployment_path
from tests.support.data.corrupted_bookshop import MINUTE, SHOP, CorruptedShop
from tests.support.notices.system_events import refusal_reasons
from tests.support.runtime.world import World

DATA = {"scenario": "database", "select": "invalid"}
BARE = replace(SHOP, resources=replace(SHOP.resources, remote_config=False, identity=False))

IMPOSSIBLE: dict[str, tuple[dict[str, Any], str]] = {
    "the future": ({**DATA, "restore_point": "2036-01-01T00:00:00Z"}, "is in the future"),
    "no such restore point": ({**DATA, "restore_point": "yesterday"}, "restore_point: yesterday is none"),
    "before the window": ({**DATA, "restore_point": "2020-01-01T00:00:00Z"}, "cannot be had"),
    "documents by function": ({**DATA, "restore_point": "15m", "functions": ["payOrder"]}, "use select"),
    "a feature without a name": ({"scenario": "feature"}, "name functions or groups"),
    "sign-in that is nowhere": ({"scenario": "auth"}, "name functions or groups"),
    "unknown target": ({"target": "v11"}, "deployment v11 is not known"),
}


@pytest.mark.parametrize(("said", "why"), IMPOSSIBLE.values(), ids=IMPOSSIBLE)
def test_an_impossible_order_is_in_the_audit_log_alone(said: dict[str, Any], why: str) -> None:
    """No incident, no public state, no rollback; the team hears of a refused message."""
    shop = CorruptedShop(BARE)
    shop.settle()
    known = {*shop.documents}
    shop.carry_out("rollback", "alice", **said)

    [refused] = refusal_reasons(shop)
    assert why in refused
    kinds = {path.partition("/")[0] for path in {*shop.documents} - known}
    assert kinds - {"notices", "channels"} == {"systems"}
    assert [path for path in shop.documents if path.startswith("systems/unclaimed/audit/")]
    assert (shop.incidents(), shop.rollbacks()) == ([], [])


def test_an_order_of_a_viewer_opens_no_incident() -> None:
    """Rights are checked first, and the objections are in the audit log."""
    world = World()
    world.deploy_bad()
    token = world.ports.sign_in.person(sub="uid-eve", email="eve", **{ROLE_CLAIM: "viewer"})
    command = {"version": 1, "command": "rollback", "system": "bookshop", "reason": "x", "token": token}
    world.publish(topics.COMMANDS, command)
    world.settle()

    assert "eve is viewer; rollback needs" in refusal_reasons(world)[-1]
    assert world.incidents() == []


def test_without_a_stable_deployment_there_is_no_last_stable() -> None:
    """An order that names a deployment is still possible."""
    world = World()
    world.deploy_bad()
    world.send_command("mark-bad", deployment="v1")
    world.carry_out("rollback")

    assert "no stable deployment is known" in refusal_reasons(world)[-1]
    assert world.incidents() == []

    world.carry_out("rollback", target="v1")
    assert len(world.rollbacks()) == 1


@pytest.mark.parametrize(
    ("status", "why"),
    [("ROLLING_OUT", "v1 is still rolling out"), ("LIVE", "v1 was replaced before it was stable")],
)
def test_a_deployment_that_was_not_recorded_whole_is_no_target(status: str, why: str) -> None:
    """One that something else replaced meanwhile never will be."""
    world = World()
    path = deployment_path("bookshop", "v1")
    fields = {**(world.store.get(path).fields or {}), "settled_at": None, "status": status}
    world.store.commit([Put(path, fields)])
    world.carry_out("rollback", target="v1")

    assert why in refusal_reasons(world)[-1]
    assert world.incidents() == []


def test_a_restore_point_is_checked_by_one_read_of_the_integrity_record(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The command is executed under a time limit, and is retried."""
    shop = CorruptedShop()
    shop.settle()
    store, paths = shop.store, list[str]()
    get = store.get

    def note(path: str) -> Document:
        paths.append(path)
        return get(path)

    monkeypatch.setattr(store, "get", note)
    shop.send_command("rollback", "alice", **DATA, restore_point="15m")
    shop.deliver_commands()

    assert len(shop.incidents()) == 1
    assert paths.count(damage_path("bookshop")) == 1


def test_latest_is_the_minute_before_the_damage_where_there_is_no_backup() -> None:
    """A system as shipped exports nothing; its data were checked."""
    shop = CorruptedShop()
    shop.pass_time(2 * MINUTE)
    shop.carry_out("rollback", "alice", **DATA, restore_point="latest")

    parked = shop.run_until_parked()
    assert parked.question is not None
    assert parked.question.plan.target == "2026-03-02 12:02 UTC"
