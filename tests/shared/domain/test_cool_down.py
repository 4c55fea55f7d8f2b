"""The cool-down of a system: one step back, with all of its functions."""

from datetime import UTC, datetime, timedelta

import pytest

from shared.domain.system_record import System

BEGAN = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
COOLING = System("bookshop").start_cool_down("v1", ["getBook"], BEGAN, BEGAN + HOUR)


def test_a_step_back_begins_a_cool_down() -> None:
    """It says where it went, and what it restored."""
    assert COOLING.cool_down_until == BEGAN + HOUR
    assert (COOLING.cool_down_target, COOLING.cool_down_functions) == ("v1", ("getBook",))


def test_further_functions_of_a_step_extend_no_time() -> None:
    """They are of the same step back, and belong to what it restored."""
    now = BEGAN + HOUR / 2
    further = COOLING.start_cool_down("v1", ["payOrder"], now, now + HOUR)

    assert further.cool_down_until == BEGAN + HOUR
    assert further.cool_down_functions == ("getBook", "payOrder")


@pytest.mark.parametrize(
    ("target", "later"), [("v1", HOUR), ("v2", HOUR / 2)], ids=["it was over", "to another deployment"]
)
def test_another_step_back_begins_another_cool_down(target: str, later: timedelta) -> None:
    """A step to the same deployment is another one too, once the cool-down is over."""
    now = BEGAN + later
    again = COOLING.start_cool_down(target, ["payOrder"], now, now + HOUR)

    assert again.cool_down_until == now + HOUR
    assert (again.cool_down_target, again.cool_down_functions) == (target, ("payOrder",))
