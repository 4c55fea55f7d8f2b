"""The laws that can be checked from outside, each with what breaks it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from local.demo import strangers
from local.demo.evidence import Evidence
from local.demo.strangers import Strangers
from shared.deployment import Deployment, Inventory, Live
from shared.incident import PUBLIC_WORDS, Status
from shared.notice import Status as NoticeStatus
from shared.plan import StepStatus
from shared.rollback import Status as RollbackStatus
from shared.steps.shift import KIND as SHIFT
from shared.traffic import shares

SHOWN_FAULTS = 5

Standing = Mapping[str, Mapping[str, Any]]
"""What the application itself says, by function: `traffic` by revision, `failure_rate`."""


class Law(Struct, frozen=True):
    """One law, and every fault that was found; without any it holds."""

    text: str
    faults: tuple[str, ...]

    @property
    def holds(self) -> bool:
        """Whether nothing breaks it."""
        return not self.faults


class Before(Struct, frozen=True):
    """What stood when the trouble began, to be compared with."""

    stable: Deployment
    inventory: Inventory
    """With the bad release in it."""
    operations: Mapping[str, str]
    strangers: Strangers


def check(
    evidence: Evidence, before: Before, standing: Standing, *, disturbed: bool = False
) -> list[Law]:
    """Every law, looked at now.

    `disturbed`: somebody was killed on the way. Then a step may be found done by its successor, and
    a notice sent again under its key; everything else holds as ever.
    """
    inventory = evidence.inventory()
    answers = {
        "every function is back on its stable revision, and routed there": _back(
            inventory, before, standing
        ),
        "each function was shifted exactly once": _shifted_once(evidence, before),
        "no revision was made, and every tag is kept": _kept(inventory, before),
        "exactly one incident and one rollback, both ended well": _one_of_each(evidence),
        "every step of the plan is done": _steps(evidence, disturbed),
        "the audit trail is as it was written and anchored": _chains(evidence),
        "the duplicate did nothing": _duplicate(evidence, before.strangers),
        "test and foreign alerts did nothing, and are recorded": _recorded(evidence),
        "the only dead letter is the foreign alert, with its reason": _letters(evidence),
        "each notice was said once per incident, event and channel": _notices(evidence, disturbed),
        "the status page says resolved, and no slot is held": _public(evidence),
    }
    return [Law(text, tuple(faults)) for text, faults in answers.items()]


def _back(inventory: Inventory, before: Before, standing: Standing) -> Iterator[str]:
    """By Cloud Run's word, and by that of the application's own routers."""
    for function, placed in before.stable.functions.items():
        service = inventory[function].service
        serving = shares(service.serving, service.latest_ready)
        routed = {name: share for name, share in standing[function]["traffic"].items() if share}
        if serving != placed.revisions or routed != placed.revisions:
            yield f"{function} serves {routed}, not {placed.revisions}"
        if standing[function]["failure_rate"]:
            yield f"{function} still fails"


def _shifted_once(evidence: Evidence, before: Before) -> Iterator[str]:
    """Cloud Run lists every change of traffic as an operation."""
    operations = evidence.operations()
    since = Counter(
        service for name, service in operations.items() if name not in before.operations
    )
    for function, live in before.inventory.items():
        times = since.pop(live.service.name, 0)
        if times != 1:
            yield f"{function}: {times} shifts"
    for service in since:
        yield f"{service} was changed too"


def _kept(inventory: Inventory, before: Before) -> Iterator[str]:
    for function, live in before.inventory.items():
        if inventory[function].service.latest_created != live.service.latest_created:
            yield f"{function} has a new revision"
        if _tags(inventory[function]) != _tags(live):
            yield f"{function} has the tags {_tags(inventory[function])}, not {_tags(live)}"
    if not any(_tags(live) for live in before.inventory.values()):
        yield "nothing was tagged, so nothing is proven"


def _tags(live: Live) -> dict[str, str]:
    return {entry.tag: entry.revision for entry in live.service.serving if entry.tag}


def _one_of_each(evidence: Evidence) -> Iterator[str]:
    incidents, rollbacks = evidence.incidents(), evidence.rollbacks()
    if len(incidents) != 1 or len(rollbacks) != 1:
        yield f"{len(incidents)} incidents, {len(rollbacks)} rollbacks"
    for incident in incidents:
        if incident.status is not Status.RESOLVED:
            yield f"{incident.id} is {incident.status}"
    for rollback in rollbacks:
        if rollback.status is not RollbackStatus.SUCCEEDED or rollback.verified_at is None:
            yield f"{rollback.id} is {rollback.status}: {rollback.outcome}"


def _steps(evidence: Evidence, disturbed: bool) -> Iterator[str]:
    for rollback in evidence.rollbacks():
        steps = evidence.steps(rollback.id)
        for step in steps:
            sent = 1 if step.kind == SHIFT else 0
            as_planned = step.attempts == sent or disturbed
            if step.status is not StepStatus.DONE or not as_planned:
                yield f"{step.name}: {step.status} after {step.attempts} attempts {step.note}"
        if not steps:
            yield f"{rollback.id} has no steps"


def _chains(evidence: Evidence) -> Iterator[str]:
    for found in evidence.verified():
        for fault in found.faults:
            yield f"{found.chain}: {fault}"
        if found.chain.startswith("rollbacks/") and not found.anchored:
            yield f"{found.chain}: no head of it is anchored"


def _duplicate(evidence: Evidence, sent: Strangers) -> Iterator[str]:
    """Its document is what it was, but for the decision that took it in."""
    kept = next((one for one in evidence.alerts() if one.key == sent.repeated.key), None)
    if kept is None:
        yield "the alert is gone"
    elif replace(kept, absorbed_by="") != replace(sent.repeated, absorbed_by=""):
        yield "the alert was changed"


def _recorded(evidence: Evidence) -> Iterator[str]:
    kept = {alert.monitoring_id for alert in evidence.alerts()}
    for stranger in (strangers.TEST_ID, strangers.FOREIGN_ID):
        if stranger in kept:
            yield f"{stranger} was taken for an alert"
    if strangers.test_event(evidence) is None:
        yield "nothing is recorded of the test notification"
    if strangers.foreign_event(evidence) is None:
        yield "nothing is recorded of the foreign alert"


def _letters(evidence: Evidence) -> Iterator[str]:
    letters = evidence.letters()
    expected = [one for one in letters if strangers.FOREIGN_PROJECT in one.reason]
    if len(expected) != 1:
        yield f"{len(expected)} dead letters of the foreign alert"
    for letter in letters:
        if letter not in expected:
            yield f"from {letter.source}: {letter.reason}"


def _notices(evidence: Evidence, disturbed: bool) -> Iterator[str]:
    notices = [one for one in evidence.notices() if one.attempts or one.is_waiting]
    said = Counter((one.incident, one.event, one.channel) for one in notices)
    for key, times in said.items():
        if times != 1:
            yield f"{', '.join(key)}: {times} notices"
    for notice in notices:
        at_once = notice.attempts == 1 or disturbed
        if notice.status is not NoticeStatus.SENT or not at_once:
            yield f"{notice.id}: {notice.status} after {notice.attempts} attempts"
    if not notices:
        yield "nothing was said at all"


def _public(evidence: Evidence) -> Iterator[str]:
    public, system = evidence.public(), evidence.system()
    if public is None or public.word != PUBLIC_WORDS[Status.RESOLVED]:
        yield f"it says {public.word if public else 'nothing'}"
    if system is None or system.slot:
        yield f"the slot is held by {system.slot if system else 'nobody knows whom'}"
