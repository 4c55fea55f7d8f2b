"""`rollback parse`: what the responders would make of a message, without sending it."""

import json
import sys
from pathlib import Path
from typing import Annotated

from cli.identity import PolicyFolder
from cli.support.exit_codes import INVALID_USAGE, exit_on
from cli.support.output import AlreadyJson
from cli.support.parameters import argument
from shared.core import pubsub_message
from shared.core.codec import read_object
from shared.core.errors import BadConfiguration, Refused
from shared.domain.policy.system_policy import Policies
from shared.domain.signals import monitoring_notification
from shared.policy_files import loader

STANDARD_INPUT = "-"
NOTHING_KNOWN = dict.fromkeys(("verdict", "incident", "system", "signal", "reason"))


def parse(
    files: Annotated[list[str], argument("FILE...", "JSON files; - is standard input")],
    policies: PolicyFolder = Path("policies"),
    as_json: AlreadyJson = False,
) -> None:
    """Print one line of JSON per FILE: its meaning, and the system that it concerns.

    A FILE holds a notification of Cloud Monitoring, a structured CloudEvent, or a raw Pub/Sub
    push.

    Exit code 0 when every file was processed, refused ones included; 2 when the command or the
    policies are invalid.
    """
    with exit_on(BadConfiguration, INVALID_USAGE):
        known = loader.load_policies(policies)
    for file in files:
        print(json.dumps({"file": file, **_describe_message(file, known)}))


def _describe_message(file: str, policies: Policies) -> dict[str, str | None]:
    try:
        notification = monitoring_notification.parse_notification(_notification(_content(file)))
    except Refused as error:
        return {**NOTHING_KNOWN, "verdict": "refused", "reason": error.reason or None}
    known = {**NOTHING_KNOWN, "verdict": notification.verdict, "incident": notification.incident_id}
    claimed = monitoring_notification.match_policy(notification, policies)
    if claimed is None:
        return {**known, "reason": monitoring_notification.unmatched_reason(notification, policies) or None}
    policy, signal = claimed
    reason = None
    if monitoring_notification.is_of_foreign_project(notification, policy):
        reason = f"foreign: project {notification.project} is not among its alert projects"
    verdict = notification.verdict_after(policy.gates.auto_close)
    return {**known, "verdict": verdict, "system": policy.system, "signal": signal, "reason": reason}


def _content(file: str) -> bytes:
    """Return the file's bytes, or enough to see that it is too long. Raises: Refused."""
    try:
        if file == STANDARD_INPUT:
            return sys.stdin.buffer.read(pubsub_message.MAX_REQUEST_BYTES + 1)
        with Path(file).open("rb") as stream:
            return stream.read(pubsub_message.MAX_REQUEST_BYTES + 1)
    except (OSError, ValueError) as error:
        raise Refused(f"unreadable: {error}") from error


def _notification(content: bytes) -> bytes:
    """Return the notification in a file, unwrapped if need be. Raises: Refused (bad envelope)."""
    document = read_object(content, pubsub_message.MAX_REQUEST_BYTES)
    if "incident" in document:
        return content
    if "specversion" in document or "message" in document:
        return pubsub_message.decode_message({}, content).data
    return content
