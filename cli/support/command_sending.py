"""A command on its way: checked here, published, and its answer waited for."""

import getpass
import json
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import Annotated, Any

import typer

from cli.support.context import Operations, open_operations
from cli.support.exit_codes import INVALID_USAGE, NO_ANSWER, REFUSED, create_exit, exit_on
from cli.support.output import print_json, print_line
from cli.support.parameters import argument, option
from cli.support.session import fresh_token, require_session
from responders.support.command_handler import CommandRequest
from shared.core import topics
from shared.core.codec import FrozenStruct
from shared.core.errors import Refused
from shared.domain.commands import command as commands
from shared.domain.commands.credential import TOKEN_KEY
from shared.domain.rollback.rollback import RollbackRequest

ANSWER_TIMEOUT_SECONDS = 60.0
POLL_INTERVAL_SECONDS = 0.5

without_sign_in: ContextVar[bool] = ContextVar("without sign-in", default=False)
"""Whether this run of the command line speaks where IAM alone guards."""

Reason = Annotated[str, option("TEXT", "why; stored in the audit log")]
Incident = Annotated[str, argument("INCIDENT", "its public id, INC-…")]
CommandContent = Mapping[str, Any]
"""The fields of a command as its message has them; unset ones are left out when it is sent."""


class CommandReply(FrozenStruct):
    """The responders' answer to a command."""

    command: str
    accepted: bool
    text: str
    """The result in words, or every fault."""
    incident: str = ""
    """The one that it opened or concerns."""


def require_sender() -> None:
    """Exit before any question, when nobody is signed in who could send a command."""
    if not without_sign_in.get():
        require_session()


def send(ours: Operations, content: CommandContent) -> CommandReply:
    """Publish a signed command, and return its answer.

    Exits as `check_command`, when nobody is signed in, and when no answer comes in time.
    """
    command = check_command(ours, content).id
    said = {**_drop_unset_options(content), "id": command}
    topic = topics.COMMANDS
    if without_sign_in.get():
        topic = topics.OVERRIDE
        said["actor"] = getpass.getuser()
    else:
        said[TOKEN_KEY] = fresh_token()
    return _await_answer(ours, command, topic, ours.wiring.bus.publish(topic, json.dumps(said).encode()))


def check_command(ours: Operations, content: CommandContent) -> commands.Command:
    """The command as the responders will read it, with an id of its own.

    Exits when it is faulty, with every fault.
    """
    said = json.dumps(_drop_unset_options(content)).encode()
    with exit_on(Refused, INVALID_USAGE):
        return commands.parse_command(said, ours.wiring.ids(), ours.policies)


def build_order(
    ours: Operations, content: CommandContent, build: Callable[[CommandRequest], RollbackRequest]
) -> tuple[commands.Command, RollbackRequest]:
    """Return a command and the order that the responders would build; exits with their refusal."""
    command, now = check_command(ours, content), ours.wiring.clock.now()
    with exit_on(Refused, REFUSED, "refused: "):
        return command, build(CommandRequest(command, now, ours.wiring, ours.policies))


def send_command(
    verb: str, reason: str, system: str, as_json: bool, *, everything: bool = False, **more: Any
) -> None:
    """Send a command about a system, or about all of them, and print the answer."""
    if everything and system:
        raise create_exit(INVALID_USAGE, "either --system or --all")
    with open_operations() as ours:
        named = "" if everything else ours.declared_policy(system).system
        answer = send(ours, {"command": verb, "system": named, "reason": reason, **more})
    conclude_command(answer, as_json)


def conclude_command(answer: CommandReply, as_json: bool) -> None:
    """Print an answer; exits with 1 where it is no."""
    if as_json:
        print_json(answer)
    else:
        print_line(answer.text if answer.accepted else f"refused: {answer.text}")
    if not answer.accepted:
        raise typer.Exit(REFUSED)


def _drop_unset_options(content: CommandContent) -> dict[str, Any]:
    given = {
        key: value for key, value in content.items() if value not in (None, "", []) and value is not False
    }
    return {"version": 1, **given}


def _await_answer(ours: Operations, command: str, topic: str, message: str) -> CommandReply:
    """Return the answer to a command by its id, or to its message where that was refused."""
    clock = ours.wiring.clock
    give_up_at = clock.monotonic() + ANSWER_TIMEOUT_SECONDS
    while True:
        record = ours.reading.command(command)
        if record is not None and not record.is_undecided:
            return CommandReply(command, not record.answer.get("refused"), record.result, record.incident)
        refused = ours.reading.refusal(topic, message)
        if refused is not None:
            return CommandReply(command, accepted=False, text=refused)
        if clock.monotonic() >= give_up_at:
            break
        clock.sleep(POLL_INTERVAL_SECONDS)
    raise create_exit(
        NO_ANSWER,
        f"published as message {message}, and no answer in {ANSWER_TIMEOUT_SECONDS:.0f} s: "
        f"`rollback audit show` lists command {command} if it was executed",
    )
