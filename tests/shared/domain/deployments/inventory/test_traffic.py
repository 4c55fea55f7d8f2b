import pytest
from msgspec.structs import replace

from shared.domain.deployments.inventory.traffic import (
    LATEST_REVISION,
    Service,
    Traffic,
    TrafficPosition,
    TrafficTarget,
    apply_shares,
    traffic_position,
    traffic_shares,
)

T = TrafficTarget
ORIGIN = (T(LATEST_REVISION, 100),)
GOAL = (T("old", 100),)
SERVICE = Service("s", "etag", "new", "new", ORIGIN, (T("new", 100),), False, True)
ARRIVED = replace(SERVICE, traffic=GOAL, serving=GOAL)


@pytest.mark.parametrize(
    ("before", "goal", "after"),
    [
        ((T(LATEST_REVISION, 100),), {"old": 100}, (T("old", 100),)),
        ((T("new", 100),), {"old": 100}, (T("old", 100),)),
        ((T("new", 90), T("old", 10)), {"old": 100}, (T("old", 100),)),
        ((T(LATEST_REVISION, 100, "next"),), {"old": 100}, (T(LATEST_REVISION, 0, "next"), T("old", 100))),
        ((T(LATEST_REVISION, 100), T("old", 0, "blue")), {"old": 100}, (T("old", 100, "blue"),)),
        (
            (T("new", 100), T("a", 0, "one"), T("b", 0, "two")),
            {"a": 50, "c": 50},
            (T("a", 50, "one"), T("b", 0, "two"), T("c", 50)),
        ),
    ],
)
def test_only_percents_move_and_every_tag_stays(
    before: Traffic, goal: dict[str, int], after: Traffic
) -> None:
    """Replacing the list would drop its tags."""
    moved = apply_shares(before, goal)

    assert moved == after
    assert traffic_shares(moved, "new") == goal
    assert {one.tag for one in before} <= {one.tag for one in moved} | {""}


@pytest.mark.parametrize(
    ("situation", "service", "expected"),
    [
        ("as the plan found it", SERVICE, TrafficPosition.AT_ORIGIN),
        ("asked for, routed", ARRIVED, TrafficPosition.AT_GOAL),
        ("asked for, routers lag", replace(ARRIVED, serving=SERVICE.serving), TrafficPosition.UNDER_WAY),
        ("asked for, reconciling", replace(ARRIVED, reconciling=True), TrafficPosition.UNDER_WAY),
        ("a newer revision since", replace(SERVICE, latest_created="newer"), TrafficPosition.ELSEWHERE),
        (
            "somebody split it",
            replace(SERVICE, traffic=(T("new", 60), T("old", 40))),
            TrafficPosition.ELSEWHERE,
        ),
        (
            "somebody tagged it",
            replace(SERVICE, traffic=(T(LATEST_REVISION, 100), T("new", 0, "x"))),
            TrafficPosition.ELSEWHERE,
        ),
        ("somebody is at it", replace(SERVICE, reconciling=True), TrafficPosition.ELSEWHERE),
        (
            "there, with a tag more",
            replace(ARRIVED, traffic=(*GOAL, T("new", 0, "x"))),
            TrafficPosition.AT_GOAL,
        ),
        ("there, newer revision idle", replace(ARRIVED, latest_created="newer"), TrafficPosition.AT_GOAL),
    ],
)
def test_where_a_service_stands(situation: str, service: Service, expected: TrafficPosition) -> None:
    """Neither where the plan started nor where it goes: a person is there."""
    assert (situation, traffic_position(service, GOAL, ORIGIN, "new")) == (situation, expected)


def test_a_goal_that_has_lost_a_tag_is_not_reached() -> None:
    """Percents alone are not the goal: the tags belong to it."""
    goal = (T("old", 100, "blue"),)
    service = replace(ARRIVED, traffic=GOAL)

    assert traffic_position(service, goal, ORIGIN, "new") is TrafficPosition.ELSEWHERE
