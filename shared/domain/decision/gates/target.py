"""The gates that ask whether one can go back there, and may without asking."""

from shared.core import text
from shared.domain.decision.gates.base import GateAnswer, GateInput, GateResult, Outcome
from shared.domain.decision.rebuild_selection import unrestorable_functions
from shared.domain.decision.scenario_scope import SCENARIO_SCOPES
from shared.domain.decision.target_selection import suspect_functions
from shared.domain.deployments.deployment import DeploymentStatus
from shared.domain.deployments.inventory.products import InventoryPart
from shared.domain.deployments.restorability import describe_missing, find_functions_without_secrets
from shared.domain.policy.gate_limits import Rebuilds
from shared.domain.policy.scenario_names import ScenarioName

HALVED_SCENARIOS = (ScenarioName.AUTH, ScenarioName.DATABASE)
"""Their functions go back at once; sign-in settings, rules and documents are asked about."""
CONFIGURATION = frozenset({InventoryPart.RULES, InventoryPart.INDEXES})
"""What stands between the code and its data. A changed schema is declared as a barrier."""


def barrier(case: GateInput) -> GateAnswer:
    """Ask before going back past a declared barrier, or past rules or indexes that stay new.

    Whoever orders a rollback has been shown what stays.
    """
    barred = [f"{one.id} ({one.barrier})" for one in case.change.skipped if one.barrier]
    is_asked = case.policy.gates.configuration_barrier and not case.ordered
    stays = CONFIGURATION - SCENARIO_SCOPES[case.signal.scenario].acts
    for one in case.change.skipped if is_asked else ():
        parts = sorted({it.part for it in one.changes} & stays)
        if parts and one.status is not DeploymentStatus.BAD:
            barred.append(f"{one.id} changed {' and '.join(parts)}, which would stay")
    if barred:
        return GateAnswer("barrier", GateResult.STOP, ", ".join(barred), Outcome.ASK)
    return GateAnswer("barrier", GateResult.PASS, "none between")


def target(case: GateInput) -> GateAnswer:
    """A stable deployment, the only one of its kind, that passes over nothing let through."""
    if case.change.target is None:
        return GateAnswer("target", GateResult.STOP, "no stable deployment is known", Outcome.ESCALATE)
    fixes = [] if case.ordered else [line for line, one in case.passed_over.items() if one.let_through]
    if doubts := [*fixes, *case.change.doubts]:
        reason = f"{case.change.target.id}, but {'; '.join(doubts[:5])}"
        return GateAnswer("target", GateResult.STOP, reason, Outcome.ASK)
    return GateAnswer("target", GateResult.PASS, case.change.target.id)


def restorable(case: GateInput) -> GateAnswer:
    """Each revision to go back to exists and is ready, or can be built again, and gets its secrets.

    Which those are the target's record tells, and the last look whether they are enabled. What else
    the target's last proof found to be missing is said, and stops nothing: it may be a day old.
    The plan of an undo itself says of each function whether it can go back.
    """
    if case.facts.inventory is None:
        return GateAnswer("restorable", GateResult.UNKNOWN, "what is live could not be read")
    if case.is_undo:
        live = len(case.facts.inventory)
        return GateAnswer("restorable", GateResult.PASS, text.count_noun(live, "live function"))
    target = case.change.target
    if target is None:
        return GateAnswer("restorable", GateResult.NOT_APPLICABLE, "nothing to restore")
    gone = unrestorable_functions(case.change, case.facts.inventory)
    lost = sorted((case.scope & gone.keys()) - case.change.rebuilt)
    records = case.facts.records
    unread = case.facts.seen is None or records.get(target.id, case.facts.seen) is None
    if target.id in records and unread:
        return GateAnswer("restorable", GateResult.UNKNOWN, "what could be built again could not be read")
    if lost:
        named = "; ".join(f"{name}: {gone[name]}" for name in lost[:5])
        reason = f"{text.count_noun(len(lost), 'function')} without the revision of then: {named}"
        return GateAnswer("restorable", GateResult.STOP, reason, Outcome.ESCALATE)
    facts, record = case.facts, records.get(target.id)
    missing = find_functions_without_secrets(record, facts.seen) if record and facts.seen else ()
    refused = sorted({line for name, line in missing if name in case.scope})
    if refused:
        reason = f"what would not start again: {'; '.join(refused[:5])}"
        return GateAnswer("restorable", GateResult.STOP, reason, Outcome.ESCALATE)
    again = len(case.scope & case.change.rebuilt)
    rebuilds = f", {again} of them by a rebuild" if again else ""
    lacking = "".join(f"; {one}" for one in text.first_lines(describe_missing(target, case.scope), 5))
    count = text.count_noun(len(case.scope), "function")
    return GateAnswer("restorable", GateResult.PASS, f"{count}{rebuilds}{lacking}")


def human_first(case: GateInput) -> GateAnswer:
    """Leave out what a person changed lately; request approval to move what operators chose."""
    in_hand, reasons = case.manually_changed, list[str]()
    if in_hand:
        until = max(case.facts.system.suspended[name] for name in in_hand)
        reason = f"changed manually, left until {until:%H:%M} UTC: {', '.join(sorted(in_hand)[:5])}"
        ill = suspect_functions(case.change, case.facts, case.policy) & case.facts.find_failing(case.policy)
        if not case.scope or (ill and not ill - in_hand):
            reason = f"all that fails: {reason}"
            return GateAnswer("human first", GateResult.STOP, reason, Outcome.ESCALATE)
        reasons.append(f"left as they are: {reason}")
    if case.chosen:
        reasons.insert(0, f"operators chose what serves: {', '.join(sorted(case.chosen)[:5])}")
        return GateAnswer("human first", GateResult.STOP, "; ".join(reasons), Outcome.ASK)
    reason = "; ".join(reasons) or "no function is under manual control"
    return GateAnswer("human first", GateResult.PASS, reason)


def approval(case: GateInput) -> GateAnswer:
    """Ask where the scenario, deleted functions or the policy on rebuilds require a person."""
    scenario, gates = case.signal.scenario, case.policy.gates
    if scenario in gates.four_eyes and scenario not in HALVED_SCENARIOS:
        return GateAnswer("approval", GateResult.STOP, f"{scenario} asks two people", Outcome.ASK)
    if scenario in gates.approvals:
        return GateAnswer("approval", GateResult.STOP, f"{scenario} asks", Outcome.ASK)
    parts = SCENARIO_SCOPES[scenario]
    if (
        parts.asks
        and gates.security_approval
        and not (case.scope or case.ordered or parts.acts - {InventoryPart.FUNCTIONS})
    ):
        return GateAnswer("approval", GateResult.STOP, "every changed part needs approval", Outcome.ASK)
    deleted = sorted(case.scope & set(case.change.deleted))
    if deleted:
        reason = f"{', '.join(deleted[:5])}: deleted since, and would be created again"
        return GateAnswer("approval", GateResult.STOP, reason, Outcome.ASK)
    rebuilt = sorted(case.scope & case.change.rebuilt)
    if rebuilt and gates.rebuilds is Rebuilds.ASK:
        reason = f"{text.count_noun(len(rebuilt), 'function')} must be built again: {', '.join(rebuilt[:5])}"
        return GateAnswer("approval", GateResult.STOP, reason, Outcome.ASK)
    return GateAnswer("approval", GateResult.PASS, "not required")
