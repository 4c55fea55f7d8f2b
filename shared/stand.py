"""The stand: a service of our own on which a copy of each revision is made to start; pure.

One trial at a time. Its copy bears a name that we give it: whoever comes later finds by that what
stands there, and what came of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from shared.deployment import Deployment, Restorability, Status, Tried
from shared.documents import SCHEMA
from shared.policy import Policy
from shared.rollout import PROVE_EVERY
from shared.starts import failed_once, failing, last_start

NEW: Final = "new"
"""How the name of the first revision ends, which terraform/starts.tf makes."""
LABEL: Final = "rollback-copies"
"""Of a copy: the revision that it is made from."""
APART: Final = timedelta(seconds=25)
"""From one trial to the next: the sweep of the next half minute. So 151 functions take 76 minutes,
and two writes of the 60 a minute (local/run/quota.py)."""
JUDGED_WITHIN: Final = timedelta(minutes=10)
"""What has not come up and has not failed by then has told nothing. How long Cloud Run waits is not
documented; a rollback waits for no start that takes so long."""
SENT_WITHIN: Final = timedelta(seconds=60)
"""A request has landed by then, or never will: four times as long as its client waits for it."""
AGAIN_AFTER: Final = timedelta(hours=1)
"""When a start that failed, or told nothing, is made again."""
CONFIRMED_AFTER: Final = timedelta(minutes=5)
"""When one that has failed for the first time is made again: only then it is a fault."""
LOOK_AGAIN: Final = timedelta(minutes=5)
"""At the latest something is looked for that is due."""
_NEVER: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Verdict(StrEnum):
    """What one trial tells of the revision."""

    STARTED = "started"
    FAILED = "failed"
    UNKNOWN = "unknown"


class Outcome(Struct, frozen=True):
    """The end of one trial."""

    verdict: Verdict
    words: str = ""
    """Google's, where it did not start or told nothing."""


class OnStand(Struct, frozen=True):
    """What was found on the stand."""

    etag: str
    newest: str
    """Short name of its newest revision, whether it came up or not."""
    internal: bool
    """Whether nothing from outside reaches it."""


class Trial(Struct, frozen=True):
    """One start, as it is meant before it is asked for."""

    revision: str
    """Full name of the one that is copied."""
    name: str
    """Short name of its copy on the stand."""
    etag: str
    """The stand as it was seen: only so it is changed."""
    at: datetime


class Template(Struct, frozen=True):
    """What a copy is made of, values of variables included. Shown nowhere: its text lacks it."""

    content: bytes

    def __repr__(self) -> str:
        return "Template(...)"


class Stand(Struct, frozen=True):
    """What is going on on the stand of one system."""

    system: str
    due_at: datetime
    """When it is to be looked at again."""
    trial: Trial | None = None
    """The one in flight."""
    unmade: str = ""
    """Full name of the revision that was to be copied last, if nothing came of it."""
    strange: str = ""
    """Why it is left, as people were told."""
    schema: int = SCHEMA


def path(system: str) -> str:
    """Where it is kept."""
    return f"stands/{system}"


def service(policy: Policy) -> str:
    """Full name of the service."""
    where = f"projects/{policy.project}/locations/{policy.region}"
    return f"{where}/services/{policy.deployments.starts}"


def copy_name(stand: str, at: datetime) -> str:
    """What a copy is called that is put on a stand (short name) at some second."""
    return f"{stand}-t{at.astimezone(UTC):%Y%m%d-%H%M%S}"


def is_ours(stand: str, revision: str) -> bool:
    """Whether a revision of a stand (short names) was put there by us; else a person has been."""
    return re.fullmatch(rf"{re.escape(stand)}-({NEW}|t\d{{8}}-\d{{6}})", revision) is not None


def why_left(stand: str, found: OnStand) -> str:
    """Why no code of the application is put on a stand (short name); empty: it may be."""
    if not is_ours(stand, found.newest):
        return f"{found.newest} stands on {stand} and is not ours"
    return "" if found.internal else f"{stand} is reachable from outside"


