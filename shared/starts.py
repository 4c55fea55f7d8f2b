"""Which functions of a deployment are known to start, by what was seen and what was made; pure.

What Cloud Monitoring saw, and what was made to start on the stand (shared/stand.py), count alike
(docs/decisions/0031-a-start-is-made-on-a-stand.md). What was not seen to start may start: nobody
has asked for it, or it serves with the instances that it has. So it stands in nobody's way, and is
said. What did not come up is not gone back to as it is.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import UTC, datetime
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from shared import shortened
from shared.deployment import Deployment, Restorability, Tried
from shared.rollout import PROVE_EVERY

STARTS: Final = "starts"
"""Nobody could look for them: Cloud Monitoring gave no answer."""
_DID_NOT_START: Final = " did not start "


class Proven(Struct, frozen=True):
    """How many revisions of a deployment are known to start, by the day before its proof."""

    revisions: int
    """All of them."""
    seen: int = 0
    """By Cloud Monitoring, the newer of the two."""
    made: int = 0
    """On the stand, the newer of the two."""

    def __str__(self) -> str:
        known = f"{self.seen + self.made} of {self.revisions} revisions are known to start"
        return f"{known}: {self.seen} were seen to, {self.made} made to on the stand"


def kept(deployment: Deployment, seen: Mapping[str, datetime] | None) -> dict[str, datetime]:
    """When each of its revisions was last seen to start: now, or by the proof before.

    `seen` has those of lately, of whatever deployment; None: nobody could look.
    """
    before = deployment.restorable.started if deployment.restorable else None
    every = {**(before or {}), **(seen or {})}
    ours = _revisions(deployment)
    return {name: moment for name, moment in sorted(every.items()) if name in ours}


def kept_tries(deployment: Deployment) -> dict[str, Tried]:
    """What came of trials of its revisions, by the proof before."""
    return dict(deployment.restorable.tried) if deployment.restorable else {}


def last_start(proof: Restorability, revision: str) -> datetime | None:
    """When a revision (short name) was last seen or made to start; None: never."""
    seen = (proof.started or {}).get(revision)
    moments = (seen, _made(proof, revision))
    return max((one for one in moments if one is not None), default=None)


def failing(proof: Restorability | None, revision: str) -> Tried | None:
    """The trials in which a revision (short name) did not come up; None: it has started since."""
    tried = proof.tried.get(revision) if proof is not None else None
    newest = tried.again_at or tried.failed_at if tried is not None else None
    if proof is None or newest is None:
        return None
    last = last_start(proof, revision)
    return tried if last is None or last < newest else None


def failed_once(proof: Restorability, revision: str) -> Tried | None:
    """The one trial that failed, where another is to confirm it."""
    tried = failing(proof, revision)
    return tried if tried is not None and tried.again_at is None else None


def did_not_start(proof: Restorability | None, revision: str) -> Tried | None:
    """The same, once more than one trial says so: what fails once may be the platform's fault."""
    tried = failing(proof, revision)
    return tried if tried is not None and tried.again_at is not None else None


def not_started(
    deployment: Deployment, tried: Mapping[str, Tried], seen: Mapping[str, datetime]
) -> Iterator[str]:
    """The revisions that did not come up, each with when and why, by trials and what was seen."""
    proof = Restorability(deployment.at, started=dict(seen), tried=dict(tried))
    for name, placed in deployment.functions.items():
        for revision in placed.revisions:
            one = did_not_start(proof, revision)
            if one is not None and one.failed_at is not None:
                when = f"{one.failed_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
                yield f"{name}: revision {revision}{_DID_NOT_START}({when}): {one.words}"


def failed(deployment: Deployment, functions: Collection[str]) -> list[str]:
    """Of these functions, each revision that did not start, with when and why."""
    proof = deployment.restorable
    if proof is None:
        return []
    placed = {name: one for name, one in deployment.functions.items() if name in functions}
    return [*not_started(replace(deployment, functions=placed), proof.tried, proof.started or {})]


def is_news(deployment: Deployment) -> bool:
    """Whether a revision of it has failed to start since its proof, or does again."""
    proof = deployment.restorable
    if proof is None:
        return False
    return {*told(proof)} != {*not_started(deployment, proof.tried, proof.started or {})}


def told(proof: Restorability) -> list[str]:
    """The faults of a proof that are revisions which did not start."""
    return [one for one in proof.faults if _DID_NOT_START in one]


def unknown(proof: Restorability) -> tuple[str, ...]:
    """What could not be looked at, and the revisions whose newest trials tell nothing, and why."""
    said = {name: one.unknown for name, one in proof.tried.items()}
    for name in proof.tried:
        once = failed_once(proof, name)
        if once is not None:
            said[name] = once.unknown or f"failed once, and is made again: {once.words}"
    return (*proof.unknown, *(f"start of {name}: {why}" for name, why in said.items() if why))


def proven(deployment: Deployment) -> Proven:
    """How many of its revisions are known to start, and by what."""
    proof, ours = deployment.restorable, _revisions(deployment)
    if proof is None:
        return Proven(len(ours))
    lately = {name: last for name in ours if (last := _lately(proof, name)) is not None}
    made = [name for name in lately if _made(proof, name) == lately[name]]
    return Proven(len(ours), len(lately) - len(made), len(made))


def not_seen_to_start(deployment: Deployment) -> dict[str, datetime | None]:
    """The functions with a revision that did not start in the day before the proof.

    And when that one last did; None: never. One that failed to is told as a fault. None at all,
    where nobody has looked or could.
    """
    proof = deployment.restorable
    if proof is None or proof.started is None or STARTS in proof.unknown:
        return {}
    return _idle(deployment, proof)


def lines(functions: Mapping[str, datetime | None]) -> list[str]:
    """Each function, and when it last started."""
    return [
        f"{name} ({f'last {last.astimezone(UTC):%Y-%m-%d %H:%M} UTC' if last else 'never'})"
        for name, last in functions.items()
    ]


def warning(deployment: Deployment, functions: Collection[str]) -> str:
    """What is said of these before they are led back there; empty: each is known to start."""
    proof = deployment.restorable
    if proof is None or proof.started is None:
        return ""
    idle = {name: last for name, last in _idle(deployment, proof).items() if name in functions}
    if idle and STARTS in proof.unknown:
        return "whether they start is not known: Cloud Monitoring gave no answer"
    day = f"in the day before {proof.checked_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    return f"not seen to start {day}: {shortened.phrase(lines(idle))}" if idle else ""


def _idle(deployment: Deployment, proof: Restorability) -> dict[str, datetime | None]:
    """The functions with a revision that is not known to start, and when that last did."""
    found = dict[str, datetime | None]()
    for name, placed in sorted(deployment.functions.items()):
        quiet = [one for one in placed.revisions if _lately(proof, one) is None]
        last = [last_start(proof, one) for one in quiet if did_not_start(proof, one) is None]
        if last:
            known = [one for one in last if one is not None]
            found[name] = min(known) if len(known) == len(last) else None
    return found


def _lately(proof: Restorability, revision: str) -> datetime | None:
    """When a revision last started, where that was in the day before the proof, or after it.

    None as well where it has failed to since.
    """
    last = last_start(proof, revision)
    if last is None or last <= proof.checked_at - PROVE_EVERY or failing(proof, revision):
        return None
    return last


def _made(proof: Restorability, revision: str) -> datetime | None:
    return proof.tried.get(revision, Tried()).started_at


def _revisions(deployment: Deployment) -> set[str]:
    return {name for placed in deployment.functions.values() for name in placed.revisions}
