"""Invariant 13: what is said is true, and is corrected when it stops being true.

Statements are rendered when what they are rendered from has changed, and kept with the time for
which they stood. At the end of a world each is compared with what the application really did.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

from responders.support.parallel_calls import METRICS_WINDOW
from shared.core.codec import decode
from shared.domain.incidents import incident as incidents
from shared.domain.incidents.incident import WELL_STATUSES, IncidentStatus
from shared.domain.incidents.recovery_times import RECOVERED as RECOVERED_AFTER
from shared.domain.incidents.recovery_times import TRAFFIC_RESTORED
from shared.domain.policy.scenario_names import ScenarioName
from shared.domain.policy.severity import Severity
from shared.domain.rollback.plan import StepStatus
from shared.domain.rollback.rollback import Direction, RollbackStatus
from shared.domain.signals.registry import SIGNALS, SignalSource, has_source
from tests.simulation.invariants.observations import SYSTEM_PATH, Fields, Seen
from tests.simulation.scenes.bookshop import PART_SUBJECTS, SIGNAL_SUBJECTS, SYSTEM
from tests.simulation.statements.phrases import (
    LATE,
    PAGE_PROMISES,
    RESTORING,
    SINCE,
    SINCE_WHEN,
    SPARED,
    Promise,
    Surface,
    name_of_part,
    phrases_in,
    promised_by_sentences,
    share_of_part,
)
from tests.simulation.statements.surfaces import PageText, Surfaces, moment_in, report_text
from tests.simulation.statements.truth import DATA, FOREVER, SITE, Span, merged, seconds_of

if TYPE_CHECKING:
    from datetime import datetime

MINUTE = 60.0
"""The page's minute: so long a statement may lag behind what is true."""
FEATURE_SEVERITIES = frozenset({Severity.MEDIUM, Severity.LOW})
"""At which a count of requests means a feature, whatever scenario its signal names."""
RECOVERED = frozenset({IncidentStatus.RESOLVED, IncidentStatus.RECOVERED})
ENDED = frozenset({IncidentStatus.RESOLVED, IncidentStatus.RECOVERY_NOT_OBSERVED})
SAME_COMMIT = 0.5
"""Between the moment of the reads that a commit is made of and the one at which it lands."""
LAST = frozenset({Promise.OVER, Promise.IN_TIME})
"""Promises about the trouble of one incident, which later trouble does not break."""


_PAST = re.compile(r"^- \d\d:\d\d UTC - .*$", re.MULTILINE)
"""Lines of a time line: what was said at its time is judged at its time."""


NOT_COUNTED = frozenset({"slow_response"})
"""Signals of which requests that succeed prove nothing."""
TIMED = frozenset({SPARED, LATE})
"""Words that compare a recovery with its target."""
COMPOSED = frozenset({"recovered … after detection: …"})
"""Words that a notice has from its commit on; all others are rendered when it is sent."""
LOOK = 180.0
"""So long a held rollback may take to observe a failure: counts, sweeps, dead workers."""
RECOVERY_LOOK = LOOK + METRICS_WINDOW.total_seconds()
"""And a recovery: as long as its window counts requests of before it, a function fails."""
COUNTED = 15.0
"""What is recorded sooner after a failure began was counted before that."""
LATE_NOTICE = "This was written at "
"""A notice that comes late says so, and speaks of that moment. One sent as JSON is dated."""


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
    most: int = 0
    """How many of the subjects fail, where the words say so."""


class Stood(NamedTuple):
    """A statement, and for how long it stood; a notice stands for a moment."""

    claim: Claim
    begins: float
    ends: float


class Observation(NamedTuple):
    """That an incident or its rollback has recorded a function as failing."""

    at: float
    function: str
    incident: str


class NamedAlert(NamedTuple):
    """An open alert that names a function."""

    at: float
    key: str
    function: str
    incident: str


class Hold(NamedTuple):
    """For how long a person has held a rollback of an incident."""

    incident: str
    begins: float
    ends: float


