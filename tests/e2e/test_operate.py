"""What docs/operate.md says to responders that are there, in its order."""

from __future__ import annotations

import re
import shlex

from typer.testing import CliRunner

from cli.app import app
from tests.e2e.conftest import NOON, WorldMaker
from tests.e2e.world import until
from tests.test_docs import LIVE
from tests.world import POLICIES

CVPLUS = re.sub(r"\n    signal: \w+", "", (POLICIES / "cvplus.yaml").read_text())


SAYS = ("asked for", "deploy_20260301", " well", "within the target")
"""What each line ends with, in order."""


def test_from_the_baseline_to_the_first_drill(new_world: WorldMaker) -> None:
    """Each line ends well once the responders have done what the line before asked of them."""
    world = new_world(NOON, CVPLUS)
    for line, expected in zip(LIVE, SAYS, strict=True):

        def ends_well(line: str = line, expected: str = expected) -> bool:
            done = CliRunner().invoke(app, shlex.split(line)[3:])
            return done.exit_code == 0 and expected in done.output

        if line == LIVE[-1]:
            world.deploy_bad()
        assert until(line, ends_well)
