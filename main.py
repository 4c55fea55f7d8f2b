"""The entry points: a request is decoded, its responder acts, and this decides what is answered.

Plain HTTP functions, because the framework's own CloudEvent signature loses fields and answers 400
by itself. Pub/Sub takes 2xx as an acknowledgement and redelivers everything else.

    returned                acknowledged: done, or waiting by due_at
    Refused                 audited, dead-lettered, acknowledged: no repetition would help
    LostRollback            acknowledged: another worker holds it
    any other failure       503, redelivered

What each of those needs: the state database (`shared.gcp.store.PERMISSIONS`), and to publish on the
topics that it names (`shared.gcp.bus.PERMISSIONS`); what it needs beyond that stands in its
docstring.
"""

from __future__ import annotations

import hashlib
import os
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from msgspec.structs import replace

from shared.core import log
from shared.core.errors import LostRollback, Refused, RollbackError
from shared.core.lazy import making
from shared.settings import Settings
from shared.state.envelope import NAME, Message, Undecodable, decode

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from flask import Request

    from responders.console import Console
    from shared.domain.policy.model import Policy
    from shared.wiring import Wiring

ACKNOWLEDGED = ("", 204)
REDELIVER = ("", 503)
FORM_LIMIT = 100_000
"""Bytes of a form that are read: ours are far smaller, and it takes 32 times its size of memory."""


class Responder(Protocol):
    """What acts on a message."""

    def receive(self, message: Message) -> None:
        """Return when all is committed and published."""
        ...


def on_alert(request: Request) -> tuple[str, int]:
    """Record a Cloud Monitoring notification and open or join its incident.

    Trigger: push from rollback-alerts. Publishes on rollback-work, -notices and -dead-letters.
    A redelivery finds its key and republishes what is due.
    """
    return _answer(request, "alerts")


def on_command(request: Request) -> tuple[str, int]:
    """Carry out what a person asks for, once by its id.

    Trigger: push from rollback-commands, and from rollback-override. Publishes on rollback-work,
    -deployments, -notices and -dead-letters; looks up who speaks, in the identity project
    (`shared.gcp.identity.PERMISSIONS`), and what data can be brought back to, in applications that
    admit copies (`shared.gcp.backups.PAST_PERMISSIONS`).
    A redelivery changes nothing and republishes what is due.
    """
    return _answer(request, "commands")


def on_clock(request: Request) -> tuple[str, int]:
    """Hand on whatever is due and look through the probes, now and half a minute later.

    Trigger: push from rollback-clock, each minute; takes up to two, several at a time.
    Publishes on rollback-work, -deployments, -notices and -dead-letters; asks the probes' addresses
    on the internet, and reads the secrets of the test accounts among them
    (`shared.gcp.secret_values.PERMISSIONS`); creates objects in the audit bucket (the first of
    `shared.gcp.objects.PERMISSIONS`).
    Exports and watches databases in applications that are backed up
    (`shared.gcp.exports.PERMISSIONS`, `shared.gcp.backups.PERMISSIONS`); reads, and writes what was
    live, in the export buckets (`shared.gcp.mirrors.SOURCE_PERMISSIONS`,
    `shared.gcp.mirrors.WRITE_PERMISSIONS`) and copies in the second buckets
    (`shared.gcp.mirrors.TARGET_PERMISSIONS`).
    Restores and looks through backups in applications whose backups are proven
    (`shared.gcp.restores.PERMISSIONS`, `shared.gcp.restores.SCRATCH_PERMISSIONS`,
    `shared.gcp.documents.PERMISSIONS`).
    Makes and looks through copies in applications that admit copies
    (`shared.gcp.restores.PERMISSIONS`, `shared.gcp.restores.CLONE_PERMISSIONS`,
    `shared.gcp.restores.SCRATCH_PERMISSIONS`, `shared.gcp.documents.PERMISSIONS`).
    Looks through data in applications that declare collections
    (`shared.gcp.documents.PERMISSIONS`), and at files in applications whose documents name files
    (`shared.gcp.media.PERMISSIONS`).
    Looks at buckets and topics in applications that declare assets
    (`shared.gcp.provisions.PERMISSIONS`).
    A redelivery sweeps what was not swept.
    """
    return _answer(request, "clock")


