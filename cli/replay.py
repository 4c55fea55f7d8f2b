"""`rollback replay`: dead letters go back to where they came from, by a person's word."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Annotated, Any

import typer
from msgspec.structs import replace

from cli.screen import printable
from cli.wired import NO, NO_ANSWER, UNUSABLE, leaving
from shared.errors import BadConfiguration, Rejected, Unavailable
from shared.messages import Letter, Letters
from shared.redaction import without_secrets
from shared.scrubbing import scrubbed
from shared.settings import Settings
from shared.wiring import Wiring

PULLED_AT_ONCE = 100
SHOWN = 200
"""Signs of a message that are shown."""
REPLAYED_FROM = "replayed_from"
"""The attribute that names the message that came back."""


def replay(
    topic: Annotated[
        str, typer.Option(metavar="TOPIC", help="only letters from this topic, by its short name")
    ] = "",
    reason: Annotated[
        str, typer.Option(metavar="TEXT", help="only letters whose reason holds this text")
    ] = "",
    yes: Annotated[bool, typer.Option("--yes", help="replay without asking")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="print JSON for programs, a line per letter")
    ] = False,
) -> None:
    """Show each dead letter, ask, publish it again on its source topic, and only then let it go.

    Project and connection are those of the responders: GOOGLE_CLOUD_PROJECT, and
    ROLLBACK_LOCAL_CLOUD or PUBSUB_EMULATOR_HOST where they are not Google's. What was cut or
    scrubbed when it was kept comes back so. A letter may come back twice when the answer to its
    publishing is lost; both carry its id as the attribute replayed_from.

    Exit code 0 when every chosen letter was replayed, or there was none; 1 when one could not be
    (it is still kept), or the answer is no; 2 when the command or the settings are not usable; 3
    when Pub/Sub gives no answer.
    """
    try:
        settings = Settings.from_mapping(os.environ)
        wiring = Wiring(settings, {}, deployed="K_SERVICE" in os.environ)
        letters = wiring.letters
    except BadConfiguration as error:
        raise leaving(UNUSABLE, str(error)) from error
    try:
        asked = Replay(letters, topic, reason, yes=yes, as_json=as_json)
        stuck = asked.run()
    except Rejected as error:
        raise leaving(NO, str(error)) from error
    except Unavailable as error:
        raise leaving(NO_ANSWER, f"no answer: {error}") from error
    finally:
        wiring.close()
    if not asked.found and not as_json:
        print("no dead letter of that kind is kept" if topic or reason else "none is kept")
    if stuck:
        raise typer.Exit(NO)


class Replay:
    """One pass over everything that is kept."""

    def __init__(
        self, letters: Letters, topic: str, reason: str, *, yes: bool, as_json: bool
    ) -> None:
        self._letters = letters
        self._topic = topic
        self._reason = reason
        self._yes = yes
        self._as_json = as_json
        self.found = 0
        """Letters that fit the filters."""

    def run(self) -> int:
        """How many chosen letters could not be replayed. Raises: Rejected, Unavailable.

        What is not replayed stays in hand until all were seen, so that nothing is asked twice.
        """
        in_hand: dict[str, Letter] = {}
        stuck = 0
        try:
            for letter in self._each(in_hand):
                if not self._chosen(letter):
                    continue
                if self._replay(letter):
                    del in_hand[letter.handle]
                else:
                    stuck += 1
        finally:
            self._letters.put_back(in_hand.values())
        return stuck

    def _each(self, in_hand: dict[str, Letter]) -> Iterator[Letter]:
        """Every letter once, from then on in hand."""
        while pulled := self._letters.pull(PULLED_AT_ONCE):
            in_hand.update({letter.handle: letter for letter in pulled})
            yield from pulled

    def _chosen(self, letter: Letter) -> bool:
        """Whether it fits the filters and a person wants it back."""
        named = not self._topic or letter.source.rpartition("/")[2] == self._topic
        if not (named and self._reason in letter.reason):
            return False
        self.found += 1
        if self._yes and self._as_json:
            return True
        typer.echo(_shown(letter), err=self._as_json)
        return self._yes or typer.confirm(f"Replay {printable(letter.id)}?", err=True)

    def _replay(self, letter: Letter) -> bool:
        """Whether it is back on its topic, and kept no longer."""
        fault = self._resent(letter)
        if not fault:
            self._letters.acknowledge(letter)
        self._tell(letter, fault)
        return not fault

    def _resent(self, letter: Letter) -> str:
        """Why it could not be published; "" when it was."""
        if not letter.source:
            return "nothing tells where it came from"
        marked = {**letter.attributes, REPLAYED_FROM: letter.id}
        try:
            self._letters.resend(replace(letter, attributes=marked))
        except Rejected as refused:
            return str(refused)
        return ""

    def _tell(self, letter: Letter, fault: str) -> None:
        if self._as_json:
            print(json.dumps({**_described(letter), "replayed": not fault, "fault": fault or None}))
        else:
            print(f"  not replayed: {printable(fault)}" if fault else "  replayed")


def _described(letter: Letter) -> dict[str, Any]:
    return {
        "message_id": letter.id,
        "source_topic": letter.source,
        "reason": without_secrets(letter.reason),
        "data": _beginning(letter),
    }


def _shown(letter: Letter) -> str:
    source = printable(letter.source) or "from an unknown topic"
    reason = printable(without_secrets(letter.reason))
    return f"{source} {printable(letter.id)}\n  {reason}\n  {_beginning(letter)}"


def _beginning(letter: Letter) -> str:
    """The first of its data, without the values of token fields."""
    return printable(scrubbed(letter.data).decode(errors="replace")[:SHOWN])
