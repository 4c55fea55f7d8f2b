"""The entry points: decode a request, call its responder, and answer.

They are plain HTTP functions: the framework's CloudEvent signature loses fields and answers 400 by
itself. Pub/Sub takes 2xx as an acknowledgement and redelivers everything else.

    returned                acknowledged: done, or waiting by due_at
    Refused                 audited, dead-lettered, acknowledged: a repetition would not help
    LostRollback            acknowledged: another worker holds it
    RejectedPush            403, audited: not proven to come from our own subscription; redelivered
    any other failure       503, redelivered

Permissions: `shared.adapters.gcp.permissions`. Topics: `shared.core.topics`.
"""

from __future__ import annotations

import hashlib
import os
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from shared.core import log, topics
from shared.core.errors import LostRollback, Refused, RollbackError
from shared.core.lazy import creation_lock
from shared.core.pubsub_message import MESSAGE_ID_PATTERN, PubSubMessage, Undecodable, decode_message
from shared.wiring.settings import Settings

if TYPE_CHECKING:
    from flask import Request

    from responders.support.published_policies import PolicySet, PublishedPolicies
    from responders.triggers.console import ConsoleTrigger
    from responders.triggers.registry import Trigger
    from shared.wiring.adapters import Wiring

ACKNOWLEDGED = ("", 204)
REDELIVER = ("", 503)
FORBIDDEN = ("", 403)
FORM_LIMIT = 100_000
"""Bytes of a form that are read: ours are far smaller, and it takes 32 times its size of memory."""


def on_alert(request: Request) -> tuple[str, int]:
    """Record an alert and open or join its incident.

    Trigger: push from rollback-alerts: notifications of Cloud Monitoring, security findings.
    A redelivery finds the alert recorded and republishes its work.
    """
    return _answer(request, "on_alert")


def on_command(request: Request) -> tuple[str, int]:
    """Carry out an operator command once by its id.

    Trigger: push from rollback-commands.
    A redelivery changes nothing and republishes the work of the command.
    """
    return _answer(request, "on_command")


def on_override(request: Request) -> tuple[str, int]:
    """Carry out an operator command that has no token, once by its id, when sign-in is down.

    Trigger: push from rollback-override, on which IAM alone says who may publish.
    A redelivery changes nothing and republishes the work of the command.
    """
    return _answer(request, "on_override")


def on_clock(request: Request) -> tuple[str, int]:
    """Publish the work that is due, run the probes, and start the periodic jobs.

    Trigger: push from rollback-clock, each minute from each of two regions.
    A run polls twice, half a minute apart; it can take two minutes.
    A redelivery does the half minutes that no run has claimed.
    """
    return _answer(request, "on_clock")


def on_deployment(request: Request) -> tuple[str, int]:
    """Record deployments, check for regressions, and check that each can be restored.

    Trigger: push from rollback-deployments: announcements of CI, audit log entries, due checks.
    The inventory of the application is the fact; a message is only a hint.
    A redelivery finds the deployment recorded, or the check no longer due.
    """
    return _answer(request, "on_deployment")


def on_work(request: Request) -> tuple[str, int]:
    """Decide on a rollback and execute it until it waits or ends.

    Trigger: push from rollback-work, one request at a time for each instance.
    Also continues commands of several parts and files incident reports.
    A redelivery takes over at once where the first delivery crashed; another worker waits for
    the lease.
    """
    return _answer(request, "on_work")


def on_notice(request: Request) -> tuple[str, int]:
    """Send one notice to one channel, or write the status page of one system.

    Trigger: push from rollback-notices.
    A redelivery does not send a notice again; it writes a status page again.
    """
    return _answer(request, "on_notice")


def console(request: Request) -> tuple[bytes, int, dict[str, str]]:
    """Serve the operator console; publish each form as a command of the operator.

    Trigger: HTTPS, from browsers of operators who sign in.
    A form that is submitted twice is one command.
    """
    from shared.domain.presentation.console_http import ConsoleRequest

    request.max_content_length = FORM_LIMIT
    visit = ConsoleRequest(
        method="GET" if request.method == "HEAD" else request.method,
        path=request.path,
        query=request.args.to_dict(),
        form=request.form.to_dict() if request.method == "POST" else {},
        cookies=request.cookies,
        headers={name.lower(): value for name, value in request.headers.items()},
    )
    traced = log.trace_fields(dict(request.headers), os.environ.get("GOOGLE_CLOUD_PROJECT", ""))
    with log.context(responder="console", **traced):
        in_force = _policies_in_force()
        with creation_lock:
            answering = _console(in_force)
        page = answering.answer(visit)
    return page.body, int(page.status), dict(page.headers)


