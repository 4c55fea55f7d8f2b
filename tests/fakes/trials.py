"""The stand in memory: one service beside the functions, whose newest revision is a copy."""

from __future__ import annotations

from datetime import datetime, timedelta

from msgspec import Struct

from shared.errors import Exists, Gone, Moved, Rejected
from shared.ports import Clock
from shared.stand import NEW, OnStand, Outcome, Template, Trial, Verdict
from shared.traffic import Revision
from tests.fakes.hooks import Hook, around, no_hook
from tests.fakes.platform import FakePlatform

TAKES = timedelta(seconds=8)
"""From the request until it is known whether the copy came up."""
DEAD = Outcome(Verdict.FAILED, "The container failed to start.")


class Copy(Struct, frozen=True):
    """One revision of the stand."""

    revision: str
    """Full name of the one that it is made from; empty: somebody else put it there."""
    due_at: datetime
    outcome: Outcome


class FakeTrials:
    """Trials of a platform's revisions.

    Verbs for the hook: trials.found, .template, .begin, .outcome.
    """

    def __init__(
        self, platform: FakePlatform, clock: Clock, hook: Hook = no_hook, *, stand: str = "stand"
    ) -> None:
        self.hook = hook
        self.is_there = True
        self.internal = True
        self.refused: dict[str, str] = {}
        """Why Google does not let it be copied, by revision (short name)."""
        self.unstartable: dict[str, str] = {}
        """Why it does not come up, by revision (short name)."""
        self.copies: dict[str, Copy] = {}
        """By name, the oldest first."""
        self._platform = platform
        self._clock = clock
        self._generation = 1
        self.newest = f"{stand}-{NEW}"

    # the port

    def found(self) -> OnStand:
        """What stands there. Raises: Gone."""
        with around(self.hook, "trials.found"):
            self._require()
            return OnStand(self._etag, self.newest, self.internal)

    def template(self, trial: Trial) -> Template:
        """The name of what is copied. Raises: Gone."""
        with around(self.hook, "trials.template"):
            self._copied(trial.revision)
            return Template(trial.revision.encode())

    def begin(self, trial: Trial, template: Template) -> None:
        """Put a copy there. Raises: Gone, Moved, Exists, Rejected, Throttled."""
        with around(self.hook, "trials.begin"):
            if not trial.etag:
                raise Rejected("a trial needs the etag that was read")
            self._require()
            self._platform.spend()
            copied = self._copied(template.content.decode())
            name = copied.name
            if trial.etag != self._etag:
                raise Moved(f"the stand is not at {trial.etag}")
            if name in self.refused:
                raise Rejected(self.refused[name])
            if trial.name in self.copies:
                raise Exists(f"revision {trial.name} exists")
            self._put(trial.name, Copy(trial.revision, self._now() + TAKES, self._comes_up(copied)))

    def outcome(self, name: str) -> Outcome | None:
        """What came of a copy; None: nothing yet. Raises: Gone."""
        with around(self.hook, "trials.outcome"):
            if name not in self.copies:
                raise Gone(f"the stand has no revision {name}")
            copy = self.copies[name]
            return copy.outcome if copy.due_at <= self._now() else None

    # the world around it

    def change_by_hand(self, name: str) -> None:
        """A person puts a revision of their own there."""
        self._put(name, Copy("", self._now(), Outcome(Verdict.STARTED)))

    def renew(self) -> None:
        """Terraform makes the stand anew."""
        stand, _, _ = next(iter(self.copies)).rpartition("-t")
        self.copies.clear()
        self.newest = f"{stand}-{NEW}"
        self._generation += 1

    @property
    def made(self) -> list[str]:
        """Short name of each revision that a copy was made of, in order."""
        return [one.revision.rpartition("/")[2] for one in self.copies.values() if one.revision]

    # inside

    def _copied(self, revision: str) -> Revision:
        service, _, name = revision.partition("/revisions/")
        live = self._platform.services().values()
        found = next((one.revision(name) for one in live if one.name == service), None)
        if found is None:
            raise Gone(f"there is no revision {revision}")
        return found

    def _comes_up(self, copied: Revision) -> Outcome:
        if copied.name in self.unstartable:
            return Outcome(Verdict.FAILED, self.unstartable[copied.name])
        alive = copied.ready and copied.name not in self._platform.dead_revisions
        return Outcome(Verdict.STARTED) if alive else DEAD

    def _put(self, name: str, copy: Copy) -> None:
        self.copies[name] = copy
        self.newest = name
        self._generation += 1

    def _require(self) -> None:
        if not self.is_there:
            raise Gone("there is no stand")

    @property
    def _etag(self) -> str:
        return f'"stand-{self._generation}"'

    def _now(self) -> datetime:
        return self._clock.now()
