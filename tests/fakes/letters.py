"""Dead letters in memory."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from msgspec.structs import replace

from shared.errors import Rejected
from shared.messages import Letter


class MemoryLetters:
    """A Letters. `topics` are those that exist, by their full names."""

    def __init__(self, topics: Collection[str]) -> None:
        self.kept: list[Letter] = []
        """What is kept, whether or not somebody has it in hand."""
        self.resent: list[Letter] = []
        """What was published again, as it was."""
        self._topics = topics
        self._in_hand: set[str] = set()
        self._handles = 0

    def keep(self, letter: Letter) -> None:
        """One more letter; it gets a handle."""
        self._handles += 1
        self.kept.append(replace(letter, handle=f"handle-{self._handles}"))

    def pull(self, limit: int) -> list[Letter]:
        """The oldest that nobody has in hand."""
        free = [letter for letter in self.kept if letter.handle not in self._in_hand][:limit]
        self._in_hand.update(letter.handle for letter in free)
        return free

    def resend(self, letter: Letter) -> None:
        """Publish the letter where it came from."""
        if letter.source not in self._topics:
            raise Rejected(f"there is no topic {letter.source}")
        self.resent.append(letter)

    def acknowledge(self, letter: Letter) -> None:
        """The letter is kept no longer."""
        self.kept = [one for one in self.kept if one.handle != letter.handle]

    def put_back(self, letters: Iterable[Letter]) -> None:
        """The letters are in nobody's hand any more."""
        self._in_hand.difference_update(letter.handle for letter in letters)
