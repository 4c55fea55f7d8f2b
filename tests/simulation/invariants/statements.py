"""Invariant 13: what is said is true, and is corrected when it stops being true.

Statements are rendered when what they are rendered from has changed, and kept with the time for
which they stood. At the end of a world each is compared with what the application really did.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from shared.domain.incidents import incident as incidents
from shared.domain.incidents.incident import IncidentStatus
from shared.domain.presentation.status_page import StatusPageView
from shared.domain.rollback.rollback import Direction
from shared.domain.signals.registry import SIGNALS, SignalSource
from tests.simulation.invariants.observations import SYSTEM_PATH, Fields, Seen
from tests.simulation.scenes.bookshop import PART_SUBJECTS, SIGNAL_SUBJECTS, SYSTEM
from tests.simulation.statements.phrases import (
    PAGE_PROMISES,
    Promise,
    Surface,
    phrases_in,
    promised_by_sentence,
)
from tests.simulation.statements.surfaces import Surfaces, moment_in, report_text
from tests.simulation.statements.truth import FOREVER, Span, seconds_of

if TYPE_CHECKING:
    from datetime import datetime

MINUTE = 60.0
"""The page's minute: so long a statement may lag behind what is true."""
SAME_COMMIT = 0.5
"""Between the moment that a commit is dated at and the one at which it lands."""
LAST = frozenset({Promise.OVER, Promise.IN_TIME})
"""Promises about the trouble of one incident, which later trouble does not break."""


_PAST = re.compile(r"^- \d\d:\d\d UTC - .*$", re.MULTILINE)
"""Lines of a time line: what was said at its time is judged at its time."""


class Claim(NamedTuple):
    """One statement: words on a surface, and what they promise of what."""

    surface: Surface
    words: str
    promise: Promise
    subjects: tuple[str, ...] = ()
    """Empty: those of the incident."""
    incident: str = ""
    """Empty: it speaks of no incident, but of how things are."""
    moment: float | None = None
    """Since when it works, where the words say so."""


class Stood(NamedTuple):
    """A statement, and for how long it stood; a notice stands for a moment."""

    claim: Claim
    begins: float
    ends: float


