"""What we keep of each protected system, and the switches that stop everything."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum

from msgspec.structs import replace

from shared.core.codec import DocumentFields, FrozenStruct, StoredDocument, decode, documents_of
from shared.domain.policy.scenario_names import Mode

ALL_SYSTEMS = "all"
"""The chain of what concerns all systems."""


GLOBAL_CONTROLS_PATH = "controls/global"
BUDGET_PATH = "quotas/automatic"
MAX_CONTROLS_AGE_SECONDS = 2.0
system_path = documents_of("systems")


class Pause(FrozenStruct):
    """Who stopped automation, when and why."""

    actor: str
    at: datetime
    reason: str
    command: str = ""
    expires_at: datetime | None = None
    """When people are told that it is still set; nothing but their word lifts it."""
    reached_at: datetime | None = None
    """When nothing that it stops was in flight any more; None: something may still be."""

    def __str__(self) -> str:
        return f"paused by {self.actor}: {self.reason}"


class Freeze(FrozenStruct):
    """A window in which automation changes nothing, and a person only by override."""

    actor: str
    at: datetime
    reason: str
    begins_at: datetime
    until: datetime
    orders: bool = True
    """Whether it holds up what people order, too; a fence's own holds up automation alone."""

    def __str__(self) -> str:
        return f"frozen by {self.actor} until {self.until:%Y-%m-%d %H:%M} UTC: {self.reason}"


class Controls(StoredDocument):
    """The kill switch over all systems."""

    pause: Pause | None = None
    switched_at: datetime | None = None
    """When the newest pause or resume was published: an older one changes nothing."""
    freezes: tuple[Freeze, ...] = ()
    thawed_at: datetime | None = None
    """When the newest unfreeze was published: an older freeze changes nothing."""


class Budget(StoredDocument):
    """When automation began a rollback, newest last, over all systems."""

    starts: tuple[datetime, ...] = ()


class System(StoredDocument):
    """One protected system as it stands."""

    name: str
    mode: Mode = Mode.OBSERVE
    """How far a person has promoted automation here."""
    promoted_by: str = ""
    promoted_at: datetime | None = None
    """When the newest promotion was published: an older one changes nothing."""
    pause: Pause | None = None
    switched_at: datetime | None = None
    """As in Controls."""
    freezes: tuple[Freeze, ...] = ()
    thawed_at: datetime | None = None
    """As in Controls."""
    incident: str = ""
    """The open incident, or the newest that ended."""
    rollback: str = ""
    """The newest rollback of that incident."""
    incident_detected_at: datetime | None = None
    incident_ended_at: datetime | None = None
    """None while it is open."""
    previous_incident_ended_at: datetime | None = None
    """When the newest incident ended before the open one began; None: there was none."""
    rollback_ended: bool = False
    """Nobody works on the incident any more: what joins it needs a further rollback."""
    earlier_incidents: tuple[str, ...] = ()
    """The incidents before it that are open still, the oldest first."""
    slot: str = ""
    """The rollback that has effects in flight."""
    cool_down_until: datetime | None = None
    cool_down_target: str = ""
    """The deployment that automation went back to; empty: an operator called a rollback off."""
    cool_down_functions: tuple[str, ...] = ()
    """The functions that it restored in that step: none of them goes back again."""
    suspended: dict[str, datetime] = {}
    """What a person changed by hand: until then automation leaves it alone."""
    wrong_signals: dict[str, tuple[str, ...]] = {}
    """The signals of each incident marked as wrong: automation asks until the next promotion."""
    chosen: dict[str, datetime] = {}
    """Functions that operators unpinned or undid: until then a plan that moves them asks."""

    @property
    def open_incident(self) -> str:
        """The newest incident that is open; empty: none is."""
        return next(iter(self.open_incidents), "")

    @property
    def open_incidents(self) -> tuple[str, ...]:
        """All incidents that are open, the newest first."""
        newest = (self.incident,) if self.incident and self.incident_ended_at is None else ()
        return (*newest, *reversed(self.earlier_incidents))

    def start_cool_down(
        self, target: str, functions: Iterable[str], now: datetime, until: datetime
    ) -> System:
        """Return the system after an automatic step back; a further part of it extends no time."""
        is_cooling = self.cool_down_until is not None and now < self.cool_down_until
        is_further = is_cooling and target == self.cool_down_target
        return replace(
            self,
            cool_down_until=self.cool_down_until if is_further else until,
            cool_down_target=target,
            cool_down_functions=tuple(sorted({*functions, *(self.cool_down_functions * is_further)})),
        )

    def begin_incident(self, incident: str, rollback: str, detected_at: datetime) -> System:
        """The system, whose newest incident this is, with a rollback that is in progress."""
        return replace(
            self,
            incident=incident,
            rollback=rollback,
            incident_detected_at=detected_at,
            incident_ended_at=None,
            previous_incident_ended_at=self.incident_ended_at or self.previous_incident_ended_at,
            rollback_ended=False,
            earlier_incidents=tuple(one for one in reversed(self.open_incidents) if one != incident),
        )

    def end_incident(self, incident: str, now: datetime) -> System:
        """The system once that incident has ended."""
        earlier = tuple(one for one in self.earlier_incidents if one != incident)
        ended_at = now if self.incident == incident else self.incident_ended_at
        return replace(self, earlier_incidents=earlier, incident_ended_at=ended_at)


class PauseState(StrEnum):
    """How far a pause has come."""

    NO = "RUNNING"
    REQUESTED = "PAUSE_REQUESTED"
    """Nothing new is begun, and something is still in flight."""
    YES = "PAUSED"


def pause_state(pause: Pause | None) -> PauseState:
    """How far a pause has come."""
    if pause is None:
        return PauseState.NO
    return PauseState.REQUESTED if pause.reached_at is None else PauseState.YES


def active_freeze(freezes: Iterable[Freeze], now: datetime, *, ordered: bool = False) -> Freeze | None:
    """The window that `now` lies in, if there is one; what is ordered, some do not hold up."""
    counting = (one for one in freezes if one.orders or not ordered)
    return next((one for one in counting if one.begins_at <= now < one.until), None)


def decode_system(fields: DocumentFields | None, name: str) -> System:
    """Return the system that these fields hold; a new one of that name, where there are none."""
    return decode(System, fields) if fields else System(name)
