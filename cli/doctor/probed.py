"""What the probes of a system show, asked now and by the clock: answers in, findings out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from http import HTTPStatus

from cli.doctor.finding import Finding, Verdict, named, unseen
from shared.errors import RollbackError
from shared.health import ProbeAnswer
from shared.looks import is_fresh
from shared.policy import Policy
from shared.probing import Record, feeding


def probes(answers: Mapping[str, ProbeAnswer | RollbackError]) -> Iterator[Finding]:
    """How each probe is answered, by name."""
    for name, answer in answers.items():
        if isinstance(answer, RollbackError):
            yield unseen("probes", name, answer)
        elif not answer.passed:
            why = answer.detail or f"answers {answer.status}"
            to_do = "an incident, or a wrong address in the policy"
            yield Finding("probes", name, Verdict.WRONG, why, to_do)
        elif _leads_elsewhere(answer):
            why = f"it leads elsewhere ({answer.status}), and an uptime check follows it there"
            to_do = "name where it leads: see docs/unverified.md"
            yield Finding("probes", name, Verdict.DOUBTFUL, why, to_do)
        else:
            yield Finding("probes", name, Verdict.WELL, f"{answer.status}, {answer.seconds:.1f} s")


def _leads_elsewhere(answer: ProbeAnswer) -> bool:
    status = answer.status or HTTPStatus.OK
    return HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST


def looks(policy: Policy, found: Record | RollbackError, now: datetime) -> Iterator[Finding]:
    """Whether the clock sees what the probes show."""
    asked = [probe.name for probes in feeding(policy).values() for probe in probes]
    if not asked:
        return
    check, name = "looks", policy.system
    if isinstance(found, RollbackError):
        yield unseen(check, name, found)
        return
    stale = [one for one in asked if not is_fresh(found.looks.get(one, ()), now)]
    if stale:
        why = f"the clock has not seen the answer of {named(stale)} within a minute"
        to_do = "can on_clock reach these addresses? its log tells"
        yield Finding(check, name, Verdict.DOUBTFUL, why, to_do)
    else:
        why = f"the clock sees {len(asked)} probes each half minute"
        yield Finding(check, name, Verdict.WELL, why)