def wanted(deployments: Iterable[Deployment]) -> list[Deployment]:
    """Those whose revisions are to be seen to start: the newest stable one, and one that bakes.

    None that nobody has proven yet.
    """
    known = sorted(
        (one for one in deployments if one.settled_at and not one.named and not one.expires_at),
        key=lambda one: one.at,
        reverse=True,
    )
    stable = [one for one in known if one.status is Status.STABLE][:1]
    newest = [one for one in known[:1] if one.status is Status.LIVE]
    return [one for one in (*newest, *stable) if one.restorable is not None]


def shared(deployments: Sequence[Deployment]) -> list[Deployment]:
    """The same ones, each with what is known of trials of its revisions from any of them."""
    newest: dict[str, Tried] = {}
    for one in deployments:
        for name, tried in _tried(one).items():
            if name not in newest or _newest(tried) > _newest(newest[name]):
                newest[name] = tried
    return [_with(one, newest) for one in deployments]


def known(deployments: Sequence[Deployment], policy: Policy) -> list[Deployment]:
    """The same ones, as one decides by them: without a stand nothing that trials told counts."""
    if policy.deployments.starts:
        return shared(deployments)
    return [
        one
        if one.restorable is None
        else replace(one, restorable=replace(one.restorable, tried={}))
        for one in deployments
    ]


def judged(deployments: Iterable[Deployment], trial: Trial, outcome: Outcome) -> list[Deployment]:
    """The same ones, those that the revision served in with what came of its trial."""
    name = trial.revision.rpartition("/")[2]
    return [_with(one, {name: _after(one.restorable, name, trial, outcome)}) for one in deployments]


def next_due(deployments: Iterable[Deployment], now: datetime) -> tuple[datetime, str] | None:
    """When the first start is due, and of which revision (full name); None: there is none.

    A day after the last that was seen or made, the oldest first; five minutes after one that failed
    for the first time, which no other comes before then, an hour after one that did again, or told
    nothing.
    """
    found = {
        (_due_at(one.restorable, name), f"{placed.service}/revisions/{name}"): failed_once(
            one.restorable, name
        )
        for one in deployments
        if one.restorable is not None
        for placed in one.functions.values()
        for name in placed.revisions
    }
    to_confirm = [due for due, once in found.items() if once is not None and due[0] <= now]
    return min(to_confirm or found, default=None)


def _due_at(proof: Restorability, name: str) -> datetime:
    last, tried = last_start(proof, name), proof.tried.get(name, Tried())
    again_after = CONFIRMED_AFTER if tried.again_at is None else AGAIN_AFTER
    held = [
        moment + span
        for moment, span in (
            (tried.again_at or tried.failed_at, again_after),
            (tried.unknown_at, AGAIN_AFTER),
        )
        if moment is not None
    ]
    return max([_NEVER if last is None else last + PROVE_EVERY, *held])


def _after(proof: Restorability | None, name: str, trial: Trial, outcome: Outcome) -> Tried:
    """What is known of a revision's trials after one more.

    When and why it failed first stays: no other instance, or hour, makes another fault of it.
    """
    known = proof.tried.get(name, Tried()) if proof is not None else Tried()
    match outcome.verdict:
        case Verdict.STARTED:
            return Tried(trial.at)
        case Verdict.FAILED if failing(proof, name) is not None:
            return Tried(known.started_at, known.failed_at, known.words, again_at=trial.at)
        case Verdict.FAILED:
            return Tried(known.started_at, trial.at, outcome.words)
        case Verdict.UNKNOWN:
            return replace(known, unknown_at=trial.at, unknown=outcome.words)


def _tried(deployment: Deployment) -> Mapping[str, Tried]:
    return deployment.restorable.tried if deployment.restorable else {}


def _newest(tried: Tried) -> datetime:
    moments = (tried.started_at, tried.failed_at, tried.unknown_at, tried.again_at)
    return max((one for one in moments if one is not None), default=_NEVER)


def _with(deployment: Deployment, tried: Mapping[str, Tried]) -> Deployment:
    """The deployment with these trials, of revisions that served in it."""
    proof = deployment.restorable
    ours = {name for placed in deployment.functions.values() for name in placed.revisions}
    found = {name: one for name, one in sorted(tried.items()) if name in ours}
    if proof is None:
        return deployment
    return replace(deployment, restorable=replace(proof, tried={**proof.tried, **found}))