def on_deployment(request: Request) -> tuple[str, int]:
    """Record deployments from what is really live, judge them, and prove what going back needs.

    Trigger: push from rollback-deployments: announcements, audit entries as hints, what is due.
    Publishes on rollback-notices and -dead-letters; asks the probes' addresses on the internet, and
    reads the secrets of the test accounts among them (`shared.gcp.secret_values.PERMISSIONS`);
    reads functions, services and revisions (`shared.gcp.platform.INVENTORY_PERMISSIONS`), who may
    call them (`shared.gcp.platform.INVOKERS_PERMISSIONS`), what functions are configured with
    (`shared.gcp.platform.VALUES_PERMISSIONS`) and built from (`shared.gcp.vault.COPY_PERMISSIONS`),
    which images (`shared.gcp.images.PERMISSIONS`) and runtimes (`shared.gcp.runtimes.PERMISSIONS`)
    there are, what routers counted (`shared.gcp.metrics.PERMISSIONS`), and what a system has beside
    its functions (`shared.gcp.accounts.PERMISSIONS`, `shared.gcp.hosting.PERMISSIONS`,
    `shared.gcp.identity_config.PERMISSIONS`, `shared.gcp.indexes.PERMISSIONS`,
    `shared.gcp.remote_config.PERMISSIONS`, `shared.gcp.rules.PERMISSIONS`,
    `shared.gcp.schedules.PERMISSIONS`, `shared.gcp.secrets.PERMISSIONS`).
    Keeps, and lets go, what functions are built from in the sources bucket
    (`shared.gcp.vault.KEEPER_PERMISSIONS`), and the values of their variables in the values bucket
    (`shared.gcp.vault.KEEPER_PERMISSIONS`).
    A redelivery finds it recorded, or no longer due.
    """
    return _answer(request, "deployments")


def on_work(request: Request) -> tuple[str, int]:
    """Decide a rollback, or carry it forward, until it waits or ends.

    Trigger: push from rollback-work, one request at a time.
    Publishes on rollback-work, -notices and -dead-letters; needs `shared.gcp.platform.PERMISSIONS`,
    `shared.gcp.builder.PERMISSIONS`, `shared.gcp.metrics.PERMISSIONS`,
    `shared.gcp.images.PERMISSIONS` and `shared.gcp.alerts.PERMISSIONS`; reads what it builds from
    in the sources bucket (`shared.gcp.vault.READ_PERMISSIONS`) and, alone, in the values bucket
    (`shared.gcp.vault.READ_PERMISSIONS`); holds in the export buckets
    (`shared.gcp.mirrors.HOLD_PERMISSIONS`) and in the second buckets
    (`shared.gcp.mirrors.HOLD_PERMISSIONS`) what a person wants kept; brings back what a system has
    beside its functions (`shared.gcp.hosting.WRITE_PERMISSIONS`,
    `shared.gcp.identity_config.WRITE_PERMISSIONS`, `shared.gcp.indexes.WRITE_PERMISSIONS`,
    `shared.gcp.remote_config.WRITE_PERMISSIONS`, `shared.gcp.rules.WRITE_PERMISSIONS`).
    Looks through data, and back at what they were, and writes documents back that have not expired,
    in applications that declare collections (`shared.gcp.documents.PERMISSIONS`,
    `shared.gcp.backups.PAST_PERMISSIONS`, `shared.gcp.indexes.PERMISSIONS`,
    `shared.gcp.triggers.PERMISSIONS`, `shared.gcp.rewrites.PERMISSIONS`), with a copy in the
    quarantine bucket (`shared.gcp.vault.QUARANTINE_PERMISSIONS`);
    looks at files in applications whose documents name files (`shared.gcp.media.PERMISSIONS`).
    Ends sessions (`shared.gcp.sessions.PERMISSIONS`); asks the probes' addresses on the internet,
    and reads the secrets of the test accounts among them (`shared.gcp.secret_values.PERMISSIONS`);
    asks, in applications that make data again (`shared.gcp.bus.PERMISSIONS`), on the topics that
    their policies declare.
    A redelivery takes over at once where its first delivery died; any other worker waits for the
    lease.
    """
    return _answer(request, "work")


