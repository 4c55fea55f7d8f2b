"""What a person answers to an incident: each verb is one command, and its answer."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from cli.screen import AsJson
from cli.sending import Incident, Reason, conclude, send
from cli.wired import operations


def approve(
    incident: Incident,
    reason: Reason,
    plan: Annotated[
        str, typer.Option(metavar="FINGERPRINT", help="only this plan, as the question showed it")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Let a parked rollback go on: the plan that its question showed, and no other."""
    _say("approve", incident, reason, as_json=as_json, plan=plan)


def reject(incident: Incident, reason: Reason, as_json: AsJson = False) -> None:
    """Answer a parked rollback's question with no: nothing is done, the incident stays open."""
    _say("reject", incident, reason, as_json=as_json)


def cancel(incident: Incident, reason: Reason, as_json: AsJson = False) -> None:
    """End a rollback under way: calls in flight settle, nothing is undone, the rest is listed."""
    _say("cancel", incident, reason, as_json=as_json)


def retry(incident: Incident, reason: Reason, as_json: AsJson = False) -> None:
    """Begin a further rollback of an incident whose last one failed, was cancelled or not taken."""
    _say("retry", incident, reason, as_json=as_json)


def accept(incident: Incident, reason: Reason, as_json: AsJson = False) -> None:
    """Take an escalated incident as it stands: it is over."""
    _say("accept", incident, reason, as_json=as_json)


def ack(incident: Incident, reason: Reason = "on it", as_json: AsJson = False) -> None:
    """Say that you are on it: nobody further is called."""
    _say("ack", incident, reason, as_json=as_json)


def hold(incident: Incident, reason: Reason, as_json: AsJson = False) -> None:
    """Keep an incident and all that belongs to it beyond its time, until it is released."""
    _say("hold", incident, reason, as_json=as_json)


def release(incident: Incident, reason: Reason, as_json: AsJson = False) -> None:
    """Let what was held expire, after the usual time from now on."""
    _say("release", incident, reason, as_json=as_json)


def _say(verb: str, incident: str, reason: str, *, as_json: bool, **more: Any) -> None:
    with operations() as ours:
        answer = send(
            ours,
            {
                "command": verb,
                "system": ours.incident(incident).system,
                "incident": incident,
                "reason": reason,
                **more,
            },
        )
    conclude(answer, as_json=as_json)
