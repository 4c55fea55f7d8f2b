from __future__ import annotations

from collections import Counter

import pytest

from tests.chaos.__main__ import ATTACKS, main
from tests.chaos.simulated import Tally, report
from tests.simulation.faults import Fault


def test_an_attack_that_does_not_exist(capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever mistypes is told what there is."""
    assert main(["seed"]) == 2
    assert main([]) == 2

    told = capsys.readouterr().err
    assert all(name in told for name in ATTACKS)


def test_a_broken_world_is_told_with_the_line_that_shows_it_again(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Nobody has to look for the seed."""
    well = Tally(100, Counter({Fault.CRASH: 30}))
    broken = Tally(100, Counter({Fault.CRASH: 20}), [("seeds --only 123", "law 6: it never ended")])

    code = report([well, broken], 2)

    told = capsys.readouterr().out
    assert code == 1
    assert "law 6: it never ended\n    again: python -m tests.chaos seeds --only 123\n" in told
    assert "200 schedules" in told
    assert "       50  crash\n1 broken\n" in told


@pytest.mark.parametrize(
    "line", ["seeds --only 3", "pairs --world least --only 12:PAUSE 20:CRASH"], ids=["seed", "pair"]
)
def test_a_world_that_is_shown_again(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The history says what happened, and when."""
    code = main(line.split())

    assert code == 0
    assert "alert 0.a open" in capsys.readouterr().out
