"""fence: what writes is stopped for a while, told in public, and brought back whatever comes.

A command that a worker goes on with (`responders.commanded`): the clock finds it by its due_at, so
a fence falls also where whoever raised it has died, or where its system has no policy any more.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from msgspec.structs import replace

from responders.asking import ask
from responders.falling import Falling
from responders.switched import is_stopped
from responders.switching import Switch
from responders.verbs import Asked, Effect
from responders.whereabouts import BACK
from shared import command as commands
from shared import fence as fences
from shared import handover, incident
from shared import rollback as rollbacks
from shared import system as systems
from shared.audit import event
from shared.command import CommandRecord, moment
from shared.documents import decode, encode
from shared.engine import load_steps
from shared.errors import Refused
from shared.fence import Fence, Status, Writer
from shared.health import ProbeAnswer
from shared.incident import PUBLIC_KEPT_FOR, PublicState, PublicTurn
from shared.integrity_rules import FenceRules
from shared.notice import creates, loud, notices
from shared.outside import write_down
from shared.policy import Policy
from shared.ports import Document, Ports, Put, Query, Update, Write, written
from shared.rollback import KEPT_FOR, Rollback
from shared.rollback import Status as RollbackStatus
from shared.severity import Severity
from shared.status_page import MAINTENANCE
from shared.system import Controls, System
from shared.traffic import Service

VERB: Final = "fence"
LIFT: Final = "lift-fence"
WORK_FOR_SECONDS: Final = 90.0
LOOK_AGAIN: Final = timedelta(seconds=5)
LOOK_EVERY: Final = timedelta(seconds=20)
"""While it stands: the clock hands it on twice a minute."""
FRESH_SECONDS: Final = 20.0
"""Nothing is stopped by what was read longer ago."""
TOLD: Final = {
    "fence.raising": Severity.HIGH,
    "fence.stands": Severity.HIGH,
    "fence.falls": Severity.HIGH,
    "fence.down": Severity.HIGH,
    "fence.stuck": Severity.CRITICAL,
}


def raise_fence(asked: Asked) -> Effect:
    """The writers that the policy names are stopped until then, or until it is lifted.

    Raises: Refused, where nothing keeps automation from taking that for an outage.
    """
    command, policy, store = asked.command, asked.policy, asked.ports.store
    rules = policy.fence
    if rules is None:
        raise Refused(f"{policy.system} declares no invariants that need a fence (fence)")
    document = store.get(fences.path(policy.system))
    now = document.read_at
    before = decode(Fence, document.fields) if document.fields else None
    if before is not None and not before.is_over:
        raise Refused(f"a fence of {before.actor} is {before.status} since {before.began_at:%H:%M}")
    longest = now + rules.longest
    until = min(moment(command.expires, now) or longest, longest)
    if until <= now:
        raise Refused(f"expires: {until:%Y-%m-%d %H:%M:%S} UTC is over")
    switch = Switch(asked)
    _require_no_shift(asked, switch.value)
    fence = Fence(policy.system, command.id, command.actor, command.reason, now, until)
    frozen = switch.after(freezes=(*switch.value.freezes, fence.window))
    result = fences.promise(rules, until)
    return Effect(result, (written(document, encode(fence)), frozen), goes_on=True)


def lift(asked: Asked) -> Effect:
    """The fence falls now. Raises: Refused, where none stands."""
    command, policy = asked.command, asked.policy
    document = asked.ports.store.get(fences.path(policy.system))
    fence = decode(Fence, document.fields) if document.fields else None
    if fence is None or fence.is_over:
        raise Refused(f"{policy.system} has no fence")
    if fence.status is Status.FALLING:
        return Effect(f"it falls already: {fence.why}")
    after = fences.falls(fence, f"lifted by {command.actor}: {command.reason}", document.read_at)
    due = Update(commands.path(fence.command), {"due_at": document.read_at})
    told = _told(policy, fence, after, document)
    return Effect("it falls", (*told, due))


def _require_no_shift(asked: Asked, system: System | Controls) -> None:
    """No rollback that changes functions is under way: both would change the same services."""
    slot = system.slot if isinstance(system, System) else ""
    steps = load_steps(asked.ports.store, slot).values() if slot else ()
    if any(step.kind in BACK for step in steps):
        raise Refused(f"{slot} is bringing functions back: wait for its end, or cancel it")


def go_on(ports: Ports, policy: Policy, document: Document, record: CommandRecord) -> None:
    """One look after another, until it stands, is down, or the time is over; then it is due again.

    Raises: Moved, when somebody wrote first; Unavailable.
    """

    def look(fence: Fence, found: Document) -> Fence:
        return _Look(ports, policy, fence, found).after()

    _go_on(ports, look, policy, document, record)


def let_fall(ports: Ports, tell: Policy, document: Document, record: CommandRecord) -> None:
    """The same for a fence whose system has no policy any more; another one says who is told."""

    def look(fence: Fence, found: Document) -> Fence:
        return Falling(ports, fence, found).after()

    _go_on(ports, look, tell, document, record)


def hand_over_orphans(ports: Ports, systems: Container[str], now: datetime) -> None:
    """Publish each fence that is up in none of these systems. Raises: Unavailable."""
    for document in ports.store.query(Query("fences", where=(("is_over", "==", False),))):
        fence = decode(Fence, document.fields)
        if fence.system not in systems:
            handover.publish(ports.bus, handover.COMMAND, fence.command, now)


def _go_on(
    ports: Ports,
    look: Callable[[Fence, Document], Fence],
    tell: Policy,
    document: Document,
    record: CommandRecord,
) -> None:
    until = ports.clock.monotonic() + WORK_FOR_SECONDS
    while record.due_at is not None:
        found = ports.store.get(fences.path(record.system))
        fence = decode(Fence, found.fields)
        if fence.command != record.id or fence.is_over:
            _keep(ports, record, document, None, found.read_at, ())
            return
        after = look(fence, found)
        due = _due(after, found.read_at)
        writes = [*_told(tell, fence, after, found)]
        if after.is_over:
            writes.append(_thawed(ports, after))
        record = _keep(ports, record, document, due, found.read_at, writes)
        if after.rollback and after.status is not fence.status and _is_of(tell, fence):  # it waits
            handover.publish(ports.bus, handover.ROLLBACK, after.rollback, found.read_at)
        if due is None or due > found.read_at + LOOK_AGAIN or ports.clock.monotonic() > until:
            return
        ports.clock.sleep(LOOK_AGAIN.total_seconds())
        document = ports.store.get(document.path)


class _Look(Falling):
    """One look at a fence by its policy, and what it takes."""

    def __init__(self, ports: Ports, policy: Policy, fence: Fence, found: Document) -> None:
        super().__init__(ports, fence, found)
        self._policy = policy
        self._read = ports.clock.monotonic()

    def _after(self, fence: Fence) -> Fence:
        due = self._due_to_fall(fence)
        if due.status is not fence.status:
            return due
        return self._fallen(fence) if fence.status is Status.FALLING else self._raised(fence)

    def _due_to_fall(self, fence: Fence) -> Fence:
        """The fence, which falls where its time is over or the policy knows none such any more."""
        rules, now = self._policy.fence, self._now
        if fence.status is Status.FALLING:
            return fence
        if rules is None:
            return fences.falls(fence, "the policy declares no fence any more", now)
        if fence.writers and self._declared(rules) != [one.function for one in fence.writers]:
            return fences.falls(fence, "the policy declares other writers now", now)
        if now >= fence.until:
            return fences.falls(fence, "its time is over", now)
        if fence.rollback and not self._is_written_behind(fence.rollback):
            return fences.falls(fence, f"{fence.rollback} writes nothing more", now)
        if fence.status is Status.STANDING:
            return fence
        if now >= fence.began_at + rules.stands_within:
            return fences.falls(fence, f"it does not stand in time: {fence.waiting}", now)
        if self._is_stopped():
            return fences.falls(fence, "a person has stopped automation", now)
        return fence

    def _declared(self, rules: FenceRules) -> list[str]:
        """The functions that are to be stopped, in order."""
        functions = self._policy.functions
        return sorted(name for name, group in functions.items() if group in rules.writers)

    def _is_written_behind(self, name: str) -> bool:
        """Whether a repair may write yet, or what it has written is looked through."""
        return self._rollback(name).status in (RollbackStatus.RUNNING, RollbackStatus.VERIFYING)

    def _is_stopped(self) -> bool:
        """Whether a switch is set that holds up what it is raised for, too."""
        name = self._fence.rollback
        order = self._rollback(name).order if name else None
        overrides = order is not None and order.override
        return is_stopped(self._ports, self._policy, overrides=overrides)

    def _rollback(self, name: str) -> Rollback:
        return decode(Rollback, self._ports.store.get(rollbacks.path(name)).fields)

    def _raised(self, fence: Fence) -> Fence:
        """The fence with its writers on record; then stopped; then proven by the canary."""
        rules = self._policy.fence
        if rules is None:
            raise ValueError(f"{fence.system} has no rules of a fence")
        if not fence.writers:
            return self._looked(fence, rules)
        services = self._services(fence)
        stand = fences.stand(fence.writers, services)
        if stand.theirs:
            why = f"somebody has changed the instances of {', '.join(stand.theirs)}"
            return fences.falls(fence, why, self._now)
        if stand.to_stop:
            if fence.status is Status.STANDING:
                names = ", ".join(one.function for one in stand.to_stop)
                return fences.falls(fence, f"somebody has started {names} again", self._now)
            return self._stopped(fence, stand.to_stop, services)
        if not stand.is_settled:
            return replace(fence, waiting="instances end")
        return self._proven(fence, rules)

    def _proven(self, fence: Fence, rules: FenceRules) -> Fence:
        """The fence as the canary has it: what gives no answer at all was not refused."""
        answer, stands = self._canary(rules), fence.status is Status.STANDING
        if answer.passed and stands:
            return fences.falls(fence, f"the canary {rules.canary} writes again", self._now)
        if answer.passed:
            return replace(fence, waiting=f"the canary {rules.canary} still writes")
        if stands:
            return replace(fence, waiting="")
        if answer.status is None:
            return replace(fence, waiting=f"the canary {rules.canary}: {answer.detail}")
        return fences.stands(fence, self._now)

    def _looked(self, fence: Fence, rules: FenceRules) -> Fence:
        """The fence with what the instances of its writers are; nothing is stopped yet."""
        platform, named = self._ports.platform(fence.system), self._declared(rules)
        inventory = ask(self._ports, platform.inventory)
        missing = [name for name in named if name not in inventory]
        if missing:
            why = f"{', '.join(missing)} cannot be stopped: no service of Cloud Run"
            return fences.falls(fence, why, self._now)
        services = {name: inventory[name].service for name in named}
        writers = (Writer(name, one.name, one.scaling) for name, one in services.items())
        return fences.seen(fence, writers)

    def _stopped(
        self, fence: Fence, writers: Iterable[Writer], services: Mapping[str, Service]
    ) -> Fence:
        """The fence whose writers are asked to stop, once that is on record."""
        if not fences.may_send(fence, self._now):
            return replace(fence, sent_at=self._now, waiting="writers are about to be stopped")
        if self._ports.clock.monotonic() - self._read > FRESH_SECONDS:
            return replace(fence, waiting="it took too long to be sent")
        if self._is_stopped():
            return fences.falls(fence, "a person has stopped automation", self._now)
        self._scale({one: one.stopped for one in writers}, services)
        return replace(fence, sent_at=self._now, waiting="writers are stopped")

    def _canary(self, rules: FenceRules) -> ProbeAnswer:
        """What the application answers when it is asked to write."""
        [probe] = [one for one in self._policy.probes if one.name == rules.canary]
        found: ProbeAnswer = ask(self._ports, partial(self._ports.prober.ask, probe))
        return found


def _due(fence: Fence, now: datetime) -> datetime | None:
    """When somebody must look next; None: it is down."""
    if fence.is_over:
        return None
    if fence.status is Status.STANDING:
        return now + LOOK_EVERY
    # Nothing is left to do but to wait, or people were told: no worker is kept busy with it.
    rests = fence.status is Status.FALLING and (not fence.waiting or fence.told_at is not None)
    return now + (LOOK_EVERY if rests else LOOK_AGAIN)


def _keep(
    ports: Ports,
    record: CommandRecord,
    document: Document,
    due: datetime | None,
    now: datetime,
    writes: Iterable[Write],
) -> CommandRecord:
    """Commit the look, and when the next one is due. Raises: Moved, Unavailable."""
    expires = now + KEPT_FOR if due is None else None
    after = replace(record, due_at=due, expires_at=expires)
    ports.store.commit([Update(document.path, encode(after), document.version), *writes])
    return after


def _told(policy: Policy, before: Fence, after: Fence, found: Document) -> Iterator[Write]:
    """The writes that keep a look, with the event and the notices where it has turned."""
    now, name = found.read_at, _turn(before, after, found.read_at)
    if name == "fence.stuck":
        after = replace(after, told_at=now)
    yield Update(found.path, encode(after), found.version)
    if not name:
        return
    facts = {"why": after.why, "waiting": after.waiting, "left": after.left}
    happened = event(name, now, "worker", **facts)
    yield write_down(after.system, f"{name}:{after.command}", happened)
    text = "\n".join(_lines(name, after))
    tell = loud if name == "fence.stuck" else notices
    # What another system's people hear waits for nothing that those of the fence's own do not.
    key = after.command if _is_of(policy, after) else f"{after.command}-{after.system}"
    yield from creates(tell(policy, key, TOLD[name], name, text, now))
    yield from _public(policy, after, name, now)


def _is_of(policy: Policy, fence: Fence) -> bool:
    """Whether it is the policy of the fence's own system."""
    return policy.system == fence.system


