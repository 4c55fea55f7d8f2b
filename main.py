"""The entry points: a request is decoded, its responder acts, and this decides what is answered.

Plain HTTP functions, because the framework's own CloudEvent signature loses fields and answers 400
by itself. Pub/Sub takes 2xx as an acknowledgement and redelivers everything else.

    returned                acknowledged: done, or waiting by due_at
    Refused                 audited, dead-lettered, acknowledged: no repetition would help
    LostRollback            acknowledged: another worker holds it
    any other failure       503, redelivered

What each of those needs: the state database (`shared.adapters.gcp.firestore.store.PERMISSIONS`),
and to publish on the topics that it names (`shared.adapters.gcp.pubsub.publisher.PERMISSIONS`);
what it needs beyond that stands in its docstring.
"""

from __future__ import annotations

import hashlib
import os
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from shared.core import log, topics
from shared.core.errors import LostRollback, Refused, RollbackError
from shared.core.lazy import making
from shared.state.envelope import NAME, Message, Undecodable, decode
from shared.wiring.settings import Settings

if TYPE_CHECKING:
    from flask import Request

    from responders.triggers.console import ConsoleTrigger
    from responders.triggers.registry import Trigger
    from shared.wiring.operations import Wiring

ACKNOWLEDGED = ("", 204)
REDELIVER = ("", 503)
FORM_LIMIT = 100_000
"""Bytes of a form that are read: ours are far smaller, and it takes 32 times its size of memory."""


def on_alert(request: Request) -> tuple[str, int]:
    """Record a Cloud Monitoring notification and open or join its incident.

    Trigger: push from rollback-alerts. Publishes on rollback-work, -notices and -dead-letters.
    A redelivery finds its key and republishes what is due.
    """
    return _answer(request, "on_alert")


def on_command(request: Request) -> tuple[str, int]:
    """Carry out what a person asks for, once by its id.

    Trigger: push from rollback-commands, and from rollback-override. Publishes on rollback-work,
    -deployments, -notices and -dead-letters; looks up who speaks, in the identity project
    (`shared.adapters.gcp.firebase.id_tokens.PERMISSIONS`), and what data can be brought back to, in
    applications that admit copies (`shared.adapters.gcp.firestore.backups.PAST_PERMISSIONS`). A
    redelivery changes nothing and republishes what is due.
    """
    return _answer(request, "on_command")


def on_clock(request: Request) -> tuple[str, int]:
    """Hand on whatever is due and look through the probes, now and half a minute later.

    Trigger: push from rollback-clock, each minute; takes up to two, several at a time. Publishes on
    rollback-work, -deployments, -notices and -dead-letters; asks the probes' addresses on the
    internet, and reads the secrets of the test accounts among them
    (`shared.adapters.gcp.project.secret_values.PERMISSIONS`); creates objects in the audit bucket
    (the first of `shared.adapters.gcp.storage.objects.PERMISSIONS`). Exports and watches databases
    in applications that are backed up (`shared.adapters.gcp.firestore.exports.PERMISSIONS`,
    `shared.adapters.gcp.firestore.backups.PERMISSIONS`); reads, and writes what was live, in the
    export buckets (`shared.adapters.gcp.storage.mirrors.SOURCE_PERMISSIONS`,
    `shared.adapters.gcp.storage.mirrors.WRITE_PERMISSIONS`) and copies in the second buckets
    (`shared.adapters.gcp.storage.mirrors.TARGET_PERMISSIONS`). Restores and looks through backups
    in applications whose backups are proven (`shared.adapters.gcp.firestore.restores.PERMISSIONS`,
    `shared.adapters.gcp.firestore.restores.SCRATCH_PERMISSIONS`,
    `shared.adapters.gcp.firestore.documents.PERMISSIONS`). Makes and looks through copies in
    applications that admit copies (`shared.adapters.gcp.firestore.restores.PERMISSIONS`,
    `shared.adapters.gcp.firestore.restores.CLONE_PERMISSIONS`,
    `shared.adapters.gcp.firestore.restores.SCRATCH_PERMISSIONS`,
    `shared.adapters.gcp.firestore.documents.PERMISSIONS`). Looks through data in applications that
    declare collections (`shared.adapters.gcp.firestore.documents.PERMISSIONS`), and at files in
    applications whose documents name files (`shared.adapters.gcp.storage.media.PERMISSIONS`). Looks
    at buckets and topics in applications that declare assets
    (`shared.adapters.gcp.project.provisions.PERMISSIONS`). A redelivery sweeps what was not swept.
    """
    return _answer(request, "on_clock")


