"""What does not come back with a function's code is compared, counted and told; nothing is set."""

from typing import Any

import pytest
from msgspec.structs import replace

from responders.scenarios.not_restored import format_unrestored_lines
from shared.domain.deployments.inventory.inventory_parts import (
    FunctionState,
    Generation,
    SchedulerJob,
    WholeInventory,
)
from tests.support.runtime.world import World

TOPIC = {"eventType": "published", "retryPolicy": "RETRY_POLICY_DO_NOT_RETRY"}
RETRIED = {**TOPIC, "retryPolicy": "RETRY_POLICY_RETRY"}
SEND = "sendMail"
RECEIVED = "the old code will receive them"
TASKS = f"{SEND}: tasks that failed are retried by the settings of its queue; {RECEIVED}"
MEETS = f"{SEND}: events that failed are retried for %s; {RECEIVED}"
CHANGED = f"{SEND}: its trigger or retry setting was changed later, and is not restored"


def function(trigger: dict[str, Any], generation: Generation = Generation.SECOND) -> FunctionState:
    return FunctionState(
        SEND, generation, definition={"name": SEND, **({"eventTrigger": trigger} if trigger else {})}
    )


def live(one: FunctionState, **beside_it: Any) -> WholeInventory:
    return WholeInventory(functions={SEND: one}, **beside_it)


FED, FED_ONCE = live(function(RETRIED)), live(function(TOPIC))
QUEUED = live(replace(function({}), definition={"labels": {"deployment-taskqueue": "true"}}))
FIRST = live(function(RETRIED, Generation.FIRST))
NIGHTLY = SchedulerJob("0 3 * * *", "topic", "ENABLED", "1")
AT_NOON = replace(NIGHTLY, schedule="0 12 * * *", hash="2")
SCHEDULED = live(function({}), schedules={"nightly": NIGHTLY}, accounts={"run@": ("owner",)})
MOVED = live(function({}), schedules={"nightly": AT_NOON, "hourly": NIGHTLY}, accounts={"run@": ()})
EVERYBODY = ("allUsers roles/run.invoker",)
PUBLIC = live(function({}), invokers={SEND: EVERYBODY, "another": EVERYBODY})
PRIVATE = live(function({}), invokers={SEND: (), "another": ()})


@pytest.mark.parametrize(
    ("then", "now", "told"),
    [
        (FED_ONCE, FED_ONCE, []),
        (FED, FED, [MEETS % "a day"]),
        (None, FED, [MEETS % "a day"]),
        (FIRST, FIRST, [MEETS % "7 days"]),
        (QUEUED, QUEUED, [TASKS]),
        (FED_ONCE, FED, [CHANGED, MEETS % "a day"]),
        (FED, FED_ONCE, [CHANGED]),
        (
            SCHEDULED,
            MOVED,
            [
                "schedule hourly: created later, and not restored",
                "schedule nightly: changed later, and not restored",
                "the roles of run@: changed later, and not restored",
            ],
        ),
        (PUBLIC, PRIVATE, [f"who may call {SEND}: changed later, and not restored"]),
        (FED_ONCE, PRIVATE, [CHANGED]),
        (None, MOVED, []),
        (SCHEDULED, None, []),
    ],
)
def test_what_is_told_beside_the_code(
    then: WholeInventory | None, now: WholeInventory | None, told: list[str]
) -> None:
    """A change is told, what queued events will meet is, and unknown is not none."""
    assert list(format_unrestored_lines({SEND}, {}, then, now)) == told


def test_a_function_that_does_not_go_back_is_not_told_of() -> None:
    """Its events meet the code that they met before."""
    assert list(format_unrestored_lines(set(), {}, FED, FED)) == []


def test_that_queued_events_meet_the_old_code_is_told_with_a_rollback() -> None:
    """Whoever is told of the decision reads which function's events that are."""
    world = World()
    world.platform.services()["orderStatus"].waiting = 41
    world.deploy_bad()

    world.alert()
    world.settle()

    rollback = world.rollback
    [decided] = [
        str(sent.notice)
        for sent in world.sent_notices
        if sent.key.split(":")[1] == "rollback.decided" and sent.key.endswith(":record")
    ]
    line = "orderStatus: events that failed are retried for a day; the old code will receive them"
    assert rollback.plan is not None
    assert line in rollback.plan.reported
    assert line in decided