class StatementLaws:
    """Renders what people read when it may have changed, and judges all of it at the end."""

    def __init__(self, seen: Seen) -> None:
        self._seen = seen
        self._world = seen.world
        self._break = seen.broke
        self._surfaces = Surfaces(seen.world)
        self._keys: dict[str, object] = {}
        self._standing: dict[Claim, float] = {}
        self._of_surface: dict[Surface, frozenset[Claim]] = {}
        self._stood: list[Stood] = []
        self._alerts: list[tuple[float, tuple[str, ...], str, str]] = []
        """When each open alert was committed, of what, in which incident, and its signal."""
        self._orders: dict[str, tuple[str, ...]] = {}
        """What an incident is about that a person has begun."""
        self._accepted: dict[str, float] = {}
        """When a person took an incident's state as it is."""
        self._public: dict[str, float] = {}
        """Since when the public sees an incident."""
        self._recorded_well: list[tuple[float, bool]] = []
        """Since when the product's own record says that all is well again, or not."""
        self._said_wrong: set[tuple[str, ...]] = set()

    # while the world goes on

    def committed(self, after: Mapping[str, Fields]) -> None:
        """A commit has landed: render what it may have changed."""
        page = status = False
        for path, fields in after.items():
            kind, _, rest = path.partition("/")
            if kind == "alerts":
                self._remember_alert(fields)
            elif kind == "incidents":
                page = status = True
            elif kind == "public":
                page = True
            elif kind == "rollbacks" and "/" not in rest:
                self._remember_rollback(fields)
                status = True
            elif kind == "reports" and fields["written_at"] is not None:
                self._judge_report(fields)
            elif path == SYSTEM_PATH:
                status = True
            elif kind == "commands":
                self._remember_command(fields)
        if page:
            self._render_page()
        if status:
            self._render_status()

    def sent(self, key: str, notice: Mapping[str, Any]) -> None:
        """A notice has arrived."""
        text = f"{notice.get('subject', '')}\n{notice.get('body', '') or notice.get('text', '')}"
        incident = notice["incident"]
        if not incident:
            return
        kept = self._world.store.peek(f"notices/{key}") or {}
        made = seconds_of(kept["created_at"]) if kept else self._seen.now
        about = self._world.store.peek(f"incidents/{incident}") or {}
        over = seconds_of(about["ended_at"]) if about.get("ended_at") else made
        text = _PAST.sub("", text.replace("NOT verified", "unverified"))
        for phrase, _ in phrases_in(Surface.NOTICE, text):
            moment = over if phrase.promise is Promise.OVER else made
            claim = Claim(Surface.NOTICE, phrase.words, phrase.promise, (), incident, moment)
            self._stood.append(Stood(claim, self._seen.now, self._seen.now))

    def _remember_alert(self, fields: Fields) -> None:
        if fields["state"] != "open" or not fields["incident"]:
            return
        subjects = self._subjects_of_signal(fields["signal"], fields["function"])
        told = (seconds_of(fields["received_at"]), subjects, fields["incident"], fields["signal"])
        if told not in self._alerts:
            self._alerts.append(told)

    def _remember_rollback(self, fields: Fields) -> None:
        order = fields["order"]
        if order is not None:
            named = [*order["functions"]]
            for group in order["groups"]:
                named += self._world.policy.groups[group].functions
            self._orders.setdefault(fields["incident"], tuple(named or self._world.policy.functions))
        undone = (order or {}).get("way") == Direction.UNDO and fields["ended_at"] is not None
        if fields["ill_looks"] or undone:  # what an undo brings back has failed before
            every = tuple(self._world.policy.functions)
            self._alerts.append((self._seen.now, every, fields["incident"], ""))

    def _remember_command(self, fields: Fields) -> None:
        if fields.get("command") == "accept" and fields.get("incident"):
            self._accepted.setdefault(fields["incident"], self._seen.now)

    def _subjects_of_signal(self, signal: str, function: str | None) -> tuple[str, ...]:
        if signal in SIGNAL_SUBJECTS:
            return SIGNAL_SUBJECTS[signal]
        return (function,) if function else tuple(self._world.policy.functions)

    def _render_page(self) -> None:
        view = self._surfaces.page()
        for one in (*view.active, *view.past):
            self._public.setdefault(one.id, self._seen.now)
        self._show(Surface.PAGE, frozenset(self._claims_of_page(view)))
        self._judge_hidden_incidents(view)

    def _claims_of_page(self, view: StatusPageView) -> Iterator[Claim]:
        every = tuple(dict.fromkeys(one for part in view.parts for one in self._subjects_of_part(part.name)))
        yield from self._claims_of_text(view.words, every)
        for part in view.parts:
            yield from self._claims_of_text(part.words, self._subjects_of_part(part.name))
        for one in view.active:
            yield from self._claims_of_text(one.lines[0].words, (), one.id)
        for one in view.past:
            yield from self._claims_of_text(one.lines[0].words, (), one.id)
        if not view.active:
            yield Claim(Surface.PAGE, "No incident.", Promise.QUIET)

    def _claims_of_text(self, text: str, subjects: tuple[str, ...], incident: str = "") -> Iterator[Claim]:
        for words, promise in promised_by_sentence(text):
            if promise is None:
                self._wrong(f"the page's words {words!r} promise nothing that is written down")
            elif promise is not Promise.NOTHING:
                yield Claim(Surface.PAGE, words, promise, subjects, incident)

    def _subjects_of_part(self, part: str) -> tuple[str, ...]:
        return PART_SUBJECTS.get(part) or tuple(self._world.policy.functions)

    def _judge_hidden_incidents(self, view: StatusPageView) -> None:
        """An incident that is open and shown is not called over by the page."""
        shown = {one.id for one in view.active}
        for path, fields in self._world.store.documents_of("incidents"):
            public = self._world.store.peek(f"{incidents.public_history_path(SYSTEM)}/{fields['id']}")
            if fields["ended_at"] is None and public is not None and fields["id"] not in shown:
                if fields["id"] in self._public:
                    self._wrong(f"{path} is open, and the page does not show it as open")
            if fields["ended_at"] is not None and fields["id"] in shown:
                self._wrong(f"{path} has ended, and the page shows it as open: {fields['status']}")

    def _render_status(self) -> None:
        """The team's surfaces, where something of what they are made of has changed."""
        peek = self._world.store.peek
        system = peek(SYSTEM_PATH) or {}
        incident = peek(f"incidents/{system.get('incident')}") or {}
        rollback = peek(f"rollbacks/{system.get('rollback')}") or {}
        key = (
            *(incident.get(name) for name in ("id", "status", "severity", "respond_by", "acknowledged_by")),
            *(rollback.get(name) for name in ("id", "status", "outcome", "verified_at", "shifted_at")),
            system.get("mode"),
            bool(system.get("pause")),
        )
        if self._keys.get("status") == key:
            return
        self._keys["status"] = key
        self._record_whether_well(incident, rollback)
        seen, text = self._surfaces.status()
        name = seen.incident.id if seen.incident else ""
        restored = seen.response.restored_at if seen.response else None
        claims = self._claims_in(Surface.STATUS, text, name, restored)
        self._show(Surface.STATUS, frozenset(claims))
        if name:
            said = self._surfaces.console(seen)
            self._show(Surface.CONSOLE, frozenset(self._claims_in(Surface.CONSOLE, said, name, restored)))

    def _claims_in(
        self, surface: Surface, text: str, incident: str, restored: datetime | None
    ) -> Iterator[Claim]:
        for phrase, words in phrases_in(surface, text):
            over = phrase.promise is Promise.OVER
            moment = None if restored is None or over else seconds_of(restored)
            yield Claim(surface, phrase.words, phrase.promise, (), incident, moment)

    def _record_whether_well(self, incident: Fields, rollback: Fields) -> None:
        """What the product's own record says: recovered, or not."""
        status = incident.get("status")
        watched = status == IncidentStatus.WATCHING and rollback.get("verified_at") is not None
        well = status == IncidentStatus.RESOLVED or watched
        if not self._recorded_well or self._recorded_well[-1][1] != well:
            self._recorded_well.append((self._seen.now, well))

    def _judge_report(self, fields: Fields) -> None:
        """A report was filed: its words, and whether it and the status name one duration."""
        text, name = report_text(fields), fields["incident"]
        moments: dict[str, datetime] = {}
        for phrase, words in phrases_in(Surface.REPORT, text):
            found = text.index(words)
            if phrase.promise is Promise.IN_TIME:  # it follows the moment that it is about
                at = moment_in(text[text.rfind("\n", 0, found) + 1 : found], last=True)
            else:
                at = moment_in(text[found:].partition("\n")[0])
            if at is not None and phrase.promise is not Promise.IN_TIME:
                moments[phrase.words] = at
            moment = None if at is None else seconds_of(at)
            claim = Claim(Surface.REPORT, phrase.words, phrase.promise, (), name, moment)
            self._stood.append(Stood(claim, self._seen.now, self._seen.now))
        seen, _ = self._surfaces.status()
        if seen.incident is not None and seen.incident.id == name and seen.response is not None:
            restored = seen.response.restored_at
            if restored is not None:
                moments["`rollback status`"] = restored.replace(microsecond=0)
        if len(set(moments.values())) > 1:
            said = ", ".join(f"{words} {at:%H:%M:%S}" for words, at in moments.items())
            self._wrong(f"one recovery of {name} has several times: {said}")

    def _show(self, surface: Surface, claims: frozenset[Claim]) -> None:
        """A surface says this now; what it said before and says no more has stood until now."""
        now, before = self._seen.now, self._of_surface.get(surface, frozenset())
        for claim in before - claims:
            self._stood.append(Stood(claim, self._standing.pop(claim), now))
        for claim in claims - before:
            self._standing[claim] = now
        self._of_surface[surface] = claims

    # at the end

    def at_the_end(self, *, goes_on: bool) -> None:
        """Judge every statement; `goes_on`: what stands now stands for ever."""
        ends = FOREVER if goes_on else self._seen.now
        standing = [Stood(claim, begins, ends) for claim, begins in self._standing.items()]
        for stood in (*self._stood, *standing):
            self._judge(stood)

    def _judge(self, stood: Stood) -> None:
        match stood.claim.promise:
            case Promise.WORKS | Promise.OVER | Promise.IN_TIME:
                self._judge_works(stood)
            case Promise.FAILS:
                self._judge_fails(stood)
            case Promise.QUIET if stood.claim.surface is Surface.PAGE:
                pass  # by `_judge_hidden_incidents`

    def _judge_works(self, stood: Stood) -> None:
        claim = stood.claim
        subjects = claim.subjects or self._scope(claim.incident, stood.begins)
        if claim.incident and not subjects:
            self._judge_unobservable(stood)
        for subject in subjects:
            for span in self._world.truth.failing(subject):
                wrong = self._contrary(stood, subject, span)
                if wrong > MINUTE:
                    last = "for ever" if wrong > FOREVER / 2 else f"for {wrong:.0f} s"
                    about = f" of {claim.incident}" if claim.incident else ""
                    self._wrong(
                        f"{claim.surface} says {claim.words!r}{about} at {stood.begins:.0f} s, "
                        f"and {subject} fails {last}",
                        claim.surface,
                        claim.words,
                    )
                    return

    def _contrary(self, stood: Stood, subject: str, span: Span) -> float:
        """For how long a statement stood while its subject failed, and that could be known."""
        claim, made = stood.claim, stood.begins if stood.claim.moment is None else stood.claim.moment
        accepted, known = self._accepted_at(span), self._known(subject, span, claim)
        if claim.promise is Promise.OVER and accepted is not None:
            return 0.0
        seen_before = span.begins <= made and min(span.begins + MINUTE, known) <= made + SAME_COMMIT
        if claim.moment is not None and seen_before and made < span.ends - MINUTE:
            return span.ends - made
        if claim.surface is Surface.REPORT or (claim.promise in LAST and not seen_before):
            return 0.0
        if claim.surface is Surface.NOTICE:
            failed = span.begins <= stood.begins < span.ends and claim.promise not in LAST
            return max(0.0, stood.begins - known) if failed else 0.0
        begins = max(stood.begins, span.begins)
        if not seen_before or not claim.incident:
            begins = max(begins, known)
        if accepted is not None and claim.surface is Surface.PAGE:
            later = Span(accepted, span.ends)
            return max(
                min(stood.ends, accepted) - begins,
                min(stood.ends, span.ends) - max(begins, self._known(subject, later, claim)),
            )
        return min(stood.ends, span.ends) - begins

    def _accepted_at(self, span: Span) -> float | None:
        """When a person took it as it is while this lasted: they speak of it from then on."""
        found = [at for at in self._accepted.values() if span.begins <= at < span.ends]
        return min(found, default=None)

    def _known(self, subject: str, span: Span, claim: Claim) -> float:
        """When the product was told that the subject fails in this time; for ever: never."""
        told = [
            max(at, self._public.get(incident, FOREVER)) if claim.surface is Surface.PAGE else at
            for at, subjects, incident, _ in self._alerts
            if subject in subjects and span.begins <= at < span.ends
        ]
        return min(told, default=FOREVER)

    def _scope(self, incident: str, until: float) -> tuple[str, ...]:
        """What an incident is about, by its alerts and its order."""
        found = dict.fromkeys(self._orders.get(incident, ()))
        for at, subjects, name, _ in self._alerts:
            if name == incident and at <= until + MINUTE:
                found |= dict.fromkeys(subjects)
        return tuple(found)

    def _judge_unobservable(self, stood: Stood) -> None:
        """Nobody sees a signal end that a person or a finding has declared: it is not called over."""
        claim = stood.claim
        signals = {signal for _, _, name, signal in self._alerts if name == claim.incident and signal}
        declared = signals and all(
            SIGNALS[one].source is SignalSource.DECLARED for one in signals if one in SIGNALS
        )
        if declared and claim.incident not in self._accepted:
            self._wrong(f"{claim.surface} says {claim.words!r} of {claim.incident}, which nobody can observe")

    def _judge_fails(self, stood: Stood) -> None:
        """It is said to fail, and the product has recorded for a minute that it does not."""
        subjects = stood.claim.subjects or self._scope(stood.claim.incident, stood.begins)
        for index, (since, well) in enumerate(self._recorded_well):
            if not well:
                continue
            until = self._recorded_well[index + 1][0] if index + 1 < len(self._recorded_well) else FOREVER
            free = self._free_of_trouble(Span(max(since, stood.begins), min(until, stood.ends)), subjects)
            if free > MINUTE:
                self._wrong(
                    f"{stood.claim.surface} says {stood.claim.words!r} from {stood.begins:.0f} s on, "
                    f"and recovery was recorded at {since:.0f} s",
                    stood.claim.surface,
                    stood.claim.words,
                )
                return

    def _free_of_trouble(self, span: Span, subjects: tuple[str, ...]) -> float:
        """How long of a time passes until one of these fails."""
        ends = span.ends
        for subject in subjects:
            for failing in self._world.truth.failing(subject):
                if failing.ends > span.begins:
                    ends = min(ends, max(span.begins, failing.begins))
        return ends - span.begins

    def _wrong(self, what: str, *kind: str) -> None:
        """One violation; of many alike, the first."""
        about = kind or (what,)
        if about not in self._said_wrong:
            self._said_wrong.add(about)
            self._break(13, what)


ALL_PROMISED = frozenset(PAGE_PROMISES)
