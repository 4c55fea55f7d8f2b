"""Dead letters in memory."""

from collections.abc import Collection, Iterable

from msgspec.structs import replace

from shared.core.errors import Rejected
from shared.ports.messaging import DeadLetter
from tests.support.fakes.pubsub.bus import MESSAGE_LIMIT_BYTES


class MemoryLetters:
    """A Letters. `topics` are those that exist, by their full names."""

    def __init__(self, topics: Collection[str]) -> None:
        self.kept: list[DeadLetter] = []
        """What is kept, whether or not somebody has it in hand."""
        self.resent: list[DeadLetter] = []
        """What was published again, as it was."""
        self._topics = topics
        self._in_hand: dict[str, DeadLetter] = {}
        """By the handle that it was pulled with."""
        self._handles = 0

    def keep(self, letter: DeadLetter) -> None:
        """One more letter."""
        self.kept.append(letter)

    def pull(self, limit: int) -> list[DeadLetter]:
        """The oldest that nobody has in hand."""
        held = [id(letter) for letter in self._in_hand.values()]
        free = [letter for letter in self.kept if id(letter) not in held][:limit]
        return [self._handed_out(letter) for letter in free]

    def resend(self, letter: DeadLetter) -> None:
        """Publish the letter where it came from."""
        if letter.source not in self._topics:
            raise Rejected(f"there is no topic {letter.source}")
        if len(letter.data) >= MESSAGE_LIMIT_BYTES:
            raise Rejected("a message is larger than 10 MB")
        self.resent.append(letter)

    def acknowledge(self, letter: DeadLetter) -> None:
        """The letter is kept no longer, while it is in hand by that handle."""
        done = self._in_hand.pop(letter.handle, None)
        self.kept = [one for one in self.kept if one is not done]

    def release(self, letters: Iterable[DeadLetter]) -> None:
        """The letters are in nobody's hand any more."""
        for letter in letters:
            self._in_hand.pop(letter.handle, None)

    def lapse(self) -> None:
        """Whatever was in hand was there for too long."""
        self._in_hand.clear()

    def _handed_out(self, letter: DeadLetter) -> DeadLetter:
        self._handles += 1
        handle = f"handle-{self._handles}"
        self._in_hand[handle] = letter
        return replace(letter, handle=handle)