def on_notice(request: Request) -> tuple[str, int]:
    """Say one notice to one channel, or write the status page of one system.

    Trigger: push from rollback-notices.
    Publishes on rollback-notices and -dead-letters; writes objects in the status bucket
    (`shared.gcp.pages.PERMISSIONS`); pushes to users in applications that have such a channel
    (`shared.gcp.push.PERMISSIONS`), whom it looks up in applications whose channels look users up
    (`shared.gcp.documents.PERMISSIONS`), and reads the secrets that channels name
    (`shared.gcp.secret_values.PERMISSIONS`).
    A redelivery of a notice that was said does nothing; one of a page writes it again.
    """
    return _answer(request, "notices")


def console(request: Request) -> tuple[bytes, int, dict[str, str]]:
    """Show operators what is, and publish what they ask for, as commands.

    Trigger: HTTPS, by browsers of people who sign in. Reads the state database; publishes on
    rollback-commands, in the operator's name; looks up who they are, in the identity project
    (`shared.gcp.identity.PERMISSIONS`); says that it speaks by a token of its own account
    (`shared.gcp.voice.PERMISSIONS`); reads heads in the audit bucket
    (`shared.gcp.objects.READ_PERMISSIONS`).
    A form that is sent twice is one command; of one that is too large no more is read than of any.
    """
    from shared.domain.presentation.console_http import Visit

    request.max_content_length = FORM_LIMIT
    visit = Visit(
        method="GET" if request.method == "HEAD" else request.method,
        path=request.path,
        query=request.args.to_dict(),
        form=request.form.to_dict() if request.method == "POST" else {},
        cookies=request.cookies,
        headers={name.lower(): value for name, value in request.headers.items()},
    )
    traced = log.traced(dict(request.headers), os.environ.get("GOOGLE_CLOUD_PROJECT", ""))
    with log.context(responder="console", **traced):
        with making:
            answering = _console()
        page = answering.answer(visit)
    return page.body, int(page.status), dict(page.headers)


def _answer(request: Request, trigger: str) -> tuple[str, int]:
    """What Pub/Sub is told: the one place where an error becomes a redelivery."""
    traced = log.traced(dict(request.headers), os.environ.get("GOOGLE_CLOUD_PROJECT", ""))
    with log.context(responder=trigger, **traced):
        return _answered(request, trigger)


def _answered(request: Request, trigger: str) -> tuple[str, int]:
    """As `_answer`; each line that is logged carries what the request is about."""
    message = Message("", "", b"", {}, None)
    try:
        body = request.get_data()
        try:
            message = _identified(decode(dict(request.headers), body, request.full_path))
            with log.context(message_id=message.id, topic=message.topic):
                with making:
                    responder = _responder(trigger)
                responder.receive(message)
        except Undecodable as undecodable:
            message = replace(
                message, id=undecodable.message_id, topic=undecodable.topic, data=body
            )
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


def _refuse(message: Message, reason: str) -> None:
    known = _identified(message)
    log.write("WARNING", f"refused: {reason}", message_id=known.id, topic=known.topic)
    with making:
        from responders.refusal import refuse

        wiring = _wiring()
    refuse(known, reason, wiring, next(iter(wiring.policies.values()), None))


def _identified(message: Message) -> Message:
    """The message, named after its content where its id is absent or is no name."""
    if NAME.fullmatch(message.id):
        return message
    return replace(message, id=hashlib.sha256(message.data).hexdigest())


@cache
def _responder(trigger: str) -> Responder:
    """The responder of a trigger, imported and built for the first message."""
    from responders import alerts, clock, commands, deployments, notices, work

    kinds: dict[str, Callable[[Wiring, Mapping[str, Policy]], Responder]] = {
        "alerts": alerts.Alerts,
        "clock": clock.Clock,
        "commands": commands.Commands,
        "deployments": deployments.Deployments,
        "notices": notices.Notices,
        "work": work.Work,
    }
    wiring = _wiring()
    return kinds[trigger](wiring, wiring.policies)


@cache
def _console() -> Console:
    from responders.console import Console

    wiring = _wiring()
    return Console(wiring, wiring.policies)


@cache
def _wiring() -> Wiring:
    from shared.policy_files.loader import load_all
    from shared.wiring import Wiring

    settings = Settings.from_mapping(os.environ)
    policies = load_all(Path(settings.policies))
    for one in policies.values():
        for warning in one.warnings:
            message = "policy file contains removed keys"
            log.write("WARNING", message, event="policy.removed", system=one.system, found=warning)
    return Wiring(settings, policies, deployed="K_SERVICE" in os.environ)
