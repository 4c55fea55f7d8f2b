"""What an earlier version with event suppression has left in the state: it ends, and is told."""

from datetime import UTC, datetime
from typing import Any

import pytest

from responders.commands import worker
from shared.core.codec import decode, encode
from shared.core.errors import Rejected
from shared.core.store import Create
from shared.domain.commands import command as commands
from shared.domain.commands.command import CommandRecord
from shared.domain.data.repair.repair_plan import DocumentSelection, RepairGoal, RepairPosition
from shared.domain.policy.document_scope import Scope
from shared.domain.rollback.plan import Step
from shared.domain.rollback.rollback import Rollback, RollbackStatus
from shared.engine.steps.base import step_context
from shared.engine.steps.documents.batched import SUPPRESSION_UNAVAILABLE
from shared.engine.steps.documents.repair import RepairStep
from shared.engine.steps.documents.restore import RestoreGoal, RestoreStep
from shared.state import work_queue
from tests.support.data.corrupted_bookshop import MINUTE, CorruptedShop
from tests.support.notices import system_events
from tests.support.runtime.world import BOOKSHOP, FakePorts

START = datetime(2026, 3, 2, 12, tzinfo=UTC)
SUBSCRIPTION = "projects/bookshop/subscriptions/eventarc-eur3-on-order-sub-1"


def left_over(shop: CorruptedShop, **fields: Any) -> str:
    """A suppression that the earlier version has raised, and the id of its command."""
    hearer = {"name": "a", "event": "b", "pattern": "c", "subscription": SUBSCRIPTION}
    heard = {"hearer": hearer, "push": "aHR0cHM6Ly9h", "by_hand": "--push-endpoint=https://a"}
    unseen = {"hearer": {**hearer, "subscription": "other"}, "push": "", "by_hand": ""}
    known = {
        "system": "bookshop",
        "command": "silence-r",
        "rollback": "r",
        "status": "STANDING",
        "is_over": False,
        "listeners": [heard, unseen],
        **fields,
    }
    now = shop.ports.clock.now()
    record = CommandRecord("silence-r", "silence", "bookshop", "alice", "spoilt", now, "raised")
    fields = {**encode(record), "due_at": now}
    writes = [Create(commands.command_path(record.id), fields), Create("fences/bookshop:silence", known)]
    shop.ports.store.commit(writes)
    return record.id


@pytest.mark.parametrize("has_policy", [True, False])
def test_what_an_earlier_version_has_taken_is_given_back_by_a_person(*, has_policy: bool) -> None:
    """The command ends, once; every channel of the team is told how."""
    shop = CorruptedShop()
    name = left_over(shop)
    if has_policy:
        shop.pass_time(2 * MINUTE)
    else:
        worker.execute_command(shop.ports, {"other": shop.policy}, name)
        shop.pass_time(MINUTE)

    record = decode(CommandRecord, shop.ports.store.get(commands.command_path(name)).fields)
    assert record.due_at is None
    assert (shop.ports.store.get("fences/bookshop:silence").fields or {})["is_over"] is True
    assert system_events.system_event_names(shop, "silence.") == ["silence.ended"]
    texts = [str(one.notice["text"]) for one in shop.ports.sender.sent if "silence.ended" in one.key]
    assert texts
    for text in texts:
        *_, document, subscription = text.splitlines()
        assert (document, subscription) == ("fences/bookshop:silence", SUBSCRIPTION)
        assert "gcloud pubsub subscriptions modify-push-config" in text
        assert "https://a" not in text  # how it pushes may hold a secret


def test_a_suppression_that_is_over() -> None:
    """Its command ends, and nobody is told."""
    shop = CorruptedShop()
    name = left_over(shop, is_over=True)
    work_queue.publish_work_item(shop.ports.bus, work_queue.COMMAND, name, shop.ports.clock.now())
    shop.pass_time(MINUTE)

    record = decode(CommandRecord, shop.ports.store.get(commands.command_path(name)).fields)
    assert record.due_at is None
    assert system_events.system_event_names(shop, "silence.") == []


REPAIR = RepairGoal("d", START, "d", START, DocumentSelection(), Scope("orders"))
HEARER = {"name": "a", "event": "b", "pattern": "c", "subscription": "s", "scopes": []}


@pytest.mark.parametrize("goal", [REPAIR, RestoreGoal("r", "d")], ids=["repair", "undo"])
def test_a_plan_with_suppression_writes_nothing_more(goal: RepairGoal | RestoreGoal) -> None:
    """Its documents would start what people have agreed to keep from it."""
    written: list[RepairPosition] = []

    def portion(_: Step, __: Any, position: RepairPosition) -> RepairPosition:
        written.append(position)
        return position

    ports = FakePorts(BOOKSHOP)
    context = step_context(ports, BOOKSHOP.system, {"repair": portion, "put_back": portion})
    kind = RepairStep(context) if isinstance(goal, RepairGoal) else RestoreStep(context)
    plain = Step("repair 1", kind="repair", target="orders", goal=encode(goal))
    step = Step("repair 1", kind="repair", target="orders", goal={**plain.goal, "silenced": [HEARER]})

    with pytest.raises(Rejected, match=SUPPRESSION_UNAVAILABLE):
        kind.set(step)
    assert written == []
    kind.set(plain)
    assert written == [RepairPosition()]


def test_a_rollback_with_suppression_is_read() -> None:
    """What this version does not know of it is left out."""
    known = encode(Rollback("r", "i", "bookshop", RollbackStatus.RUNNING, START, START))
    assert decode(Rollback, {**known, "is_silent": True}) == decode(Rollback, known)