def on_deployment(request: Request) -> tuple[str, int]:
    """Record deployments from what is really live, judge them, and prove what going back needs.

    Trigger: push from rollback-deployments: announcements, audit entries as hints, what is due.
    Publishes on rollback-notices and -dead-letters; asks the probes' addresses on the internet, and
    reads the secrets of the test accounts among them
    (`shared.adapters.gcp.project.secret_values.PERMISSIONS`); reads functions, services and
    revisions (`shared.adapters.gcp.run.platform.INVENTORY_PERMISSIONS`), who may call them
    (`shared.adapters.gcp.run.platform.INVOKERS_PERMISSIONS`), what functions are configured with
    (`shared.adapters.gcp.run.platform.VALUES_PERMISSIONS`) and built from
    (`shared.adapters.gcp.storage.vault.COPY_PERMISSIONS`), which images
    (`shared.adapters.gcp.run.images.PERMISSIONS`) and runtimes
    (`shared.adapters.gcp.run.runtimes.PERMISSIONS`) there are, what routers counted
    (`shared.adapters.gcp.monitoring.metrics.PERMISSIONS`), and what a system has beside its
    functions (`shared.adapters.gcp.project.service_accounts.PERMISSIONS`,
    `shared.adapters.gcp.firebase.hosting.PERMISSIONS`,
    `shared.adapters.gcp.firebase.auth_config.PERMISSIONS`,
    `shared.adapters.gcp.firestore.indexes.PERMISSIONS`,
    `shared.adapters.gcp.firebase.remote_config.PERMISSIONS`,
    `shared.adapters.gcp.firebase.rules.PERMISSIONS`,
    `shared.adapters.gcp.project.scheduler_jobs.PERMISSIONS`,
    `shared.adapters.gcp.project.secrets.PERMISSIONS`). Keeps, and lets go, what functions are built
    from in the sources bucket (`shared.adapters.gcp.storage.vault.KEEPER_PERMISSIONS`), and the
    values of their variables in the values bucket
    (`shared.adapters.gcp.storage.vault.KEEPER_PERMISSIONS`). A redelivery finds it recorded, or no
    longer due.
    """
    return _answer(request, "on_deployment")


def on_work(request: Request) -> tuple[str, int]:
    """Decide a rollback, or carry it forward, until it waits or ends.

    Trigger: push from rollback-work, one request at a time. Publishes on rollback-work, -notices
    and -dead-letters; needs `shared.adapters.gcp.run.platform.PERMISSIONS`,
    `shared.adapters.gcp.run.builder.PERMISSIONS`,
    `shared.adapters.gcp.monitoring.metrics.PERMISSIONS`,
    `shared.adapters.gcp.run.images.PERMISSIONS` and
    `shared.adapters.gcp.monitoring.alert_states.PERMISSIONS`; reads what it builds from in the
    sources bucket (`shared.adapters.gcp.storage.vault.READ_PERMISSIONS`) and, alone, in the values
    bucket (`shared.adapters.gcp.storage.vault.READ_PERMISSIONS`); holds in the export buckets
    (`shared.adapters.gcp.storage.mirrors.HOLD_PERMISSIONS`) and in the second buckets
    (`shared.adapters.gcp.storage.mirrors.HOLD_PERMISSIONS`) what a person wants kept; brings back
    what a system has beside its functions
    (`shared.adapters.gcp.firebase.hosting.WRITE_PERMISSIONS`,
    `shared.adapters.gcp.firebase.auth_config.WRITE_PERMISSIONS`,
    `shared.adapters.gcp.firestore.indexes.WRITE_PERMISSIONS`,
    `shared.adapters.gcp.firebase.remote_config.WRITE_PERMISSIONS`,
    `shared.adapters.gcp.firebase.rules.WRITE_PERMISSIONS`). Looks through data, and back at what
    they were, and writes documents back that have not expired, in applications that declare
    collections (`shared.adapters.gcp.firestore.documents.PERMISSIONS`,
    `shared.adapters.gcp.firestore.backups.PAST_PERMISSIONS`,
    `shared.adapters.gcp.firestore.indexes.PERMISSIONS`,
    `shared.adapters.gcp.pubsub.eventarc_triggers.PERMISSIONS`,
    `shared.adapters.gcp.firestore.rewrites.PERMISSIONS`), with a copy in the quarantine bucket
    (`shared.adapters.gcp.storage.vault.QUARANTINE_PERMISSIONS`); looks at files in applications
    whose documents name files (`shared.adapters.gcp.storage.media.PERMISSIONS`). Ends sessions
    (`shared.adapters.gcp.firebase.sessions.PERMISSIONS`); asks the probes' addresses on the
    internet, and reads the secrets of the test accounts among them
    (`shared.adapters.gcp.project.secret_values.PERMISSIONS`); asks, in applications that make data
    again (`shared.adapters.gcp.pubsub.publisher.PERMISSIONS`), on the topics that their policies
    declare. A redelivery takes over at once where its first delivery died; any other worker waits
    for the lease.
    """
    return _answer(request, "on_work")


