"""The laws that can be checked from outside, each with what breaks it."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from local.demo.evidence import Evidence
from local.demo.staging import irrelevant_messages as strangers
from local.demo.staging.faults import FaultTargets
from local.demo.staging.irrelevant_messages import IrrelevantMessages
from shared.core.text import count_noun
from shared.domain.decision.facts import live_shares
from shared.domain.deployments.deployment import Deployment, Inventory, LiveFunction
from shared.domain.deployments.inventory.diff import differences
from shared.domain.deployments.inventory.inventory_parts import WholeInventory
from shared.domain.deployments.inventory.products import InventoryPart
from shared.domain.deployments.inventory.traffic import traffic_shares
from shared.domain.incidents.incident import PUBLIC_STATUS_NAMES, IncidentStatus
from shared.domain.notices.notice import Notice, NoticeStatus, WithdrawalCondition
from shared.domain.policy.scenario_names import ScenarioName
from shared.domain.rollback.plan import StepStatus
from shared.domain.rollback.rollback import Rollback, RollbackStatus
from shared.engine.steps.functions.serve_revision import KIND as SERVE

SHOWN_FAULTS = 5
COMPARED_PARTS = (
    InventoryPart.SITES,
    InventoryPart.REMOTE_CONFIG,
    InventoryPart.RULES,
    InventoryPart.IDENTITY,
)
"""The parts that the plays change, or might."""

TrafficState = Mapping[str, Mapping[str, Any]]
"""What the application itself says, by function: `traffic` by revision, `failure_rate`."""


class InvariantResult(Struct, frozen=True):
    """One law, and every fault that was found; without any it holds."""

    text: str
    faults: tuple[str, ...]

    @property
    def holds(self) -> bool:
        """Whether nothing breaks it."""
        return not self.faults


class StateBefore(Struct, frozen=True):
    """What stood when the trouble began, to be compared with."""

    stable: Deployment
    inventory: Inventory
    """With the bad release in it."""
    operations: Mapping[str, str]
    strangers: IrrelevantMessages
    lost: FaultTargets = FaultTargets()
    beside: WholeInventory = WholeInventory()
    """What lay beside the functions while all was well."""


def check_invariants(
    evidence: Evidence,
    before: StateBefore,
    standing: TrafficState,
    live: WholeInventory = WholeInventory(),  # noqa: B008 - frozen
    *,
    scenario: ScenarioName = ScenarioName.FUNCTIONS,
    disturbed: bool = False,
) -> list[InvariantResult]:
    """Every law, looked at now; `live` is what lies beside the functions.

    `disturbed`: somebody was killed on the way. Then a step may be found done by its successor, and
    a notice sent again under its key; everything else holds as ever.
    """
    inventory, lost = evidence.inventory(), before.lost
    but = _describe_exceptions(lost)
    end = "failed, and record the end of each step" if lost.broken else "succeeded"
    word = PUBLIC_STATUS_NAMES[IncidentStatus.ESCALATED if lost.broken else IncidentStatus.RESOLVED]
    answers = {
        f"the traffic of every function goes to its stable revision{but}": _find_not_restored(
            inventory, before, standing
        ),
        **(
            {f"each function was shifted exactly once{but}": _find_wrong_shift_counts(evidence, before)}
            if scenario is ScenarioName.FUNCTIONS
            else {
                "no function was changed": _find_changed_services(evidence, before),
                "sites, Remote Config, rules and sign-in settings are as before": _find_changed_resources(
                    before, live
                ),
            }
        ),
        f"no revision was created, and every tag still exists{but}": _find_changed_revisions(
            inventory, before
        ),
        f"exactly one incident and one rollback, both {end}": _find_wrong_incidents(evidence, lost),
        f"every step of the plan is done{but}": _find_wrong_steps(evidence, lost, disturbed),
        "the audit log matches its hashes and its anchors": _find_broken_chains(evidence),
        "the duplicate alert changed nothing": _find_changed_duplicate(evidence, before.strangers),
        "the test alert and the foreign alert changed nothing, and are recorded": _find_mishandled_messages(
            evidence
        ),
        "the only dead-letter message is the foreign alert, with its reason": _find_unexpected_dead_letters(
            evidence
        ),
        "each notification was sent once per incident, event and channel": _find_wrong_notices(
            evidence, disturbed
        ),
        "the status page shows what alerts reported, and no rollback runs": _find_status_page_faults(
            evidence, word
        ),
    }
    return [InvariantResult(text, tuple(faults)) for text, faults in answers.items()]


def _describe_exceptions(lost: FaultTargets) -> str:
    """Whom a law about going back holds otherwise for."""
    again = f"; {count_noun(len(lost.rebuilt), 'function')} built again, once" if lost.rebuilt else ""
    return again + (
        f", except {', '.join(sorted(lost.broken))}, which cannot be restored" if lost.broken else ""
    )


def _find_not_restored(inventory: Inventory, before: StateBefore, standing: TrafficState) -> Iterator[str]:
    """By Cloud Run's word, and by that of the application's own routers."""
    for function, placed in before.stable.functions.items():
        service = inventory[function].service
        serving = traffic_shares(service.serving, service.latest_ready)
        routed = {name: share for name, share in standing[function]["traffic"].items() if share}
        expected = placed.revisions
        if function in before.lost.rebuilt:
            expected = {service.latest_created: 100}
        elif function in before.lost.broken:
            expected = live_shares(before.inventory[function])
        if serving != expected or routed != expected:
            yield f"{function} serves {routed}, not {expected}"
        if standing[function]["failure_rate"] and function not in before.lost.broken:
            yield f"{function} still fails"


def _find_wrong_shift_counts(evidence: Evidence, before: StateBefore) -> Iterator[str]:
    """Cloud Run lists every change of traffic as an operation."""
    operations = evidence.operations()
    since = Counter(service for name, service in operations.items() if name not in before.operations)
    for function, live in before.inventory.items():
        times = since.pop(live.service.name, 0)
        if times != (0 if function in before.lost.images else 1):
            yield f"{function}: {times} shifts"
    for service in since:
        yield f"{service} was changed as well"
    builds = evidence.builds()
    for function in before.inventory:
        times, rebuilt = builds[function], function in before.lost.rebuilt
        if function not in before.lost.broken and times != rebuilt:
            yield f"{function}: {times} builds"


def _find_changed_services(evidence: Evidence, before: StateBefore) -> Iterator[str]:
    for name, service in evidence.operations().items():
        if name not in before.operations:
            yield f"{service} was changed"


def _find_changed_resources(before: StateBefore, live: WholeInventory) -> Iterator[str]:
    for part in COMPARED_PARTS:
        if getattr(before.beside, part) is None or getattr(live, part) is None:
            yield f"{part} cannot be read"
    for one in differences(before.beside, live):
        yield f"{one.part} {one.name} was {one.change}"


def _find_changed_revisions(inventory: Inventory, before: StateBefore) -> Iterator[str]:
    for function, live in before.inventory.items():
        newer = inventory[function].service.latest_created != live.service.latest_created
        if newer != (function in before.lost.rebuilt):
            yield f"{function} has {'a' if newer else 'no'} new revision"
        if _tags(inventory[function]) != _tags(live):
            yield f"{function} has the tags {_tags(inventory[function])}, not {_tags(live)}"
    if not any(_tags(live) for live in before.inventory.values()):
        yield "no revision has a tag, so the check proves nothing"


def _tags(live: LiveFunction) -> dict[str, str]:
    return {entry.tag: entry.revision for entry in live.service.serving if entry.tag}


def _find_wrong_incidents(evidence: Evidence, lost: FaultTargets) -> Iterator[str]:
    incidents, rollbacks = evidence.incidents(), evidence.acting_rollbacks()
    if len(incidents) != 1 or len(rollbacks) != 1:
        yield f"{len(incidents)} incidents, {len(rollbacks)} rollbacks"
    expected = IncidentStatus.ESCALATED if lost.broken else IncidentStatus.RESOLVED
    for incident in incidents:
        if incident.status is not expected:
            yield f"{incident.id} is {incident.status}"
    for rollback in rollbacks:
        if lost.broken:
            yield from _find_wrong_failure(evidence, rollback, lost)
        elif rollback.status is not RollbackStatus.SUCCEEDED or rollback.verified_at is None:
            yield f"{rollback.id} is {rollback.status}: {rollback.outcome}"


def _find_wrong_failure(evidence: Evidence, rollback: Rollback, lost: FaultTargets) -> Iterator[str]:
    """It ended so, and its end tells of each step: those of what is broken alone are not done."""
    if rollback.status is not RollbackStatus.FAILED:
        yield f"{rollback.id} is {rollback.status}: {rollback.outcome}"
    told = [one for entry in evidence.trail(rollback.id) for one in entry.events]
    failed = (one for one in told if one.name == "rollback.failed")
    where: dict[str, str] = next((one.facts["where"] for one in failed), {})
    steps = evidence.steps(rollback.id)
    if where.keys() != {step.name for step in steps}:
        yield f"{rollback.id} records the end of {len(where)} of {len(steps)} steps"
    for step in steps:
        done = where.get(step.name, "").startswith(StepStatus.DONE)
        if step.status is not StepStatus.UNNEEDED and done == (step.target in lost.broken):
            yield f"{rollback.id} records for {step.name}: {where.get(step.name)}"


def _find_wrong_steps(evidence: Evidence, lost: FaultTargets, disturbed: bool) -> Iterator[str]:
    for rollback in evidence.acting_rollbacks():
        steps = evidence.steps(rollback.id)
        for step in steps:
            if step.instead_of and step.status is StepStatus.UNNEEDED:
                continue
            if step.target in lost.broken:
                continue
            sent = 1 if step.writes and step.kind != SERVE else 0
            as_planned = step.attempts == sent or disturbed
            if step.status is not StepStatus.DONE or not as_planned:
                yield f"{step.name}: {step.status} after {step.attempts} attempts {step.note}"
        if not steps:
            yield f"{rollback.id} has no steps"


def _find_broken_chains(evidence: Evidence) -> Iterator[str]:
    for found in evidence.verify_chains():
        for fault in found.faults:
            yield f"{found.chain}: {fault}"
        if found.chain.startswith("rollbacks/") and not found.anchored:
            yield f"{found.chain}: none of its heads is anchored"


def _find_changed_duplicate(evidence: Evidence, sent: IrrelevantMessages) -> Iterator[str]:
    """Its document is what it was, but for the decision that took it in."""
    repeated = sent.repeated
    if repeated is None:
        return
    kept = next((one for one in evidence.alerts() if one.key == repeated.key), None)
    if kept is None:
        yield "the alert does not exist any more"
    elif replace(kept, absorbed_by="") != replace(repeated, absorbed_by=""):
        yield "the alert was changed"


def _find_mishandled_messages(evidence: Evidence) -> Iterator[str]:
    kept = {alert.monitoring_id for alert in evidence.alerts()}
    for stranger in (strangers.TEST_ID, strangers.FOREIGN_ID):
        if stranger in kept:
            yield f"{stranger} was recorded as an alert"
    if strangers.find_test_event(evidence) is None:
        yield "the test notification is not recorded"
    if strangers.find_foreign_event(evidence) is None:
        yield "the foreign alert is not recorded"


def _find_unexpected_dead_letters(evidence: Evidence) -> Iterator[str]:
    letters = evidence.dead_letters()
    expected = [one for one in letters if strangers.FOREIGN_PROJECT in one.reason]
    if len(expected) != 1:
        yield f"{len(expected)} dead-letter messages of the foreign alert"
    for letter in letters:
        if letter not in expected:
            yield f"from {letter.source}: {letter.reason}"


def _find_wrong_notices(evidence: Evidence, disturbed: bool) -> Iterator[str]:
    notices = [one for one in evidence.notices() if one.attempts or one.is_waiting]
    yield from find_wrong_deliveries(notices, disturbed)
    incidents = {one.id: one.severity for one in evidence.incidents()}
    wanted = {severity for channel in evidence.channels for severity in channel.severities}
    unwanted = bool(incidents) and wanted.isdisjoint(incidents.values())
    if not unwanted and not any(notice.incident in incidents for notice in notices):
        yield "no notification of an incident was sent"


def find_wrong_deliveries(notices: Sequence[Notice], disturbed: bool) -> Iterator[str]:
    """Return a line for each notice that was not sent once.

    `disturbed`: a sender was killed. Its notice may be sent again, or withdrawn where its reason
    is gone before the next attempt.
    """
    said = Counter((one.incident, one.event, one.channel) for one in notices)
    for key, times in said.items():
        if times != 1:
            yield f"{', '.join(key)}: {times} notices"
    for notice in notices:
        at_once = notice.attempts == 1 or disturbed
        may_be_withdrawn = disturbed and notice.unless is not WithdrawalCondition.NOTHING
        ended_well = {NoticeStatus.SENT, NoticeStatus.WITHDRAWN} if may_be_withdrawn else {NoticeStatus.SENT}
        if notice.status not in ended_well or not at_once:
            yield f"{notice.id}: {notice.status} after {notice.attempts} attempts"


def _find_status_page_faults(evidence: Evidence, word: str) -> Iterator[str]:
    public, system = evidence.public(), evidence.system()
    if public is None or public.word != word:
        yield f"the public status is {public.word if public else 'not set'}"
    page = evidence.page()
    well = ("All parts work.",) if word == PUBLIC_STATUS_NAMES[IncidentStatus.RESOLVED] else ()
    alerted = {one.incident for one in evidence.alerts()}
    for words in (*well, *alerted):
        if words not in page:
            yield f"the page does not say {words}"
    for one in evidence.incidents():
        if one.id in page and one.id not in alerted:
            yield f"the page shows {one.id}, which no alert opened and nobody published"
    if system is None or system.slot:
        yield f"the rollback in progress is {system.slot if system else 'not known'}"
