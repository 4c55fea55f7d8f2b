"""`rollback replay`: dead letters go back to where they came from, by a person's word."""

import json
from collections.abc import Iterator
from typing import Annotated

import typer
from msgspec.structs import replace

from cli.support.context import connect_wiring
from cli.support.exit_codes import REFUSED
from cli.support.output import escape_control_characters
from shared.core.errors import Ambiguous, Rejected, Unavailable
from shared.core.message_redaction import redact_message
from shared.core.pubsub_message import FIRST_PUBLISHED_AT, REPLAYED_FROM
from shared.core.redaction import REDACTION_MARK, redact_secrets
from shared.ports.messaging import DeadLetter, DeadLetters

MAX_MESSAGES_PER_PULL = 100
MAX_CHARACTERS_SHOWN = 200


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
    scrubbed when it was kept comes back so. It comes back as old as it is: what may not be done
    late any more is refused once more. A letter may come back twice when an answer is lost, when
    this is killed, or when its question waits for longer than ten minutes; all carry the id of the
    first as the attribute replayed_from, and what that names is done once. What another run has in
    hand is not seen here; it is there again ten minutes after a run that was killed.

    Exit code 0 when every chosen letter was replayed, or there was none; 1 when one could not be,
    or was refused again while this was running (it is still kept), or a question was not answered;
    2 when the command or the settings are not usable; 3 when Pub/Sub gives no answer, or refuses;
    130 when it was stopped by Ctrl-C.
    """
    with connect_wiring(lambda _: {}, "stopped here; the other messages stay stored") as (wiring, _):
        asked = Replay(wiring.inspection.dead_letters, topic, reason, yes=yes, as_json=as_json)
        stuck = asked.run()
    if not asked.found and not as_json:
        print("no dead-letter message matches" if topic or reason else "there is no dead-letter message")
    if stuck:
        raise typer.Exit(REFUSED)


class Replay:
    """One pass over everything that is kept."""

    def __init__(self, letters: DeadLetters, topic: str, reason: str, *, yes: bool, as_json: bool) -> None:
        self._letters = letters
        self._topic = topic
        self._reason = reason
        self._yes = yes
        self._as_json = as_json
        self._is_over: dict[tuple[str, str], bool] = {}
        """Whether a letter, by its source and id, is back; absent: not met yet."""
        self._sent: set[tuple[str, str]] = set()
        """What was sent, by its topic and the id under which it was first published there."""
        self.found = 0
        """Letters that fit the filters, or came back."""

    def run(self) -> int:
        """How many chosen letters are not back. Raises: Rejected, Unavailable.

        What is not replayed stays in hand until all were seen, so that nothing is asked twice.
        """
        in_hand: dict[str, DeadLetter] = {}
        stuck = 0
        try:
            for letter in self._pull_messages(in_hand):
                name = letter.source, letter.id
                if name not in self._is_over:
                    chosen = self._is_chosen(letter)
                    self._is_over[name] = chosen and self._replay(letter)
                    stuck += chosen and not self._is_over[name]
                elif self._is_over[name]:  # kept twice, or still, when it was too long in hand
                    self._acknowledge(letter)
                if self._is_over[name]:
                    del in_hand[letter.handle]
        finally:
            self._letters.release(in_hand.values())
        return stuck

    def _pull_messages(self, in_hand: dict[str, DeadLetter]) -> Iterator[DeadLetter]:
        """Every letter, from then on in hand; one by one where each has to wait for an answer."""
        while pulled := self._letters.pull(MAX_MESSAGES_PER_PULL if self._yes else 1):
            in_hand.update({letter.handle: letter for letter in pulled})
            yield from pulled

    def _is_chosen(self, letter: DeadLetter) -> bool:
        """Whether it fits the filters and a person wants it; what came back is not asked for."""
        came_back = self._is_returned(letter)
        named = not self._topic or letter.source.rpartition("/")[2] == self._topic
        if not (came_back or (named and self._reason in letter.reason)):
            return False
        self.found += 1
        if self._yes and self._as_json:
            return True
        typer.echo(_format_letter(letter), err=self._as_json)
        return (
            came_back
            or self._yes
            or typer.confirm(f"Replay {escape_control_characters(letter.id)}?", err=True)
        )

    def _is_returned(self, letter: DeadLetter) -> bool:
        """Whether this run has sent it before: to send it again would have no end."""
        return (letter.source, _first_id(letter)) in self._sent

    def _replay(self, letter: DeadLetter) -> bool:
        """Whether it is back on its topic, and kept no longer."""
        fault = self._resend(letter)
        if not fault:
            self._acknowledge(letter)
        self._print_result(letter, fault)
        return not fault

    def _resend(self, letter: DeadLetter) -> str:
        """Why it could not be published; "" when it was."""
        if self._is_returned(letter):
            return "it was refused again"
        if not letter.source:
            return "its topic is not known"
        beginnings = {REPLAYED_FROM: _first_id(letter), FIRST_PUBLISHED_AT: letter.published_at.isoformat()}
        try:
            self._letters.resend(replace(letter, attributes={**letter.attributes, **beginnings}))
        except Rejected as refused:
            return str(refused)
        except Ambiguous as lost:
            raise Ambiguous(f"{letter.id} is stored, and may be replayed as well: {lost}") from lost
        self._sent.add((letter.source, _first_id(letter)))
        return ""

    def _acknowledge(self, letter: DeadLetter) -> None:
        """It is kept no longer, once it is back."""
        try:
            self._letters.acknowledge(letter)
        except (Rejected, Unavailable) as failed:
            raise Unavailable(f"{letter.id} is replayed, and may still be stored: {failed}") from failed

    def _print_result(self, letter: DeadLetter, fault: str) -> None:
        if not self._as_json:
            print(f"  not replayed: {escape_control_characters(fault)}" if fault else "  replayed")
            return
        fields = {
            "message_id": letter.id,
            "source_topic": letter.source,
            "published_at": f"{letter.published_at:%Y-%m-%dT%H:%M:%SZ}",
            "reason": redact_secrets(letter.reason),
            "data": _first_characters(letter),
            "scrubbed": _is_scrubbed(letter),
        }
        print(json.dumps({**fields, "replayed": not fault, "fault": fault or None}))


def _first_id(letter: DeadLetter) -> str:
    """The id that its message had when it was first published."""
    return letter.attributes.get(REPLAYED_FROM) or letter.id


def _format_letter(letter: DeadLetter) -> str:
    source = escape_control_characters(letter.source) or "from an unknown topic"
    since = f"{letter.published_at:%Y-%m-%d %H:%M:%S} UTC"
    reason = escape_control_characters(redact_secrets(letter.reason))
    lines = [f"{source} {escape_control_characters(letter.id)} of {since}", reason, _first_characters(letter)]
    if _is_scrubbed(letter):
        lines.append(f"values shown as {REDACTION_MARK} are lost: a command without its token is refused")
    return "\n  ".join(lines)


def _is_scrubbed(letter: DeadLetter) -> bool:
    return REDACTION_MARK.encode() in letter.data


def _first_characters(letter: DeadLetter) -> str:
    return escape_control_characters(
        redact_message(letter.data).decode(errors="replace")[:MAX_CHARACTERS_SHOWN]
    )
