"""What docs/operate.md says to responders that are there, signed, in its order."""

import re
import shlex

from shared.core import topics
from shared.core.codec import decode
from shared.core.store import Query
from shared.domain.rollback.drill import Drill
from tests.e2e.conftest import NOON, WorldMaker
from tests.e2e.support.world import PATIENT, until
from tests.support.cli import operator
from tests.support.cli.documented_commands import LIVE
from tests.support.runtime.world import POLICIES

CVPLUS = re.sub(r"\n    signal: \w+", "", (POLICIES / "cvplus.yaml").read_text())
SAYS = (
    *("requested", "deploy_20260301_", " well", "drill", "drill.recorded"),
    *("Cloud Monitoring", "no exports", "stays erased", "uptime checks"),
)
"""What each line ends with, in order; a drill that is asked for may be done already."""


def test_from_the_baseline_to_the_first_drill(new_world: WorldMaker) -> None:
    """Each line ends well once the responders have done what the line before asked of them."""
    world = new_world(NOON, CVPLUS)
    world.cloud.clock.rescale(PATIENT)
    world.publish(topics.CLOCK, b"{}")  # from then on there is a ledger of erased people
    for line, expected in zip(LIVE, SAYS, strict=True):
        operator.sign_in_at_prompt(world.cloud)

        def ends_well(line: str = line, expected: str = expected) -> bool:
            done = operator.run_cli_line(*shlex.split(line)[1:])
            return done.exit_code == 0 and expected in done.output

        assert until(line, ends_well)

    def drilled() -> Drill | None:
        kept = (decode(Drill, one.fields) for one in world.wiring.store.query(Query("drills")))
        return next((one for one in kept if one.actor == operator.ADA.email), None)

    found = until("the drill", drilled)
    assert found.agrees, found
    everything = {*world.policy.functions, "publish firebase template"}
    assert set(found.rehearsed) | set(found.not_rehearsed) == everything
