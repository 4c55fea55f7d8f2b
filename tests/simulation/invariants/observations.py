"""What has been seen of one world: whom the laws ask."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from shared.core.store import Document
from shared.domain.rollback.rollback import RollbackStatus
from shared.domain.system_record import GLOBAL_CONTROLS_PATH
from tests.simulation.scenes.bookshop import SYSTEM

if TYPE_CHECKING:
    from tests.simulation.runtime.scheduler import Instance
    from tests.simulation.world import World

Fields = dict[str, Any]
TEMPLATE = "template"
"""Stands for it among what a person has changed."""
SYSTEM_PATH = f"systems/{SYSTEM}"
SWITCHES = (GLOBAL_CONTROLS_PATH, SYSTEM_PATH)
BOTH_READ_WITHIN = timedelta(seconds=1)
"""The two switches, one after the other: a window may end between them."""


class Seen:
    """What was asked for, read and committed in one world, and which laws were broken."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.broken: list[str] = []
        self.alerts: set[tuple[str, str]] = set()
        self.alert_ends: dict[str, float] = {}
        """When Cloud Monitoring has closed each of its incidents, told or not."""
        self.commands: set[str] = set()
        self.poison = 0
        """How many messages nobody can act on."""
        self.by_hand: dict[str, float] = {}
        """When a person was last at each function, the site or the template."""
        self.redeployed: set[str] = set()
        """Functions at which a person was last with a new revision."""
        self.switches: dict[Instance, dict[str, tuple[float, bool]]] = {}
        """Per instance and switch: when it was asked for, and whether it said stop."""
        self.looked: dict[tuple[Instance, str], float] = {}
        """When each instance has looked last at the site, and at what each function is built of."""
        self.rollbacks: dict[str, Fields] = {}
        """Each as committed last."""
        self.steps: dict[str, dict[str, Fields]] = {}
        """Per rollback, each of its steps as committed last."""
        self.frozen: dict[str, float] = {}
        """When each rollback's plan was frozen, and each of its steps."""
        self.ordered_more: set[str] = set()
        """Rollbacks to which people have added by an order."""
        self.tenures: dict[Instance, dict[str, tuple[int, float]]] = {}
        """Per instance and rollback: its fence, and when its newest commit was made."""
        self.cancelled: dict[str, float] = {}
        """When a person's word to stop each rollback was committed."""
        self.claimed: dict[str, float] = {}
        """When the newest claim of each rollback was."""
        self.sent_by: dict[str, str] = {}
        """Which rollback sent the newest shift of each function."""

    def broke(self, law: int, what: str) -> None:
        """A law is broken, which is kept and noted."""
        said = f"law {law}: {what}"
        self.world.note(f"BROKEN {said}")
        self.broken.append(said)

    @property
    def now(self) -> float:
        """Seconds since the world began."""
        return self.world.scheduler.now

    @property
    def instance(self) -> Instance | None:
        """Whose line of execution this is; None: the world's own."""
        task = self.world.scheduler.current
        return task.instance if task else None

    def has_just_claimed(self) -> bool:
        """Whether who acts now has just claimed a rollback."""
        held = self.tenures.get(self.instance, {}) if self.instance else {}
        return any(self.claimed.get(key) == self.now for key in held)

    def alerted(self, incident: str, state: str) -> None:
        """An alert was published: it must be kept, and attended to."""
        self.alerts.add((incident, state))

    def commanded(self, key: str) -> None:
        """A command was published: it must be carried out."""
        self.commands.add(key)

    def poisoned(self) -> None:
        """A message that nobody can act on was published: it must become a dead letter."""
        self.poison += 1

    def changed_by_hand(self, function: str) -> None:
        """A person was at a function: nothing that was planned before may touch it any more."""
        self.by_hand[function] = self.now
        self.redeployed.discard(function)

    def deployed_by_hand(self, function: str) -> None:
        """A person has made a new revision: within a roll-out nobody tells it from the roll-out."""
        self.by_hand[function] = self.now
        self.redeployed.add(function)

    def read(self, path: str, document: Document, asked: float) -> None:
        """Somebody has read a switch, which is remembered."""
        instance = self.instance
        if instance is not None:
            fields = document.fields or {}
            frozen = any(
                one["begins_at"] <= document.read_at < one["until"] - BOTH_READ_WITHIN
                for one in fields.get("freezes", ())
            )
            stops = bool(fields.get("pause")) or frozen
            self.switches.setdefault(instance, {})[path] = asked, stops

    def looked_at(self, target: str) -> None:
        """Somebody has looked at the site, or at what a function is built of."""
        if self.instance is not None:
            self.looked[self.instance, target] = self.now

    def last_look_at(self, target: str) -> float:
        """When whoever asks has looked at it last; before all else where it never has."""
        return self.looked.get((self.instance, target), -1.0) if self.instance else -1.0

    def intents(self) -> Iterator[tuple[str, Fields]]:
        """The steps begun of rollbacks that have not ended, as committed."""
        for key, steps in self.steps.items():
            if self.rollbacks[key]["status"] == RollbackStatus.RUNNING:
                yield from ((key, step) for step in steps.values() if step["status"] == "BEGUN")
