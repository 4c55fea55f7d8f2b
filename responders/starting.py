"""Copies of revisions made to start on a system's stand: judged, recorded, and the next one begun.

What came of one trial and the intent of the next are one commit. Whoever dies between that and the
request leaves a trial of which nothing stands there: once no request can land any more, it is given
up, and its revision is due as before.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace

from responders.switched import switches
from shared import deployment as deployments
from shared import handover, shortened, stand, starts
from shared.audit import Event, event
from shared.deployment import Deployment, Status
from shared.documents import decode, encode
from shared.errors import Ambiguous, Exists, Gone, Moved, Rejected, Throttled
from shared.notice import Notice, creates, notices
from shared.outside import write_down
from shared.policy import Policy
from shared.ports import Create, Document, Ports, Query, Update, Write
from shared.redaction import without_secrets
from shared.severity import Severity
from shared.stand import Outcome, Stand, Trial, Verdict
from shared.system import frozen

ACTOR: Final = "on_work"
HELD: Final = timedelta(minutes=1)
"""While nothing may be started it is asked again so often."""
LEFT: Final = timedelta(minutes=10)
"""A stand that is not there, is somebody else's, or is refused, is looked at again after that."""
GATHERED: Final = timedelta(minutes=10)
"""So often people are told of what more does not start: one after the other, 151 functions fail."""


class Turn(Struct, frozen=True):
    """What one look makes of the stand, before that is committed."""

    stand: Stand
    known: tuple[Deployment, ...]
    """Those whose revisions are to start, with what is known of that now."""
    begins: Trial | None = None
    """The trial that is to be asked for once this is committed."""
    events: tuple[Event, ...] = ()
    notices: tuple[Notice, ...] = ()


def set_up(ports: Ports, policy: Policy) -> None:
    """Return once the stand that a policy names is on record: from then on the clock hands it on.

    Raises: Unavailable.
    """
    if not policy.deployments.starts:
        return
    document = ports.store.get(stand.path(policy.system))
    if document.fields is None:
        made = Stand(policy.system, document.read_at)
        with suppress(Exists):  # another look has
            ports.store.commit([Create(document.path, encode(made))])


def carry_on(ports: Ports, policies: Mapping[str, Policy], system: str) -> None:
    """Return once the stand is judged and the next trial is begun, or it is due again later.

    A redelivery, or another worker, finds nothing due, or loses. Raises: Unavailable.
    """
    policy = policies.get(system)
    if policy is None or not policy.deployments.starts:
        return
    look = _Look(ports, policy)
    if not look.is_due:
        return
    turn = look.next(look.judged())
    if look.commit(turn) and turn.begins is not None:
        _begin(ports, policy, turn.begins)


def _begin(ports: Ports, policy: Policy, trial: Trial) -> None:
    """Ask for a start, where still nothing stands against it; no answer: the next look tells.

    Raises: Unavailable.
    """
    trials = ports.trials(policy.system)
    try:
        template = trials.template(trial)
        if not _is_stopped(ports, policy):
            trials.begin(trial, template)
    except (Exists, Ambiguous):
        return
    except Throttled:  # who carries a rollback out needs what is left
        _give_up(ports, policy, trial, None)
    except Moved as moved:
        is_same = trials.found().etag == trial.etag  # then it is no person, but a rule of theirs
        _give_up(ports, policy, trial, str(moved) if is_same else None)
    except Rejected as refused:
        _give_up(ports, policy, trial, str(refused))


def _give_up(ports: Ports, policy: Policy, trial: Trial, words: str | None) -> None:
    """Have a trial that Google refused told nothing of its revision; None: it never was one."""
    look = _Look(ports, policy)
    turn = look.turn
    if turn.stand.trial != trial:
        return
    if words is None:
        look.commit(look.later(look.dropped(turn, trial), LEFT))
        return
    ended = look.ended(turn, trial, Outcome(Verdict.UNKNOWN, words))
    look.commit(look.later(ended, stand.APART))


def _is_stopped(ports: Ports, policy: Policy) -> bool:
    """Whether a switch is set, or a rollback is at work. Raises: Unavailable."""
    controls, system, now = switches(ports, policy)
    windows = (*controls.freezes, *system.freezes)
    return bool(controls.pause or system.pause or system.slot or frozen(windows, now))


