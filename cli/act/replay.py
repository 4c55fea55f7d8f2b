"""`rollback replay`: publish refused messages again, after confirmation."""

import json
from collections.abc import Iterator
from dataclasses import KW_ONLY, dataclass, field
from typing import Annotated

import typer
from msgspec.structs import replace

from cli.support.context import connect_wiring
from cli.support.exit_codes import REFUSED
from cli.support.output import escape_control_characters
from cli.support.parameters import flag, option
from shared.core.errors import Ambiguous, Rejected, Unavailable
from shared.core.message_redaction import redact_message
from shared.core.pubsub_message import FIRST_PUBLISHED_AT, REPLAYED_FROM
from shared.core.redaction import REDACTION_MARK, redact_secrets
from shared.ports.messaging import DeadLetter, DeadLetters

MAX_MESSAGES_PER_PULL = 100
MAX_CHARACTERS_SHOWN = 200


def replay(
    topic: Annotated[str, option("TOPIC", "only messages of this topic, by its short name")] = "",
    reason: Annotated[str, option("TEXT", "only messages with this text in their reason")] = "",
    yes: Annotated[bool, flag("--yes", "replay without asking")] = False,
    as_json: Annotated[bool, flag("--json", "print JSON for programs, a line per message")] = False,
) -> None:
    """Show each refused message, ask, publish it again on its topic, then delete the stored one.

    Project and connection are those of the responders: GOOGLE_CLOUD_PROJECT, and
    ROLLBACK_LOCAL_CLOUD or PUBSUB_EMULATOR_HOST for an emulator. Parts that were cut or scrubbed
    stay so. A message keeps its age: a command that has expired is refused once more. A message may
    be published twice when an answer is lost, when this run is killed, or when its question waits
    for longer than ten minutes; each copy has the first id as the attribute replayed_from, and is
    processed once. Messages of another run are not shown; if it was killed, for ten minutes more.

    Exit code 0 when every chosen message was replayed, or there was none; 1 when one could not be,
    or was refused again during this run (it stays stored), or a question was not answered;
    2 when the command or the settings are invalid; 3 when Pub/Sub gives no answer, or refuses;
    130 when it was stopped by Ctrl-C.
    """
    with connect_wiring(lambda _: {}, "stopped here; the other messages stay stored") as (wiring, _):
        replay = Replay(wiring.inspection.dead_letters, topic, reason, yes=yes, as_json=as_json)
        stuck = replay.run()
    if not replay.chosen and not as_json:
        print("no refused message matches" if topic or reason else "no refused message is stored")
    if stuck:
        raise typer.Exit(REFUSED)


@dataclass
class Replay:
    """One pass over all refused messages that are stored."""

    letters: DeadLetters
    topic: str
    reason: str
    _: KW_ONLY
    yes: bool
    as_json: bool
    is_over: dict[tuple[str, str], bool] = field(init=False, default_factory=dict)
    """Whether a message, by its source and id, was replayed; absent: not pulled yet."""
    sent: set[tuple[str, str]] = field(init=False, default_factory=set)
    """The replayed messages, by topic and the id under which each was first published there."""
    chosen: int = field(init=False, default=0)
    """The number of messages that fit the filters, or came back."""

    def run(self) -> int:
        """Return how many chosen messages were not replayed. Raises: Rejected, Unavailable.

        It holds the others until it has pulled all, so that it asks about each message once.
        """
        held: dict[str, DeadLetter] = {}
        stuck = 0
        try:
            for letter in self._pull_messages(held):
                name = letter.source, letter.id
                if name not in self.is_over:
                    chosen = self._is_chosen(letter)
                    self.is_over[name] = chosen and self._replay(letter)
                    stuck += chosen and not self.is_over[name]
                elif self.is_over[name]:  # stored twice, or its lease expired
                    self._acknowledge(letter)
                if self.is_over[name]:
                    del held[letter.handle]
        finally:
            self.letters.release(held.values())
        return stuck

    def _pull_messages(self, held: dict[str, DeadLetter]) -> Iterator[DeadLetter]:
        """Yield and hold every message; pull one by one where each needs an answer."""
        while pulled := self.letters.pull(MAX_MESSAGES_PER_PULL if self.yes else 1):
            held.update({letter.handle: letter for letter in pulled})
            yield from pulled

    def _is_chosen(self, letter: DeadLetter) -> bool:
        """Return whether it fits the filters and is confirmed, or came back in this run."""
        came_back = self._is_returned(letter)
        named = not self.topic or letter.source.rpartition("/")[2] == self.topic
        if not (came_back or (named and self.reason in letter.reason)):
            return False
        self.chosen += 1
        if self.yes and self.as_json:
            return True
        typer.echo(_format_letter(letter), err=self.as_json)
        return (
            came_back
            or self.yes
            or typer.confirm(f"Replay {escape_control_characters(letter.id)}?", err=True)
        )

    def _is_returned(self, letter: DeadLetter) -> bool:
        """Return whether this run has sent it before: sending it again would never end."""
        return (letter.source, _first_id(letter)) in self.sent

    def _replay(self, letter: DeadLetter) -> bool:
        """Replay a message; return whether it is back on its topic."""
        fault = self._resend(letter)
        if not fault:
            self._acknowledge(letter)
        self._print_result(letter, fault)
        return not fault

    def _resend(self, letter: DeadLetter) -> str:
        """Publish it; return why that failed, or ""."""
        if self._is_returned(letter):
            return "it was refused again"
        if not letter.source:
            return "its topic is unknown"
        beginnings = {REPLAYED_FROM: _first_id(letter), FIRST_PUBLISHED_AT: letter.published_at.isoformat()}
        try:
            self.letters.resend(replace(letter, attributes={**letter.attributes, **beginnings}))
        except Rejected as refused:
            return str(refused)
        except Ambiguous as lost:
            raise Ambiguous(f"{letter.id} is stored, and may be replayed as well: {lost}") from lost
        self.sent.add((letter.source, _first_id(letter)))
        return ""

    def _acknowledge(self, letter: DeadLetter) -> None:
        """Delete the stored message, once it was replayed."""
        try:
            self.letters.acknowledge(letter)
        except (Rejected, Unavailable) as failed:
            raise Unavailable(f"{letter.id} is replayed, and may still be stored: {failed}") from failed

    def _print_result(self, letter: DeadLetter, fault: str) -> None:
        if not self.as_json:
            print(f"  not replayed: {escape_control_characters(fault)}" if fault else "  replayed")
            return
        fields = {
            "message_id": letter.id,
            "source_topic": letter.source,
            "published_at": f"{letter.published_at:%Y-%m-%dT%H:%M:%SZ}",
            "reason": redact_secrets(letter.reason),
            "data": _first_characters(letter),
            "scrubbed": REDACTION_MARK.encode() in letter.data,
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
    if REDACTION_MARK.encode() in letter.data:
        lines.append(f"values shown as {REDACTION_MARK} are lost: a command without its token is refused")
    return "\n  ".join(lines)


def _first_characters(letter: DeadLetter) -> str:
    return escape_control_characters(
        redact_message(letter.data).decode(errors="replace")[:MAX_CHARACTERS_SHOWN]
    )