def _thawed(ports: Ports, fence: Fence) -> Write:
    """The window goes with its fence."""
    document = ports.store.get(systems.path(fence.system))
    system = decode(System, document.fields)
    left = tuple(one for one in system.freezes if one != fence.window)
    return Update(document.path, encode(replace(system, freezes=left)), document.version)


def _turn(before: Fence, after: Fence, now: datetime) -> str:
    if fences.is_stuck(after, now):
        return "fence.stuck"
    if after.status is not before.status:
        return {
            Status.STANDING: "fence.stands",
            Status.FALLING: "fence.falls",
            Status.DOWN: "fence.down",
        }[after.status]
    return "fence.raising" if after.writers and not before.writers else ""


def _lines(name: str, fence: Fence) -> Iterable[str]:
    names = ", ".join(one.function for one in fence.writers)
    match name:
        case "fence.raising":
            yield f"{fence.system}: {names} are stopped, until {fence.until:%H:%M} UTC at most"
            yield f"by {fence.actor}: {fence.reason}"
        case "fence.stands":
            yield f"{fence.system}: the fence stands: the canary is refused, {names} have stopped"
        case "fence.falls":
            yield f"{fence.system}: the fence falls: {fence.why}"
        case "fence.down":
            yield f"{fence.system}: the fence is down: {names or 'nothing'} as before"
            yield from (f"{one}: somebody has changed it since: left" for one in fence.left)
        case _:
            yield f"{fence.system}: THE FENCE DOES NOT FALL: {fence.waiting}"
            yield from (
                f"{one.function}: its instances were {one.scaling} ({one.service})"
                for one in fence.writers
            )


def _public(policy: Policy, fence: Fence, name: str, now: datetime) -> Iterable[Write]:
    """What the status page says of it: from the first writer that stops to the last that starts."""
    if name not in ("fence.raising", "fence.down") or not fence.writers:
        return
    ended = now if fence.is_over else None
    known_as = policy.display_name if _is_of(policy, fence) else ""
    turns = [PublicTurn(MAINTENANCE, fence.began_at)]
    state = PublicState(
        system=fence.system,
        display_name=known_as or fence.system,
        word="resolved" if ended else MAINTENANCE,
        incident=fence.public_id,
        severity=Severity.LOW,
        since=fence.began_at,
        updated_at=now,
        turns=[*turns, PublicTurn("resolved", now)] if ended else turns,
        ended_at=ended,
        published=True,
        expires_at=now + PUBLIC_KEPT_FOR,
    )
    yield Put(f"{incident.public_history(fence.system)}/{fence.public_id}", encode(state))