class _Look:
    """The stand and the deployments as they were read, and what is made of that."""

    def __init__(self, ports: Ports, policy: Policy) -> None:
        self._ports = ports
        self._policy = policy
        self._name = policy.deployments.starts
        self._trials = ports.trials(policy.system)
        self._document = ports.store.get(stand.path(policy.system))
        self._now = self._document.read_at

    @property
    def is_due(self) -> bool:
        """Whether anything is to be done by now."""
        fields = self._document.fields
        return fields is not None and fields["due_at"] <= self._now

    @cached_property
    def _deployments(self) -> dict[str, Document]:
        where = (("system", "==", self._policy.system),)
        found = self._ports.store.query(Query("deployments", where=where))
        return {one.path: one for one in found}

    @cached_property
    def _every(self) -> list[Deployment]:
        return [decode(Deployment, one.fields) for one in self._deployments.values()]

    @property
    def turn(self) -> Turn:
        """How it stands; what one deployment knows of a revision, each of them knows."""
        wanted = stand.wanted(self._every)
        known = stand.shared(wanted)
        turn = Turn(decode(Stand, self._document.fields), tuple(known))
        learnt = [one.id for one, before in zip(known, wanted, strict=True) if one != before]
        return self._telling(turn, "start.shared", deployments=learnt) if learnt else turn

    def judged(self) -> Turn:
        """The turn with what came of the trial in flight; where nothing has yet, it stays there."""
        turn = self.turn
        trial = turn.stand.trial
        if trial is None:
            return turn
        try:
            outcome = self._trials.outcome(trial.name)
        except Gone:
            return self._unmade(turn, trial)
        except Rejected as refused:
            return self.ended(turn, trial, Outcome(Verdict.UNKNOWN, str(refused)))
        if outcome is None and self._now < trial.at + stand.JUDGED_WITHIN:
            return turn
        minutes = stand.JUDGED_WITHIN // timedelta(minutes=1)
        nothing = Outcome(Verdict.UNKNOWN, f"neither up nor failed within {minutes} minutes")
        return self.ended(turn, trial, outcome or nothing)

    def _unmade(self, turn: Turn, trial: Trial) -> Turn:
        """The turn where no copy is there, yet or at all; a second time it keeps up no other."""
        if self._now < trial.at + stand.SENT_WITHIN:
            return turn
        if turn.stand.unmade == trial.revision:
            why = "asked for twice, and no copy came of it"
            return self.ended(turn, trial, Outcome(Verdict.UNKNOWN, why))
        left = self.dropped(turn, trial)
        return replace(left, stand=replace(left.stand, unmade=trial.revision))

    def ended(self, turn: Turn, trial: Trial, outcome: Outcome) -> Turn:
        """The turn after a trial has come to its end; what is kept of the words holds no secret."""
        words = shortened.text(" ".join(without_secrets(outcome.words).split()))
        outcome = replace(outcome, words=words)
        turn = replace(
            turn,
            stand=replace(turn.stand, trial=None, unmade=""),
            known=tuple(stand.judged(turn.known, trial, outcome)),
        )
        return self._telling(
            turn,
            f"start.{outcome.verdict}",
            revision=trial.revision,
            copy=trial.name,
            words=words,
        )

    def dropped(self, turn: Turn, trial: Trial) -> Turn:
        """The turn without a trial that was never made: its revision is due as before."""
        turn = replace(turn, stand=replace(turn.stand, trial=None))
        return self._telling(turn, "start.dropped", revision=trial.revision, copy=trial.name)

    def next(self, turn: Turn) -> Turn:
        """The turn with the next trial that is due, where one may be begun."""
        if turn.stand.trial is not None:
            return self.later(turn, stand.APART)
        due = stand.next_due(turn.known, self._now)
        if due is None or due[0] > self._now:
            wait = due[0] - self._now if due is not None else stand.LOOK_AGAIN
            return self.later(turn, min(wait, stand.LOOK_AGAIN))
        rolls_out = any(one.status is Status.ROLLING_OUT for one in self._every)
        if rolls_out or _is_stopped(self._ports, self._policy):
            return self.later(turn, HELD)
        trial = Trial(due[1], stand.copy_name(self._name, self._now), "", self._now)
        try:
            found = self._trials.found()
        except Rejected as refused:
            told = self.ended(turn, trial, Outcome(Verdict.UNKNOWN, str(refused)))
            return self.later(told, LEFT)
        if why := stand.why_left(self._name, found):
            return self.later(self._left(turn, why), LEFT)
        trial = replace(trial, etag=found.etag)
        begun = replace(turn, stand=replace(turn.stand, trial=trial, strange=""), begins=trial)
        told = self._telling(begun, "start.begun", revision=trial.revision, copy=trial.name)
        return self.later(told, stand.APART)

    def later(self, turn: Turn, span: timedelta) -> Turn:
        """The turn, to be followed by another after that span."""
        return replace(turn, stand=replace(turn.stand, due_at=self._now + span))

    def commit(self, turn: Turn) -> bool:
        """Whether it landed: the stand, what is known of starts, and why, as they were read."""
        system = self._policy.system
        writes: list[Write] = [
            Update(self._document.path, encode(turn.stand), self._document.version),
            *self._changed(turn),
            *(
                write_down(system, f"stand:{one.at}:{number}", one)
                for number, one in enumerate(turn.events)  # two may say that nothing is known
            ),
            *creates(turn.notices),
        ]
        try:
            self._ports.store.commit(writes)
        except Moved:  # another worker, a proof or a person: what is due is handed on again
            return False
        handover.publish_notices(self._ports.bus, turn.notices)
        return True

    def _changed(self, turn: Turn) -> Iterator[Write]:
        """The writes of what is known of starts; where one fails now, or no more, to be proven."""
        before = {one.id: one for one in self._every}
        for one in turn.known:
            if one == before[one.id]:
                continue
            found = self._deployments[deployments.path(one.system, one.id)]
            due = {"due_at": self._told_at(one)} if starts.is_news(one) else {}
            fields = {"restorable": encode(one)["restorable"], **due}
            yield Update(found.path, fields, found.version)

    def _told_at(self, deployment: Deployment) -> datetime:
        """When it is to be proven: the first fault at once, others together."""
        proof = deployment.restorable
        if proof is None or not starts.told(proof):
            return self._now
        return max(self._now, proof.checked_at + GATHERED)

    def _left(self, turn: Turn, why: str) -> Turn:
        """The turn where a person has been at the stand: it is left, and told once."""
        if turn.stand.strange == why:
            return turn
        system = self._policy.system
        text = (
            f"{system}: {why}: it is left, and no start is made there until that service is made "
            "anew (docs/operate.md)"
        )
        key = f"stand-{self._now:%Y%m%dT%H%M%S%f}-{system}"
        said = notices(self._policy, key, Severity.LOW, "stand-changed", text, self._now, why=why)
        left = replace(turn, stand=replace(turn.stand, strange=why), notices=tuple(said))
        return self._telling(left, "stand.changed", why=why)

    def _telling(self, turn: Turn, name: str, **facts: Any) -> Turn:
        return replace(turn, events=(*turn.events, event(name, self._now, ACTOR, **facts)))
