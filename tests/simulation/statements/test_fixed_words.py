"""Each fixed text of notices, report and times is a known promise, or known to promise nothing."""

import re
from collections.abc import Iterator
from datetime import timedelta
from itertools import product

from shared.domain.incidents.recovery_times import (
    DECLARATION_NAMES,
    FAILURE_NAMES,
    ORDER_NAMES,
    RecoveryTimes,
    recovery_lines,
)
from shared.domain.presentation import notice_templates
from shared.domain.reports import markdown
from tests.simulation.statements.phrases import NAMED, PHRASES
from tests.support.fakes.runtime.clock import START

NEUTRAL = frozenset(
    """
Acknowledged by …, …: … after the detection
All times count from the detection, over all rollbacks of the incident; alerts count from the last shift
Began: … UTC
Begins: … UTC
Begun by machine
By the declared value of a minute that cost
By what right: not recorded
By what right: …
Communication counts until every channel had taken the first notice
Data that you have written since then is unchanged
Detection is not measured: a person ordered it
Documents: …, of which the first are
Expected resolution: …
Incident ID: …
It came from: …
It did not work for
Impact so far: …
Later deployments of these get no request until their pins are lifted
No alert is kept of it
No event is kept of it
No gate has answered
No gate would have held it up
No rollback is kept of it
No step was planned
Nobody has acknowledged it
None: its rollbacks hold nothing
None: nobody has overridden a gate for this incident
Not recorded
Nothing that is recorded
Nothing was executed
Nothing was observed to fail: a declaration opened it
Nothing was observed to fail: no second source has confirmed the alert
Nothing was observed to fail: an operator's order opened it
Of … requests to all functions of the system since …
On hold: …
Open pins
Ordered by …: …
Overrides to review
Plan: …, to …
Please check that your data is as you expect
Recorded by …, …
Report of …
Requests after … are not all counted yet
Reviewed by: …
Root cause
Root cause: …
Said for: no incident; went to: … (…)
Said for: …; went to: … (…)
Severity: raised to …
Since: … UTC
Suspected when it was decided: …
The audit log has … further event (steps, checks, claims, repetitions), and proves all of them:
The audit log has … further events (steps, checks, claims, repetitions), and proves all of them:
The gates have not been asked yet
The plan reported:
The repair changed, removed or restored some of your data, or left it for a person to check
The repair is not finished; our team will continue it
We repaired data after a fault in …
We will write again when the change has ended
We will write again when the incident has ended
What happened: …
What keeps it from coming again: …
What the business must do: …
What was decided and done
What was seen
What would have shortened it
What you can do:
Written …, from what is recorded; all times are UTC
You do not need to do anything
and does not yet
at least
changed … after detection
changed … after the order
gate skipped
held on
left, because
nobody has observed whether it works again
not kept
not observed
not over yet
not reached
not verified
not verified yet
not verified yet; the target is … (a kind), missed … ago
not yet
nothing was observed to fail
recovery was not observed
status page not written; it was due … ago
status page written … after detection
status page written … after the order
status page written … after detection, … late
status page written … after the order, … late
the target is … (a kind)
traffic is not restored yet
traffic restored … after detection
verification step
verified … after detection
verified … after detection; the target is … (a kind), … late
verified … after detection; the target is … (a kind), … to spare
verified … after the order
verified … after the order; the target is … (a kind), … late
verified … after the order; the target is … (a kind), … to spare
… user met a failure
… users met a failure
…: a problem began at … UTC
…: a repair affected your data
…: planned change, …
…: … since … UTC
""".strip().split("\n")
)
"""They say nothing of whether the application works, or of the past alone."""
PROMISED = re.compile(
    f"(?:{NAMED}: )?(?:"
    + "|".join(".+".join(map(re.escape, one.words.removesuffix(".").split(NAMED))) for one in PHRASES)
    + ")"
)


def fixed_words(template: str) -> Iterator[str]:
    """Yield each text of two words or more that a template may show, `…` for what differs."""
    shown = re.sub(r"(?s)```.*?```|\|[ |-]*\|\n", "\n", template)
    shown = re.sub(r"\{\{(.*?)\}\}", lambda found: "{{" + found[1].replace("|", "") + "}}", shown)
    for line in re.split(r"\{%.*?%\}|\n|(?<=[.!?]) |\|", shown):
        parts = re.split(r"\{\{(.*?)\}\}", line)
        choices = [_choices(part) if n % 2 else [part] for n, part in enumerate(parts)]
        for one in product(*choices):
            words = re.sub("_+", NAMED, "".join(one)).strip(" -#,;.»")
            if len(re.findall(r"[A-Za-z]+", words)) > 1:
                yield words


def _choices(expression: str) -> list[str]:
    texts = [one for one in re.findall(r'"([^"]*)"', expression) if re.search("[a-z]", one)]
    is_whole = " else " in expression and not expression.rstrip().endswith('"')
    return [*texts, NAMED] if is_whole or " or " in expression else texts or [NAMED]


def time_lines() -> Iterator[str]:
    """Yield the sentences of the two durations of every kind of incident, `…` for a duration."""
    moments = (None, START + timedelta(seconds=8))
    pages, dues = (*moments, START + timedelta(hours=2)), (None, START + timedelta(seconds=9))
    for names in (FAILURE_NAMES, ORDER_NAMES, DECLARATION_NAMES):
        for one in product(moments, moments, moments, (7, 9), pages, dues, (True, False)):
            restored, recovered, ended, target, page, due, has_target = one
            if names is FAILURE_NAMES and not has_target:
                continue
            times = RecoveryTimes(
                detected_at=START,
                traffic_restored_at=restored,
                recovered_at=recovered,
                ended_at=ended,
                target=timedelta(seconds=target),
                kind="a kind",
                status_page_at=page,
                status_page_due_at=due,
                names=names,
                has_target=has_target,
            )
            for line in recovery_lines(times, START + timedelta(hours=1)):
                yield re.sub(r"\d+ (h|min|s)( \d+ (min|s))?", NAMED, line)


def unknown(words: str) -> bool:
    """Return whether it is neither a phrase, nor neutral, as a whole and in each of its parts."""
    is_neutral = words in NEUTRAL or NEUTRAL.issuperset(words.split("; "))
    return not is_neutral and PROMISED.fullmatch(words) is None


def test_each_fixed_text_of_notices_and_report_is_known() -> None:
    """Nobody adds a sentence without saying what it promises; no row is left over."""
    files = (*notice_templates.TEMPLATE_FOLDER.glob("*.txt"), markdown.TEMPLATE_FOLDER / "report.md")
    shown = {words for file in files for words in fixed_words(file.read_text())}
    shown |= {*time_lines()}

    assert sorted(filter(unknown, shown)) == []
    parts = shown | {part for words in shown for part in words.split("; ")}
    assert sorted(NEUTRAL - parts) == []


def test_a_new_text_is_found() -> None:
    """In a sentence, a heading, a cell and each text of a condition."""
    template = 'All is well.\n## {{ "All clear" if well else "Not yet" }}\n| {{ id }} | no trouble left |\n'

    assert [*filter(unknown, fixed_words(template))] == [
        "All is well",
        "All clear",
        "Not yet",
        "no trouble left",
    ]
