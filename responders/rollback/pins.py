"""The pins that a rollback leaves, in the commit that ends its shifts; and what becomes of them."""

from collections.abc import Iterable, Sequence
from functools import partial

from responders.rollback.case import Case
from responders.support.parallel_calls import CALL_TIMEOUT_SECONDS, call_all, require_answer
from shared.core.codec import decode
from shared.core.errors import Rejected, RollbackError
from shared.core.store import Document, Query, Store, Write
from shared.domain.deployments.inventory.traffic import LATEST_REVISION, Service, TrafficTarget
from shared.domain.rollback.pins import AUTOMATION_ACTOR, Pin, pin_after_shift, pin_path
from shared.domain.rollback.plan import Step, StepStatus
from shared.engine.steps.functions import serve_revision, shift_traffic

ROUTING_STEP_KINDS = frozenset({shift_traffic.KIND, serve_revision.KIND})
DEFAULT_TRAFFIC = (TrafficTarget(LATEST_REVISION, 100),)
"""What a service has that did not exist yet."""


def read_pins(store: Store, system: str) -> dict[str, tuple[Document, Pin]]:
    """Every pin of a system that is kept, with its document, by function."""
    read = ((document, document.decode(Pin)) for document in store.query(Query.equal("pins", system=system)))
    return {pin.function: (document, pin) for document, pin in read}


def build_pin_writes(case: Case, steps: Iterable[Step]) -> tuple[Write, ...]:
    """The writes of what the shifts that are done make of their functions' pins.

    Nothing, where the platform refuses to show what was built again: mostly it is gone; or where
    it says nothing for as long as a step may take. Raises: Unavailable, until then.
    """
    done = [step for step in steps if step.kind in ROUTING_STEP_KINDS and step.status is StepStatus.DONE]
    if not done:
        return ()
    writes = list[Write]()
    now, before = case.now(), read_pins(case.ports.store, case.policy.system)
    again = _read_rebuilt_services(case, done)
    for step in done:
        if step.kind == serve_revision.KIND and step.name not in again:
            continue
        absent = Document(pin_path(case.policy.system, step.target), None, None, now), None
        document, pin = before.get(step.target, absent)
        after = pin_after_shift(_build_shift_record(case, step, again.get(step.name)), pin)
        if after is not None and after != pin:
            writes.append(document.build_write(after))
    return tuple(writes)


def _read_rebuilt_services(case: Case, done: Sequence[Step]) -> dict[str, Service]:
    """Read the services of new builds by step, without those given up. Raises: Unavailable."""
    service = case.ports.system(case.policy.system).platform.service
    calls = {
        step.name: partial(service, decode(serve_revision.ServeRevisionGoal, step.goal).service)
        for step in done
        if step.kind == serve_revision.KIND
    }
    case.extend_lease(CALL_TIMEOUT_SECONDS)
    answers = call_all(case.ports, calls)
    last = max((step.ended_at for step in done if step.ended_at), default=case.now())
    given_up = RollbackError if case.now() - last > case.policy.execution.step_within else Rejected
    return {name: require_answer(one) for name, one in answers.items() if not isinstance(one, given_up)}


def _build_shift_record(case: Case, step: Step, again: Service | None) -> Pin:
    """The pin of what a step has asked for; `again` is the service of a function that it built."""
    if again is not None:
        led, goal, newest = again.name, again.traffic, again.latest_created
        origin = decode(serve_revision.ServeRevisionOrigin, step.origin).found or DEFAULT_TRAFFIC
    else:
        asked = decode(shift_traffic.TrafficGoal, step.goal)
        found = decode(shift_traffic.TrafficOrigin, step.origin)
        led, goal = asked.service, asked.traffic
        origin, newest = found.traffic, found.latest_created
    return Pin(
        system=case.policy.system,
        function=step.target,
        service=led,
        held=goal,
        before=origin,
        newest=newest,
        owner=_owner(case),
        rollback=case.rollback.id,
        since=step.ended_at or case.now(),
    )


def _owner(case: Case) -> str:
    """Who wanted it: who ordered it, else who approved it, else nobody but automation."""
    rollback = case.rollback
    if rollback.order is not None:
        return rollback.order.actor
    plan = rollback.plan.fingerprint if rollback.plan is not None else ""
    approved = (word.actor for word in rollback.approvals if word.plan == plan)
    return ", ".join(dict.fromkeys(approved)) or AUTOMATION_ACTOR