class StatementLaws:
    """Renders what people read when it may have changed, and judges all of it at the end."""

    _failing: Callable[[str], list[Span]]
    """When a subject has failed, once the world has ended."""

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
        self._published: dict[float, float] = {}
        """When an alert was published, by when it was stored: it reports no later failure."""
        self._named: list[NamedAlert] = []
        self._notified_ends: dict[str, float] = {}
        """When a notification told that an alert was closed, by its key."""
        self._orders: dict[str, tuple[str, ...]] = {}
        """What an incident is about that a person has begun."""
        self._accepted: dict[str, float] = {}
        """When a person took an incident's state as it is."""
        self._public: dict[str, float] = {}
        """Since when the public sees an incident."""
        self._told: set[tuple[str, str]] = set()
        """The alerts that are known, with their incidents."""
        self._not_counted: set[str] = set()
        """Open incidents about what no request tells of."""
        self._records: dict[str, list[tuple[float, bool]]] = {}
        """Per subject, since when the product's own record says that it works, or that it fails."""
        self._verified: set[tuple[str, str]] = set()
        self._ended: dict[str, str] = {}
        self._ended_until: dict[str, float] = {}
        """When an incident was seen ended last, before it was opened again."""
        self._opened: dict[str, float] = {}
        """When an incident was opened again last."""
        self._observed: dict[str, tuple[str, ...]] = {}
        """The functions that each incident has observed to work."""
        self._closed: dict[str, float] = {}
        """When a notification told last that an alert of each incident was closed."""
        self._recoveries: dict[str, list[float]] = {}
        """When each incident was observed to recover."""
        self._landed: dict[float, float] = {}
        """When the commit landed that is dated at a moment, of a recovery or a notice."""
        self._failures: dict[str, dict[str, float]] = {}
        """The functions that each incident has observed to fail, and since when."""
        self._recorded: dict[tuple[bool, str], frozenset[str]] = {}
        """What each incident and each rollback says that fails."""
        self._observations: list[Observation] = []
        self._held: dict[str, Hold] = {}
        self._holds: list[Hold] = []
        """Those that are over; `_held`: those that last, by rollback."""
        self._unreported: list[tuple[float, str]] = []
        """When the last open alert was closed, with its incident."""
        self._remembers: dict[str, Callable[[Fields], None]] = {
            "alerts": self._remember_alert,
            "incidents": self._remember_incident,
            "rollbacks": self._remember_rollback,
            "commands": self._remember_command,
            "reports": self._judge_report,
            "notices": lambda fields: self._remember_landing(fields["created_at"]),
        }
        self._shown_of_rollbacks: dict[str, tuple[list[str], datetime | None]] = {}
        """The functions that each rollback has observed to fail, and since when it is held."""
        self._said_wrong: set[tuple[str, ...]] = set()

    # while the world goes on

    def committed(self, after: Mapping[str, Fields]) -> None:
        """A commit has landed: render what it may have changed."""
        kinds, is_shown_anew = {path.partition("/")[0] for path in after}, False
        for path, fields in after.items():
            kind, _, rest = path.partition("/")
            if kind == "rollbacks" and "/" in rest:
                continue
            if kind == "rollbacks":
                shown = fields["failing"], fields["held_since"]
                is_shown_anew |= self._shown_of_rollbacks.get(path, ([], None)) != shown
                self._shown_of_rollbacks[path] = shown
            if kind in self._remembers:
                self._remembers[kind](fields)
        if kinds & {"incidents", "public", "alerts"} or is_shown_anew:
            self._render_page()
        if kinds & {"incidents", "rollbacks", "systems"}:
            self._render_status()

    def sent(self, key: str, notice: Mapping[str, Any]) -> None:
        """A notice is handed over; it may arrive later, and nothing of it changes on the way."""
        text = f"{notice.get('subject', '')}\n{notice.get('body', '') or notice.get('text', '')}"
        incident = notice["incident"]
        if not incident:
            return
        kept = self._world.store.peek(f"notices/{key}") or {}
        made = seconds_of(kept["created_at"]) if kept else self._seen.now
        about = self._world.store.peek(f"incidents/{incident}") or {}
        over = seconds_of(about["ended_at"]) if about.get("ended_at") else made
        is_late = LATE_NOTICE in text or ("created_at" in notice and self._seen.now - made > MINUTE)
        text = _PAST.sub("", text)
        self._judge_words_of_notice(text, incident)
        for phrase, _ in (*phrases_in(Surface.NOTICE, text), *phrases_in(Surface.PAGE, text)):
            if phrase.promise is Promise.NOTHING or phrase.words in SINCE:
                continue
            if phrase.promise in (Promise.ENDED, Promise.OVER):
                self._judge_ended(Surface.NOTICE, phrase.words, incident, made)
            said = made if phrase.words in COMPOSED else self._seen.now
            stood_at = made if phrase.words in COMPOSED and is_late else self._seen.now
            if phrase.promise is Promise.UNCHANGED:
                self._judge_unchanged(phrase.words, incident)
            is_now = phrase.words not in COMPOSED and phrase.promise is not Promise.OVER
            moment = None if is_now else over if phrase.promise is Promise.OVER else said
            claim = Claim(Surface.NOTICE, phrase.words, phrase.promise, (), incident, moment)
            self._stood.append(Stood(claim, stood_at, stood_at))

    def _judge_words_of_notice(self, text: str, incident: str) -> None:
        """What a notice says of parts since a moment, and of a restoration."""
        for found in SINCE_WHEN.finditer(text):
            since = seconds_of(datetime.fromisoformat(found["since"]).replace(tzinfo=UTC)) + MINUTE
            words, parts = f"…: {found['how']} since …", found["parts"].split(", ")
            each = [self._subjects_of_part(part) for part in parts]
            together = tuple(one for subjects in each for one in subjects)
            claims = [Claim(Surface.NOTICE, words, Promise.FAILS, together, incident, since)]
            claims += (Claim(Surface.NOTICE, words, Promise.FAILS, one, incident) for one in each)
            claims += (one for part in parts for one in self._claims_of_share(Surface.NOTICE, part, incident))
            self._stood += (Stood(one, self._seen.now, self._seen.now) for one in claims)
        for words in RESTORING:
            if words in text:
                self._judge_restoring(Surface.NOTICE, words, incident)

    def _judge_restoring(self, surface: Surface, words: str, incident: str) -> None:
        """An undo brings back what failed, and is not called a restoration."""
        undo = self._undo_of(incident)
        if undo and undo["status"] in (RollbackStatus.DECIDING, RollbackStatus.RUNNING):
            self._wrong(f"{surface} says {words!r} of {incident} while it is undone", surface, words)

    def _undo_of(self, incident: str) -> Fields:
        """The newest rollback of an incident, where it is an undo; else nothing."""
        about = self._world.store.peek(f"incidents/{incident}") or {}
        newest = self._seen.rollbacks.get(incidents.rollback_id(incident, about.get("rollbacks", 1)), {})
        return newest if (newest.get("order") or {}).get("way") == Direction.UNDO else {}

    def _judge_ended(self, surface: Surface, words: str, incident: str, made: float) -> None:
        """The incident has ended, or had when this was made and was opened again since."""
        about = self._world.store.peek(f"incidents/{incident}") or {}
        if about.get("ended_at") is None and self._ended_until.get(incident, -1.0) < made:
            self._wrong(f"{surface} says {words!r} of {incident}, which is open", surface, words)

    def _judge_quiet(self, surface: Surface, words: str) -> None:
        """No incident is open."""
        for path, fields in self._world.store.documents_of("incidents"):
            if fields["ended_at"] is None:
                self._wrong(f"{surface} says {words!r}, and {path} is open", surface, words)

    def _judge_unchanged(self, words: str, incident: str) -> None:
        """No rollback of the incident has begun to change anything."""
        for key, fields in self._seen.rollbacks.items():
            done = any(one["status"] == StepStatus.DONE for one in self._seen.steps.get(key, {}).values())
            if fields["incident"] == incident and fields["started_at"] is not None and done:
                self._wrong(f"a notice says {words!r} of {incident}, and {key} changed something", words)

    def _remember_alert(self, fields: Fields) -> None:
        key = fields["key"].rpartition(":")[0]
        closed = f"alerts/{key}:closed"
        if fields["state"] != "open":
            self._notified_ends.setdefault(key, self._seen.now)
        if fields["state"] != "open" and fields["incident"]:
            self._closed[fields["incident"]] = self._seen.now
            if not self._is_anything_reported():
                self._unreported.append((self._seen.now, fields["incident"]))
        is_over = self._world.store.peek(closed) is not None  # its end has overtaken it
        if fields["state"] != "open" or not fields["incident"] or is_over:
            return
        name, signal = fields["incident"], fields["signal"]
        if (fields["key"], name) in self._told:
            return
        self._told.add((fields["key"], name))
        subjects = self._subjects_of_signal(signal, fields["function"])
        self._alerts.append((self._seen.now, subjects, name, signal))
        self._published[self._seen.now] = seconds_of(fields["published_at"])
        if fields["function"] and signal not in SIGNAL_SUBJECTS:
            self._named.append(NamedAlert(self._seen.now, key, fields["function"], name))
        self._record(subjects, well=False)
        if signal in NOT_COUNTED:
            self._not_counted.add(name)

    def _is_anything_reported(self) -> bool:
        """Whether any alert is open whose end is not known."""
        opened = (one for _, one in self._world.store.documents_of("alerts") if one["state"] == "open")
        ends = (f"alerts/{one['key'].rpartition(':')[0]}:closed" for one in opened)
        return any(self._world.store.peek(path) is None for path in ends)

    def _remember_hold(self, fields: Fields) -> None:
        is_held = fields["held_since"] is not None and fields["status"] == RollbackStatus.RUNNING
        if is_held:
            self._held.setdefault(fields["id"], Hold(fields["incident"], self._seen.now, FOREVER))
        elif fields["id"] in self._held:
            self._holds.append(self._held.pop(fields["id"])._replace(ends=self._seen.now))

    def _remember_rollback(self, fields: Fields) -> None:
        self._remember_hold(fields)
        self._remember_failing(fields["incident"], fields)
        self._remember_landing(fields["verified_at"])
        order = fields["order"]
        if order is not None:
            named = [*order["functions"]]
            for group in order["groups"]:
                named += self._world.policy.groups[group].functions
            site = (SITE,) if order["scenario"] == ScenarioName.COMPLETE else ()
            every = (*self._world.policy.functions, *site)
            self._orders.setdefault(fields["incident"], tuple(named) or every)
        undone = (order or {}).get("way") == Direction.UNDO and fields["started_at"] is not None
        undone = undone and (fields["id"], "undone") not in self._told
        self._told |= {(fields["id"], "undone")} if undone else set()
        ill = (fields["id"], str(fields["ill_since"]))
        failed = fields["ill_since"] and ill not in self._told
        self._told |= {ill} if failed else set()
        if failed or undone:  # what an undo brings back has failed before
            steps = self._seen.steps.get(fields["id"], {}).values() if undone else ()
            targets = dict.fromkeys(one["target"] for one in steps)
            about = tuple(targets or self._world.policy.functions)
            self._alerts.append((self._seen.now, about, fields["incident"], ""))
            self._record(about, well=False)
        verified = fields["verified_at"] and (fields["id"], str(fields["verified_at"]))
        if verified and verified not in self._verified and not self._not_counted:
            self._verified.add(verified)
            steps = self._seen.steps.get(fields["id"], {}).values()
            targets = dict.fromkeys(one["target"] for one in steps)
            self._record([one for one in targets if one not in fields["failing"]], well=True)

    def _judge_public_state(self, fields: Fields) -> None:
        """The commit that changes the public word of an incident changes its public state."""
        about = decode(incidents.Incident, fields)
        kept = self._world.store.peek(incidents.public_state_path(about)) or {}
        word = incidents.public_state(self._world.policy, about, about.detected_at).word
        if kept.get("word") != word:
            stale = f"{kept.get('word')!r}, and its time line {word!r}"
            self._wrong(f"the public state of {about.id} says {stale}", stale)

    def _remember_incident(self, fields: Fields) -> None:
        """An incident that has ended as recovered, or is recovered and waits for a person.

        It proves nothing of what the alerts of another open incident are about.
        """
        self._judge_public_state(fields)
        if fields["status"] in RECOVERED and self._ended.get(fields["id"]) != fields["status"]:
            self._record_working(self._scope(fields["id"], self._seen.now), fields["id"])
        name, was_ended = fields["id"], fields["id"] in self._ended_until
        newest = fields["timeline"][-1]
        if newest["works"] or newest["status"] in WELL_STATUSES:
            self._recoveries.setdefault(name, []).append(self._seen.now)
        self._ended[name] = fields["status"]
        self._remember_landing(fields["ended_at"])
        if fields["ended_at"] is not None:
            self._not_counted.discard(name)
            self._ended_until[name] = FOREVER
        elif was_ended and self._ended_until[name] == FOREVER:
            self._ended_until[name] = self._opened[name] = self._seen.now
        before, self._observed[name] = self._observed.get(name, ()), tuple(fields["working"])
        self._remember_failing(name, fields)
        self._record([one for one in before if one not in self._observed[name]], well=False)
        if self._is_counted(name):
            self._record_working([one for one in fields["working"] if one not in before], name)
            self._record(fields["failing"], well=False)

    def _remember_landing(self, moment: datetime | None) -> None:
        if moment is not None:
            self._landed.setdefault(seconds_of(moment), self._seen.now)

    def _remember_failing(self, incident: str, fields: Fields) -> None:
        failures, failing = self._failures.setdefault(incident, {}), frozenset(fields["failing"])
        record = "incident" in fields, fields["id"]  # an incident and its first rollback share their id
        new = sorted(failing - self._recorded.get(record, frozenset()))
        self._observations += (Observation(self._seen.now, one, incident) for one in new)
        self._recorded[record] = failing
        for function in fields["failing"]:
            failures.setdefault(function, self._seen.now)
        self._record(new, well=False)

    def _record_working(self, subjects: Iterable[str], incident: str) -> None:
        """These work, but for what the alerts of another open incident are about."""
        others = {name for name, status in self._ended.items() if status not in ENDED} - {incident}
        stands = {one for _, named, name, _ in self._alerts if name in others for one in named}
        self._record([one for one in subjects if one not in stands], well=True)

    def _is_counted(self, incident: str) -> bool:
        """Whether requests tell of all that the alerts of an incident, or its order, are about."""
        signals = {signal for _, _, name, signal in self._alerts if name == incident and signal}
        is_known = bool(signals) or incident in self._orders
        return is_known and all(has_source(one, SignalSource.REQUESTS) for one in signals)

    def _record(self, subjects: Iterable[str], *, well: bool) -> None:
        """What the product knows of these from now on."""
        for subject in subjects:
            records = self._records.setdefault(subject, [])
            if not records or records[-1][1] != well:
                records.append((self._seen.now, well))

    def _remember_command(self, fields: Fields) -> None:
        if fields.get("command") == "accept" and fields.get("incident"):
            self._accepted[fields["incident"]] = self._seen.now

    def _subjects_of_signal(self, signal: str, function: str | None) -> tuple[str, ...]:
        if signal in SIGNAL_SUBJECTS:
            return SIGNAL_SUBJECTS[signal]
        return (function,) if function else tuple(self._world.policy.functions)

    def _render_page(self) -> None:
        view = self._surfaces.page()
        said = self._surfaces.read_page(view)
        for one in (*said.now, *said.past):
            self._public.setdefault(one.id, self._seen.now)
        self._show(Surface.PAGE, frozenset(self._claims_of_page(said)))
        self._judge_hidden_incidents({one.id for one in said.now})
        self._judge_agreement(said)

    def _claims_of_page(self, said: PageText) -> Iterator[Claim]:
        parts = (one for name, _ in said.parts for one in self._subjects_of_part(name))
        every = tuple(dict.fromkeys((*parts, DATA)))
        yield from self._claims_of_text(said.overall, every)
        for name, words in said.parts:
            yield from self._claims_of_text(words, self._subjects_of_part(name))
        for one in said.now:
            label, _, named = one.title.partition(": ")
            for part in filter(None, named.split(", ")):
                yield from self._claims_of_text(f"{label}.", self._subjects_of_part(part))
                yield from self._claims_of_share(Surface.PAGE, part, one.id)
        for one in (*said.now, *said.past):
            yield from self._claims_of_text(one.newest, (), one.id)

    def _claims_of_share(self, surface: Surface, part: str, incident: str) -> Iterator[Claim]:
        """How many functions of a part fail, where its name says so."""
        if share := share_of_part(part):
            subjects, most = self._subjects_of_part(part), int(share.partition(" ")[0])
            yield Claim(surface, share, Promise.COUNT, subjects, incident, most=most)

    def _judge_agreement(self, said: PageText) -> None:
        """The page says one thing of each part and incident, in each place and in its feeds."""
        named: dict[str, set[Promise | None]] = {}
        for one in said.now:
            label, _, parts = one.title.partition(": ")
            for part in map(name_of_part, parts.split(", ")):
                named.setdefault(part, set()).add(PAGE_PROMISES.get(f"{label}."))
            if one.newest in RESTORING:
                self._judge_restoring(Surface.PAGE, one.newest, one.id)
        for part, words in said.parts:
            fails, works = Promise.FAILS in named.get(part, ()), words == "Working."
            if fails and works:
                self._wrong(f"the page names {part} as failing, and says {words!r} of it", "title", "part")
        if said.quiet != (not said.now, not (said.now or said.past)):
            self._wrong("the page says 'No incident.' beside an incident, or does not say it")
        for words in said.feeds:
            self._wrong(f"the page and its feeds differ: {words}", "feeds")

    def _claims_of_text(self, text: str, subjects: tuple[str, ...], incident: str = "") -> Iterator[Claim]:
        name = self._world.policy.display_name or SYSTEM
        for words, promise in promised_by_sentences(text, name):
            if promise is None:
                self._wrong(f"the page's words {words!r} promise nothing that is written down")
            elif promise is not Promise.NOTHING:
                yield Claim(Surface.PAGE, words, promise, subjects, incident)

    def _subjects_of_part(self, part: str) -> tuple[str, ...]:
        return PART_SUBJECTS.get(name_of_part(part)) or tuple(self._world.policy.functions)

    def _judge_hidden_incidents(self, shown: set[str]) -> None:
        """An incident that is open and shown is not called over by the page."""
        for path, fields in self._world.store.documents_of("incidents"):
            public = self._world.store.peek(f"{incidents.public_history_path(SYSTEM)}/{fields['id']}")
            is_open, was_shown = (
                fields["ended_at"] is None,
                public is not None and fields["id"] in self._public,
            )
            if is_open and was_shown and fields["id"] not in shown:
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
            bool(incident) and incident["timeline"][-1]["works"],
            system.get("mode"),
            bool(system.get("pause")),
        )
        if self._keys.get("status") == key:
            return
        self._keys["status"] = key
        seen, text = self._surfaces.status()
        name = seen.incident.id if seen.incident else ""
        recovered = seen.times.recovered_at if seen.times else None
        self._show(Surface.STATUS, frozenset(self._claims_in(Surface.STATUS, text, name, recovered)))
        said = self._surfaces.console(seen)
        self._show(Surface.CONSOLE, frozenset(self._claims_in(Surface.CONSOLE, said, name, recovered)))
        said = self._surfaces.watched(seen)
        self._show(Surface.WATCH, frozenset(self._claims_in(Surface.WATCH, said, name, recovered)))

    def _claims_in(
        self, surface: Surface, text: str, incident: str, recovered: datetime | None
    ) -> Iterator[Claim]:
        for phrase, _ in phrases_in(surface, text):
            if phrase.promise is Promise.QUIET:
                self._judge_quiet(surface, phrase.words)
            if phrase.promise in (Promise.ENDED, Promise.OVER):
                self._judge_ended(surface, phrase.words, incident, self._seen.now)
            over = phrase.promise in (Promise.OVER, Promise.FAILS)
            moment = None if recovered is None or over else seconds_of(recovered)
            if phrase.words.lower() in TIMED and moment is not None:
                self._judge_target(surface, incident, moment, in_time=phrase.promise is Promise.IN_TIME)
            yield Claim(surface, phrase.words, phrase.promise, (), incident, moment)

    def _judge_target(self, surface: Surface, incident: str, moment: float, *, in_time: bool) -> None:
        """In time is what worked within what the runbook sets for its kind, all else late."""
        about = self._world.store.peek(f"incidents/{incident}") or {}
        allowed = self._allowed(about).total_seconds()
        took = moment - seconds_of(about["detected_at"])
        if in_time != (took < allowed):
            said = "in time" if in_time else "late"
            self._wrong(f"{surface} calls {incident} {said} after {took:.0f} s of {allowed:.0f} s", surface)

    def _allowed(self, incident: Mapping[str, Any]) -> timedelta:
        """The runbook's time of an incident: of functions and data by kind, else by severity."""
        policy = self._world.policy
        named = [
            (one["plan"] or {}).get("scenario") or one["scenario"] or (one["order"] or {}).get("scenario")
            for one in self._seen.rollbacks.values()
            if one["incident"] == incident["id"]
        ]
        name, signal = incident["signal"], policy.signals.get(incident["signal"])
        is_narrow = incident["severity"] in FEATURE_SEVERITIES and has_source(name, SignalSource.REQUESTS)
        kind = [signal.scenario if signal and not is_narrow else "", *filter(None, named)][-1]
        by_kind = {"functions": policy.targets.functions, "database": policy.targets.database}
        return by_kind.get(kind, policy.targets.by_severity[Severity(incident["severity"])])

    def _judge_report(self, fields: Fields) -> None:
        """A report was filed: its words, and whether it and the status name one duration."""
        if fields["written_at"] is None:
            return
        text, name = report_text(fields), fields["incident"]
        times = self._surfaces.times(name)
        recovered = times.recovered_at if times is not None else None
        for phrase, words in phrases_in(Surface.REPORT, text):
            at = moment_in(text[text.index(words) :].partition("\n")[0]) or recovered
            moment = None if at is None else seconds_of(at)
            if phrase.words in TIMED and recovered is not None:
                in_time = phrase.promise is Promise.IN_TIME
                self._judge_target(Surface.REPORT, name, seconds_of(recovered), in_time=in_time)
            claim = Claim(Surface.REPORT, phrase.words, phrase.promise, (), name, moment)
            self._stood.append(Stood(claim, self._seen.now, self._seen.now))
        for key in self._seen.rollbacks:
            if key.partition("-r")[0] == name and f"### {key}:" not in text:
                self._wrong(f"the report of {name} leaves out {key}")
        seen, status = self._surfaces.status()
        if seen.incident is not None and seen.incident.id == name:
            self._judge_durations(name, status, text)

    def _judge_durations(self, incident: str, status: str, report: str) -> None:
        """One duration has one value everywhere: in the status, and in each place of the report."""
        for named in (TRAFFIC_RESTORED, RECOVERED_AFTER):
            sentence = re.compile(rf"^[ -]*{named} (\S[^\n]*?) after detection", re.MULTILINE)
            row = re.compile(rf"^\| {named} \| (\d[^|]*?) \|", re.MULTILINE)
            values = {one for text in (status, report) for one in sentence.findall(text)}
            values |= set(row.findall(report))
            if len(values) > 1:
                self._wrong(f"{named} of {incident} has several values: {', '.join(sorted(values))}")

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
        for _, fields in self._world.store.documents_of("incidents"):
            said, ended_at = self._surfaces.explained(fields["id"]), fields["ended_at"]
            at = self._seen.now if ended_at is None else seconds_of(ended_at)
            for claim in self._claims_in(Surface.EXPLAIN, said, fields["id"], ended_at):
                self._stood.append(Stood(claim, at, at))
        standing = [Stood(claim, begins, ends) for claim, begins in self._standing.items()]
        self._failing = cache(self._world.truth.failing)
        for stood in (*self._stood, *standing):
            self._judge(stood)

    def _judge(self, stood: Stood) -> None:
        match stood.claim.promise:
            case Promise.WORKS | Promise.OVER | Promise.IN_TIME:
                self._judge_works(stood)
            case Promise.FAILS:
                self._judge_fails(stood)
            case Promise.UNFAILED if stood.claim.incident:
                self._judge_unfailed(stood)
            case Promise.COUNT:
                self._judge_count(stood)

    def _judge_works(self, stood: Stood) -> None:
        claim = stood.claim
        subjects = claim.subjects or self._scope(claim.incident, stood.begins)
        if claim.incident and not subjects:
            self._judge_unobservable(stood)
        for subject in subjects:
            for span in self._failing(subject):
                wrong = self._contrary(stood, subject, span)
                if wrong > MINUTE + SAME_COMMIT:
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
        landed = self._landed.get(made, min(made + SAME_COMMIT, max(made, stood.begins)))
        accepted, known = self._accepted_at(span), self._known(subject, span, claim)
        if claim.promise is Promise.OVER and accepted is not None:
            return 0.0
        seen_before = span.begins <= made and min(span.begins + MINUTE, known + SAME_COMMIT) <= landed
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
        """When the product knew that the subject fails in this time; for ever: never.

        By an alert, by its own record, or because a check of a held rollback could observe it. The
        public page speaks of an incident only once the policy shows it, and of a part by those of
        its functions that receive requests, if there are any.
        """
        if claim.surface is Surface.PAGE and self._is_part_counted_without(subject):
            return FOREVER
        told = [(at, incident) for at, subjects, incident, _ in self._alerts if subject in subjects]
        known = [
            (at, incident)
            for at, incident in told
            if span.begins <= self._published.get(at, at) and at < span.ends
        ]
        known += self._recorded_failing(subject, span)
        known += self._observable(subject, span)
        if claim.surface is Surface.PAGE:
            known = [(max(at, self._shown_from(incident)), incident) for at, incident in known]
        return min((at for at, _ in known), default=FOREVER)

    def _recorded_failing(self, subject: str, span: Span) -> Iterator[tuple[float, str]]:
        """When an incident or a rollback recorded this failure, and not an earlier one."""
        for one in self._observations:
            if one.function != subject or not span.begins <= one.at < span.ends:
                continue
            at = max(one.at, span.begins + COUNTED)
            newest = [well for moment, well in self._records[subject] if moment <= at][-1]
            if at == one.at or not newest:
                yield at, one.incident

    def _observable(self, subject: str, span: Span) -> Iterator[tuple[float, str]]:
        """When a check of a held rollback has observed at the latest that a function fails."""
        for hold in (*self._holds, *self._held.values()) if self._is_requested(subject) else ():
            at = max(span.begins, hold.begins) + LOOK
            if at < min(span.ends, hold.ends):
                yield at, hold.incident

    def _is_requested(self, subject: str) -> bool:
        """Whether it is a function that receives requests."""
        return subject in self._world.policy.functions and self._world.metrics.rates.get(subject, 1.0) > 0

    def _is_part_counted_without(self, subject: str) -> bool:
        """Whether a function receives no requests, and others of its part do."""
        if self._is_requested(subject) or subject not in self._world.policy.functions:
            return False
        parts = (mine for mine in PART_SUBJECTS.values() if subject in mine)
        return any(map(self._is_requested, (one for mine in parts for one in mine)))

    def _shown_from(self, incident: str) -> float:
        """Since when the policy shows an incident, or a person does."""
        about = self._world.store.peek(f"incidents/{incident}") or {}
        after = self._world.policy.status_page.publish_after.get(Severity(about["severity"]))
        shown = FOREVER if after is None else seconds_of(about["detected_at"]) + after.total_seconds()
        return min(shown, self._public.get(incident, FOREVER))

    def _scope(self, incident: str, until: float) -> tuple[str, ...]:
        """What an incident is about, by its alerts and its order."""
        found = dict.fromkeys(self._orders.get(incident, ()))
        for at, subjects, name, signal in self._alerts:
            if name == incident and at <= until + (MINUTE if signal else 0.0):
                found |= dict.fromkeys(subjects)
        return tuple(found)

    def _judge_unfailed(self, stood: Stood) -> None:
        """No failure is told of, and an alert has told of one for a minute, since any recovery."""
        claim = stood.claim
        recovered = [at for at in self._recoveries.get(claim.incident, ()) if at <= stood.begins]
        for at, subjects, name, signal in self._alerts:
            begins = at if claim.surface is Surface.NOTICE else max(stood.begins, at)
            spans = [span for subject in subjects for span in self._failing(subject)]
            is_late = not any(one.begins < stood.ends and one.ends > begins for one in spans)
            if at < max(recovered, default=0.0) or is_late:  # it tells of what was over before it came
                continue
            proves = signal in SIGNALS and SIGNALS[signal].source is not SignalSource.DECLARED
            if name == claim.incident and proves and stood.ends - begins > MINUTE:
                self._wrong(f"{claim.surface} says {claim.words!r} of {name}, and {signal} told of a failure")

    def _judge_count(self, stood: Stood) -> None:
        """More of a part fails than is said, and the incident has known it for a minute."""
        claim, is_notice = stood.claim, stood.claim.surface is Surface.NOTICE
        wait = MINUTE + (0.0 if is_notice else SAME_COMMIT)
        spans = [span for one in claim.subjects for span in self._known_failures(one, claim.incident)]
        if not is_notice:  # a page may lag; a notice is made of what was known then
            spans = [one._replace(begins=max(one.begins, stood.begins)) for one in spans]
        spans = [one._replace(begins=one.begins + wait) for one in spans]
        moments = [stood.begins] if is_notice else [one.begins for one in spans if one.begins < stood.ends]
        for at in moments:
            failing = sum(one.begins <= at < one.ends for one in spans)
            if failing > claim.most:
                said = f"{claim.surface} says {claim.words!r} of {claim.incident} at {at:.0f} s"
                self._wrong(f"{said}, and {failing} fail", claim.surface, "share")

    def _known_failures(self, function: str, incident: str) -> list[Span]:
        """When a function failed and its incident knew it, by an alert that stands or a check."""
        known = [
            Span(
                one.at,
                min(self._notified_ends.get(one.key, FOREVER), self._seen.alert_ends.get(one.key, FOREVER)),
            )
            for one in self._named
            if (one.function, one.incident) == (function, incident)
        ]
        known += (
            Span(one.at, FOREVER)
            for one in self._observations
            if (one.function, one.incident) == (function, incident)
        )
        both = (
            Span(told.begins, min(told.ends, span.ends))
            for span in self._failing(function)
            for told in known
            if span.begins <= told.begins < span.ends
        )
        return merged([*both])

    def _judge_unobservable(self, stood: Stood) -> None:
        """Nobody observes the end of what a person or a finding has declared: it is never over."""
        claim = stood.claim
        signals = {signal for _, _, name, signal in self._alerts if name == claim.incident and signal}
        declared = signals and all(
            SIGNALS[one].source is SignalSource.DECLARED for one in signals if one in SIGNALS
        )
        if declared and claim.incident not in self._accepted:
            self._wrong(f"{claim.surface} says {claim.words!r} of {claim.incident}, which nobody can observe")

    def _judge_fails(self, stood: Stood) -> None:
        """It is said to fail, and the product has recorded for a minute that it does not."""
        subjects = stood.claim.subjects or self._failing_scope(stood)
        is_since = stood.claim.words in SINCE and stood.claim.moment is not None
        is_now = stood.claim.surface is Surface.NOTICE and not is_since
        if is_now and self._fails_soon(subjects, stood.begins):
            return
        for well in (*self._recorded_well(subjects), *self._observably_well(subjects)):
            begins, ends = self._said_to_fail(stood, well)
            for failing in merged([one for name in subjects for one in self._failing(name)]):
                if failing.ends > begins:
                    ends = min(ends, max(begins, failing.begins))
            if ends - begins > MINUTE + SAME_COMMIT:
                self._wrong(
                    f"{stood.claim.surface} says {stood.claim.words!r} from {stood.begins:.0f} s on, "
                    f"and recovery of {', '.join(subjects)} was known at {well.begins:.0f} s",
                    stood.claim.surface,
                    stood.claim.words,
                )
                return

    def _fails_soon(self, subjects: Iterable[str], moment: float) -> bool:
        """Whether one of these really fails at a moment, or within a minute of it."""
        spans = (one for name in subjects for one in self._failing(name))
        return any(one.begins <= moment + MINUTE and one.ends > moment for one in spans)

    def _failing_scope(self, stood: Stood) -> tuple[str, ...]:
        """What the incident of a statement is about, and what else it was observed to fail of."""
        observed = self._failures.get(stood.claim.incident, {})
        further = (one for one, at in observed.items() if at <= stood.ends)
        return tuple(dict.fromkeys((*self._scope(stood.claim.incident, stood.ends), *further)))

    def _said_to_fail(self, stood: Stood, well: Span) -> Span:
        """Which part of a time that was well a statement denies: a notice all of it until then."""
        claim = stood.claim
        if claim.surface is not Surface.NOTICE:
            ends = () if claim.subjects else self._alert_ends(claim.incident)
            known = [at for at in ends if at <= well.begins + MINUTE]  # until then it is not known
            return Span(max(well.begins, stood.begins, *known), min(well.ends, stood.ends))
        if claim.words in SINCE and claim.moment is not None:
            return Span(max(well.begins, claim.moment), min(well.ends, stood.begins))
        begins = max(well.begins, self._opened.get(claim.incident, 0.0))
        return Span(begins, stood.begins if stood.begins < well.ends else begins)

    def _alert_ends(self, incident: str) -> Iterator[float]:
        """When alerts of an incident ended: as notified last, and in Cloud Monitoring."""
        yield self._closed.get(incident, 0.0)
        for key, name in self._told:
            if name == incident:
                yield self._seen.alert_ends.get(key.rpartition(":")[0], 0.0)

    def _recorded_well(self, subjects: Iterable[str]) -> Iterator[Span]:
        """When the product's record said of none of these that it fails, and once had said so."""
        records = [self._records[one] for one in subjects if one in self._records]
        moments = sorted({at for one in records for at, _ in one})
        for begins, ends in pairwise([*moments, FOREVER]):
            newest = [[well for at, well in one if at <= begins][-1:] for one in records]
            if all(one == [True] or not one for one in newest) and [True] in newest:
                yield Span(begins, ends)

    def _observably_well(self, subjects: Collection[str]) -> Iterator[Span]:
        """When a check of a held rollback could observe that these work: no alert is open."""
        for hold in (*self._holds, *self._held.values()):
            for closed_at, incident in self._unreported:
                if incident != hold.incident or not {*subjects} <= {*self._scope(incident, closed_at)}:
                    continue
                ends = min([hold.ends, *(at for at, *_ in self._alerts if at > closed_at)])
                failed = (span.ends for one in subjects for span in self._failing(one))
                begins = max([closed_at, hold.begins, *(at for at in failed if at < ends)]) + RECOVERY_LOOK
                if begins < ends:
                    yield Span(begins, ends)

    def _wrong(self, what: str, *kind: str) -> None:
        """One violation; of many alike, the first."""
        about = kind or (what,)
        if about not in self._said_wrong:
            self._said_wrong.add(about)
            self._break(13, what)
