"""How the responders themselves stand: facts in, findings out."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from cli.doctor import apis, console, entrusted, measuring, messaging
from cli.doctor.facts import Facts, StoreTime, function
from cli.doctor.finding import Finding, Verdict, named, unseen
from cli.screen import at
from shared import topics
from shared.errors import RollbackError
from shared.handover import COLLECTIONS

APART = timedelta(seconds=5)
"""How far this machine's clock may be from the store's."""
OVERDUE = timedelta(minutes=2)
DEAD_MAN = "rollback-dead-man"
"""The job that calls the switch outside each minute (terraform/self_alerts.tf)."""
CALLED_WITHIN = timedelta(minutes=3)
RUNTIME = "python311"
"""Of every function (terraform/functions.tf)."""
CODE_LABEL = "rollback-code"
POLICY_LABEL = "rollback-policy-"
"""Labels of the functions: what they were made of (terraform/source.tf)."""


def examined(facts: Facts) -> Iterator[Finding]:
    """Every finding, in the order of `CHECKS`."""
    systems = named(facts.policies)
    yield Finding("settings", facts.project, Verdict.WELL, f"usable; policies of {systems}")
    for warning in facts.policy_warnings:
        yield Finding("settings", facts.project, Verdict.DOUBTFUL, warning)
    yield _state(facts.state)
    yield from _versions(facts)
    yield from messaging.examined(facts)
    yield from _deployed(facts)
    yield from _code(facts)
    yield from console.examined(facts)
    yield _clock(facts)
    yield from _overdue(facts)
    yield _anchors(facts)
    yield from apis.are_on(apis.SIGN_IN, facts.sign_in)
    yield _dead_man(facts)
    yield from entrusted.readers(facts)
    yield Finding(
        "dead-letters",
        topics.LETTERS_KEPT,
        Verdict.UNKNOWN,
        "Pub/Sub shows no message without handing it out",
        "rollback replay; it shows each, and asks before it does anything",
    )
    yield _own_alerts(facts)
    yield measuring.names(facts.project, facts.measured)
    yield from measuring.queries(facts.project, facts.measured)


def _state(seen: StoreTime | RollbackError) -> Finding:
    if isinstance(seen, RollbackError):
        return unseen("state", "state database", seen)
    early, late = seen.before - seen.store, seen.store - seen.after
    apart = max(early, late, timedelta(0))
    if apart > APART:
        return Finding(
            "state",
            "state database",
            Verdict.DOUBTFUL,
            f"it answers; this machine's clock is {apart.total_seconds():.0f} s away from its own",
            "set this machine's clock: tokens and freezes are judged by time",
        )
    return Finding("state", "state database", Verdict.WELL, "it answers, and the clocks agree")


def _versions(facts: Facts) -> Iterator[Finding]:
    """What the functions run with; of what is deployed the runtime tells, and `code` the rest."""
    other = [
        f"{name} {here or 'not installed'}, not {stated}"
        for name, (stated, here) in facts.versions.items()
        if here != stated
    ]
    if other:
        why = f"this shell works with other libraries than the functions: {named(other)}"
        to_do = "pip install -r requirements.txt"
        yield Finding("versions", "libraries", Verdict.DOUBTFUL, why, to_do)
    else:
        why = f"{len(facts.versions)} are as requirements.txt states"
        yield Finding("versions", "libraries", Verdict.WELL, why)
    if isinstance(facts.functions, RollbackError) or facts.is_local:
        return
    ours = {function(entry_point) for entry_point in topics.ENTRY_POINTS}
    stale = [one for one in facts.functions if one.name in ours and one.runtime != RUNTIME]
    for one in stale:
        why = f"it runs on {one.runtime or 'nobody knows what'}, not on {RUNTIME}"
        yield Finding("versions", one.name, Verdict.DOUBTFUL, why, "terraform apply")


def _deployed(facts: Facts) -> Iterator[Finding]:
    if isinstance(facts.functions, RollbackError):
        yield unseen("deployed", "functions", facts.functions)
        return
    if facts.is_local:
        why = "an embedded cloud has them beside it, not in it"
        yield Finding("deployed", "functions", Verdict.UNKNOWN, why)
        return
    by_name = {one.name: one for one in facts.functions}
    faults = []
    for entry_point in topics.ENTRY_POINTS:
        name = function(entry_point)
        one = by_name.get(name)
        if one is None:
            faults.append((name, "it is not there"))
        elif one.entry_point != entry_point:
            faults.append((name, f"it runs {one.entry_point}, not {entry_point}"))
        elif not one.active:
            faults.append((name, "it is not ACTIVE: its newest deployment failed or goes on"))
    for name, why in faults:
        yield Finding("deployed", name, Verdict.WRONG, why, "terraform apply")
    if not faults:
        why = f"all {len(topics.ENTRY_POINTS)} are ACTIVE"
        yield Finding("deployed", "functions", Verdict.WELL, why)


def _code(facts: Facts) -> Iterator[Finding]:
    """Whether the functions say by their labels that they are this checkout."""
    ours = {function(name) for name in (*topics.ENTRY_POINTS, topics.CONSOLE)}
    found = () if isinstance(facts.functions, RollbackError) else facts.functions
    labels = [one.labels for one in found if one.name in ours]
    wanted = {CODE_LABEL: facts.code}
    wanted |= {f"{POLICY_LABEL}{system}": mark for system, mark in facts.policies.items()}
    for label, mark in wanted.items():
        yield _compared(label, mark, {one.get(label, "") for one in labels})


def _compared(label: str, mark: str, said: set[str]) -> Finding:
    if not said or said == {""}:
        return Finding("code", label, Verdict.UNKNOWN, "no function says what it was made of")
    if said == {mark}:
        return Finding("code", label, Verdict.WELL, "deployed as it is here")
    why = "what is deployed is not what is here: what this shell works out may be another thing"
    return Finding("code", label, Verdict.DOUBTFUL, why, "check out what is deployed, or apply")


def _clock(facts: Facts) -> Finding:
    errors = [one for one in facts.ticks.values() if isinstance(one, RollbackError)]
    if errors:
        return unseen("clock", topics.CLOCK, errors[0])
    missed = [half for half, swept in facts.ticks.items() if not swept]
    if not missed:
        return Finding("clock", topics.CLOCK, Verdict.WELL, "both last half minutes were swept")
    if len(missed) < len(facts.ticks):
        why = f"no sweep in the half minute of {named(missed)}"
        return Finding("clock", topics.CLOCK, Verdict.DOUBTFUL, why, "look again in a minute")
    why = "silent for a minute: what waits is not handed on, and no probe is asked"
    to_do = "look at on_clock's log and the jobs rollback-clock of Cloud Scheduler"
    return Finding("clock", topics.CLOCK, Verdict.WRONG, why, to_do)


def _overdue(facts: Facts) -> Iterator[Finding]:
    for kind, since in facts.due_since.items():
        if isinstance(since, RollbackError):
            yield unseen("overdue", COLLECTIONS[kind], since)
        elif since is not None and facts.now - since > OVERDUE:
            why = f"the oldest has been due since {at(since)} UTC, and nobody does it"
            to_do = f"look at the log of {'on_notice' if kind == 'notice' else 'on_work'}"
            yield Finding("overdue", COLLECTIONS[kind], Verdict.WRONG, why, to_do)
        else:
            yield Finding("overdue", COLLECTIONS[kind], Verdict.WELL, "nothing is overdue")


def _anchors(facts: Facts) -> Finding:
    since = facts.unanchored_since
    if isinstance(since, RollbackError):
        return unseen("anchors", "audit trail", since)
    if since is None or facts.now - since <= OVERDUE:
        return Finding("anchors", "audit trail", Verdict.WELL, "no head waits to be anchored")
    why = f"heads have waited since {at(since)} UTC: a chain that is written anew is not found"
    to_do = "look at on_clock's log, and whether it has a ROLLBACK_AUDIT_BUCKET"
    return Finding("anchors", "audit trail", Verdict.WRONG, why, to_do)


def _own_alerts(facts: Facts) -> Finding:
    """Whether people are told when the responders themselves are out of order."""
    check, found = "alert-policies", facts.measured
    if isinstance(found, RollbackError):
        return unseen(check, facts.project, found)
    speaking = [one for one in found.asked if one.enabled and one.channels]
    if facts.is_local:
        why = "an embedded cloud has no alerts on the responders themselves"
        return Finding(check, facts.project, Verdict.UNKNOWN, why)
    if not speaking:
        why = "no alert on the responders themselves reaches anybody"
        to_do = "pager_channels in Terraform"
        return Finding(check, facts.project, Verdict.DOUBTFUL, why, to_do)
    why = f"{len(speaking)} alerts on the responders themselves reach somebody"
    return Finding(check, facts.project, Verdict.WELL, why)


def _dead_man(facts: Facts) -> Finding:
    """Whether the switch that tells when all of this is down has been called, and has answered."""
    check, run = "dead-man", facts.dead_man
    if isinstance(run, RollbackError):
        return unseen(check, DEAD_MAN, run)
    if run is None:
        why = "there is no such job: when all of it is down, who else tells?"
        return Finding(check, DEAD_MAN, Verdict.UNKNOWN, why, "dead_man_url in Terraform")
    if not run.enabled:
        why = "it is paused: the switch outside says that all is down"
        return Finding(check, DEAD_MAN, Verdict.WRONG, why, "resume it in Cloud Scheduler")
    if run.at is None or facts.now - run.at > CALLED_WITHIN:
        why = f"its last call was {f'at {at(run.at)} UTC' if run.at else 'never'}"
        return Finding(check, DEAD_MAN, Verdict.WRONG, why, "look at Cloud Scheduler's log")
    if run.code > 0:
        why = f"its last call failed (code {run.code}): the switch outside reports, or will not"
        return Finding(check, DEAD_MAN, Verdict.WRONG, why, "correct dead_man_url in Terraform")
    if run.code < 0:
        why = "it is not known how its last call ended"
        return Finding(check, DEAD_MAN, Verdict.UNKNOWN, why, "look again in a minute")
    return Finding(check, DEAD_MAN, Verdict.WELL, f"called at {at(run.at)} UTC, and answered")