def on_notice(request: Request) -> tuple[str, int]:
    """Say one notice to one channel, or write the status page of one system.

    Trigger: push from rollback-notices. Publishes on rollback-notices and -dead-letters; writes
    objects in the status bucket (`shared.adapters.gcp.storage.public_pages.PERMISSIONS`); pushes to
    users in applications that have such a channel
    (`shared.adapters.gcp.firebase.messaging.PERMISSIONS`), whom it looks up in applications whose
    channels look users up (`shared.adapters.gcp.firestore.documents.PERMISSIONS`), and reads the
    secrets that channels name (`shared.adapters.gcp.project.secret_values.PERMISSIONS`). A
    redelivery of a notice that was said does nothing; one of a page writes it again.
    """
    return _answer(request, "on_notice")


def console(request: Request) -> tuple[bytes, int, dict[str, str]]:
    """Show operators what is, and publish what they ask for, as commands.

    Trigger: HTTPS, by browsers of people who sign in. Reads the state database; publishes on
    rollback-commands, in the operator's name; looks up who they are, in the identity project
    (`shared.adapters.gcp.firebase.id_tokens.PERMISSIONS`); says that it speaks by a token of its
    own account (`shared.adapters.gcp.project.own_id_token.PERMISSIONS`); reads heads in the audit
    bucket (`shared.adapters.gcp.storage.objects.READ_PERMISSIONS`). A form that is sent twice is
    one command; of one that is too large no more is read than of any.
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
    traced = log.traced(dict(request.headers), os.environ.get("GOOGLE_CLOUD_PROJECT", ""))
    with log.context(responder="console", **traced):
        with making:
            answering = _console()
        page = answering.answer(visit)
    return page.body, int(page.status), dict(page.headers)


def _answer(request: Request, entry_point: str) -> tuple[str, int]:
    """What Pub/Sub is told: the one place where an error becomes a redelivery."""
    traced = log.traced(dict(request.headers), os.environ.get("GOOGLE_CLOUD_PROJECT", ""))
    responder = topics.ENTRY_POINTS[entry_point][0].removeprefix("rollback-")
    with log.context(responder=responder, **traced):
        return _answered(request, entry_point)


def _answered(request: Request, entry_point: str) -> tuple[str, int]:
    """As `_answer`; each line that is logged carries what the request is about."""
    message = Message("", "", b"", {}, None)
    try:
        body = request.get_data()
        try:
            message = _identified(decode(dict(request.headers), body, request.full_path))
            with log.context(message_id=message.id, topic=message.topic):
                with making:
                    trigger = _trigger(entry_point)
                trigger.receive(message)
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
        from responders.support.dead_letters import refuse

        wiring = _wiring()
    refuse(known, reason, wiring, next(iter(wiring.policies.values()), None))


def _identified(message: Message) -> Message:
    """The message, named after its content where its id is absent or is no name."""
    if NAME.fullmatch(message.id):
        return message
    return replace(message, id=hashlib.sha256(message.data).hexdigest())


@cache
def _trigger(entry_point: str) -> Trigger:
    """The trigger of an entry point, imported and built for the first message."""
    from responders.triggers.registry import TRIGGERS

    wiring = _wiring()
    return TRIGGERS[entry_point](wiring, wiring.policies)


@cache
def _console() -> ConsoleTrigger:
    from responders.triggers.console import ConsoleTrigger

    wiring = _wiring()
    return ConsoleTrigger(wiring, wiring.policies)


@cache
def _wiring() -> Wiring:
    from shared.policy_files.loader import load_all
    from shared.wiring.operations import Wiring

    settings = Settings.from_mapping(os.environ)
    policies = load_all(Path(settings.policies))
    for one in policies.values():
        for warning in one.warnings:
            message = "policy file contains removed keys"
            log.write("WARNING", message, event="policy.removed", system=one.system, found=warning)
    return Wiring(settings, policies, deployed="K_SERVICE" in os.environ)
