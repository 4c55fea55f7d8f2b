"""What docs/operate.md says to responders that are there, in its order."""

from __future__ import annotations

import re
import shlex

from shared.documents import decode
from shared.drill import Drill
from shared.ports import Query
from tests.e2e.conftest import NOON, WorldMaker
from tests.e2e.test_cli import run
from tests.e2e.world import until
from tests.test_docs import LIVE
from tests.world import POLICIES

CVPLUS = re.sub(r"\n    signal: \w+", "", (POLICIES / "cvplus.yaml").read_text())
SAYS = ("asked for", "deploy_20260301_", " well", "drill")
"""What each line ends with, in order; a drill that is asked for may be done already."""


def test_from_the_baseline_to_the_first_drill(new_world: WorldMaker) -> None:
    """Each line ends well once the responders have done what the line before asked of them."""
    world = new_world(NOON, CVPLUS)
    for line, expected in zip(LIVE, SAYS, strict=True):

        def ends_well(line: str = line, expected: str = expected) -> bool:
            done = run(*shlex.split(line)[3:])
            return done.exit_code == 0 and expected in done.output

        assert until(line, ends_well)

    [drill] = until("the drill", lambda: world.wiring.store.query(Query("drills")))
    found = decode(Drill, drill.fields)
    assert found.agrees, found
    assert set(found.rehearsed) | set(found.not_rehearsed) == set(world.policy.functions)