def _answer(request: Request, entry_point: str) -> tuple[str, int]:
    """Return the answer to Pub/Sub: the one place where an error becomes a redelivery."""
    traced = log.trace_fields(dict(request.headers), os.environ.get("GOOGLE_CLOUD_PROJECT", ""))
    responder = topics.ENTRY_POINTS[entry_point][0].removeprefix("rollback-")
    message = PubSubMessage("", "", b"", {}, None)
    with log.context(responder=responder, **traced):
        try:
            with creation_lock:
                from responders.support.push_authentication import (
                    RejectedPush,
                    authenticate_push,
                    require_own_topic,
                )

                wiring = _wiring()
            headers, body, expected = dict(request.headers), request.get_data(), wiring.push_identity
            try:
                authenticate_push(headers, entry_point, expected, wiring)
                message = _identified(decode_message(headers, body, request.full_path))
                require_own_topic(message, entry_point, expected)
                with log.context(message_id=message.id, topic=message.topic):
                    in_force = _policies_in_force()
                    with creation_lock:
                        trigger = _trigger(entry_point, in_force)
                    trigger.receive(message)
            except RejectedPush as rejected:
                _report_rejected_push(entry_point, message.topic, rejected.reason)
                return FORBIDDEN
            except Undecodable as undecodable:
                message = replace(message, id=undecodable.message_id, topic=undecodable.topic, data=body)
                _refuse(message, undecodable.reason)
            except Refused as refused:
                _refuse(message, refused.reason)
        except LostRollback as lost:
            log.write("WARNING", f"lost: {lost}", message_id=message.id)
        except RollbackError as failure:
            kind = type(failure).__name__
            log.write("ERROR", f"{kind}: {failure}", message_id=message.id, topic=message.topic)
            return REDELIVER
    return ACKNOWLEDGED


def _report_rejected_push(entry_point: str, topic: str, reason: str) -> None:
    """Log the push that is rejected, and record it in the audit log."""
    from responders.support.push_authentication import REJECTED_EVENT, record_rejected_push

    fields = {"event": REJECTED_EVENT, "entry_point": entry_point, "topic": topic, "reason": reason}
    log.write("ERROR", f"push rejected: {reason}", **fields)
    record_rejected_push(entry_point, topic, reason, _wiring())


def _refuse(message: PubSubMessage, reason: str) -> None:
    """Audit the refusal and dead-letter the message."""
    known = _identified(message)
    log.write("WARNING", f"refused: {reason}", message_id=known.id, topic=known.topic)
    policies = _policies_in_force().policies
    with creation_lock:
        from responders.support.dead_letters import dead_letter_message
    dead_letter_message(known, reason, _wiring(), next(iter(policies.values()), None))


def _identified(message: PubSubMessage) -> PubSubMessage:
    """Return the message, with a hash of its data as the id where it has no valid one."""
    if MESSAGE_ID_PATTERN.fullmatch(message.id):
        return message
    return replace(message, id=hashlib.sha256(message.data).hexdigest())


@lru_cache(maxsize=len(topics.ENTRY_POINTS))
def _trigger(entry_point: str, known: PolicySet) -> Trigger:
    """Return the trigger of an entry point, built for the first message under these policies."""
    from responders.triggers.registry import TRIGGERS

    return TRIGGERS[entry_point](_wiring(), known.policies)


@lru_cache(maxsize=1)
def _console(known: PolicySet) -> ConsoleTrigger:
    from responders.triggers.console import ConsoleTrigger

    return ConsoleTrigger(_wiring(), known.policies)


def _policies_in_force() -> PolicySet:
    """Return the policies that a handler that begins now keeps to its end."""
    with creation_lock:
        published = _published_policies(_wiring())
    return published.current()


@lru_cache(maxsize=1)
def _published_policies(wiring: Wiring) -> PublishedPolicies:
    from responders.support.published_policies import PublishedPolicies

    return PublishedPolicies(wiring)


@cache
def _wiring() -> Wiring:
    from shared.policy_files.loader import load_policies
    from shared.wiring.adapters import Wiring

    settings = Settings.from_mapping(os.environ)
    return Wiring(settings, load_policies(Path(settings.policies)), deployed="K_SERVICE" in os.environ)
