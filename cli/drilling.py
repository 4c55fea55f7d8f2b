"""`rollback drill`: a plan is made and tried by the responders, timed and recorded."""

from __future__ import annotations

from cli.scope import FUNCTIONS, Functions, Groups, Scenario, Target, scope
from cli.screen import AsJson, System
from cli.sending import Reason, conclude, send
from cli.wired import operations
from shared.rollback import LAST_STABLE


def drill(
    reason: Reason,
    system: System = "",
    group: Groups = None,
    function: Functions = None,
    target: Target = LAST_STABLE,
    scenario: Scenario = FUNCTIONS,
    as_json: AsJson = False,
) -> None:
    """Rehearse a rollback: nothing is changed, and what was found is told and kept.

    A promotion may need drills of `functions` or `complete` that agree (`drills_before_ask`,
    `drills_before_act` in the policy).
    """
    with operations() as ours:
        said = {"command": "drill", "system": ours.policy(system).system, "reason": reason}
        answer = send(ours, {**said, **scope(scenario, target, group, function)})
    conclude(answer, as_json=as_json)
