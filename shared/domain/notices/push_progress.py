"""How far a notice has come with users' devices and addresses: counted, nobody named. Pure.

The users are read as they were at one moment, so that each attempt finds the same devices in the
same order, and a place in that order is all that needs to be kept of a device.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from enum import StrEnum

from msgspec.structs import replace

from shared.core.codec import FrozenStruct
from shared.core.text import count_noun

MAX_DEVICES_PER_BATCH = 100
"""Messages that are handed over together, and at most repeated after a death. Firebase takes 500
(https://firebase.google.com/docs/cloud-messaging/send/admin-sdk, read 2026-11); its client keeps
100 connections."""


class PushResult(StrEnum):
    """What becomes of the message to one device."""

    TAKEN = "taken"
    GONE = "gone"
    """The token leads nowhere (any more), or to somebody who was erased: not asked then."""
    REFUSED = "refused"
    NONE = "none"
    """No answer: tried again."""


class PushProgress(FrozenStruct):
    """How far one notice has come."""

    at: datetime
    """The moment at which the users are read."""
    before: datetime | None = None
    """The moment at which it is also read whose documents are; None: at no other one."""
    is_looked_up: bool = False
    """Whether the users have been read: each further attempt finds the same ones."""
    users: int = 0
    beyond: int = 0
    """Who are not, because they are more than the channel may tell."""
    unknown: int = 0
    """Documents that concern somebody, and it is not known whom."""
    devices: int = 0
    upto: int = 0
    """Devices before this place had their turn."""
    again: tuple[int, ...] = ()
    """Places of those among them that gave no answer."""
    taken: int = 0
    gone: int = 0
    refused: int = 0
    is_begun: bool = False
    """Whether the next batch may have left already."""

    @property
    def undelivered(self) -> int:
        """Devices that had no turn, or gave no answer."""
        return self.devices - self.upto + len(self.again)

    @property
    def is_incomplete(self) -> bool:
        """Return whether somebody was not told; dead tokens count if no device took it."""
        left_out = self.beyond or self.unknown or self.undelivered or self.refused
        return bool(left_out or (self.gone and not self.taken))

    def __str__(self) -> str:
        counts = {
            "accepted": self.taken,
            "lead nowhere any more": self.gone,
            "refused": self.refused,
            "not reached": self.undelivered,
        }
        told = ", ".join(f"{what}: {number}" for what, number in counts.items() if number)
        beyond = f"; users beyond at_most, not told: {self.beyond}" if self.beyond else ""
        unknown = f"; documents of nobody known: {self.unknown}" if self.unknown else ""
        return f"{count_noun(self.users, 'user')}: {told or 'no device or address'}{beyond}{unknown}"


def begin_batch(spread: PushProgress | None, now: datetime) -> PushProgress:
    """The spread once the next batch is about to leave."""
    return replace(spread or PushProgress(now.replace(second=0, microsecond=0)), is_begun=True)


def record_batch(
    spread: PushProgress, turn: Sequence[int], fates: Iterable[PushResult], *, goes_on: bool
) -> PushProgress:
    """The spread after one batch; `goes_on`: the next one is about to leave."""
    known = dict(zip(turn, fates, strict=True))
    counts = {fate: list(known.values()).count(fate) for fate in PushResult}
    silent = [place for place, fate in known.items() if fate is PushResult.NONE]
    again = sorted({*spread.again} - known.keys() | {*silent})
    return replace(
        spread,
        upto=max(spread.upto, max(turn) + 1),
        again=tuple(again),
        taken=spread.taken + counts[PushResult.TAKEN],
        gone=spread.gone + counts[PushResult.GONE],
        refused=spread.refused + counts[PushResult.REFUSED],
        is_begun=goes_on or bool(again),
    )
