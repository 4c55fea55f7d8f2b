"""The judge of statements, and the page that says what each word promises."""

import re
from datetime import datetime
from functools import partial
from pathlib import Path
from random import Random

import pytest

from shared.domain.presentation import status_page
from tests.simulation.faults.points import Planned
from tests.simulation.invariants.statements import StatementLaws
from tests.simulation.mutants import Mutant, caught, statements
from tests.simulation.scenes.spoken import SPOKEN
from tests.simulation.schedule import run
from tests.simulation.statements.phrases import (
    NAMED,
    PHRASES,
    Promise,
    Surface,
    phrases_in,
    promised_by_sentences,
)
from tests.simulation.statements.truth import FOREVER, SIGN_IN, Span, merged
from tests.simulation.world import World
from tests.support.fakes.runtime.clock import START

PAGE = (Path(__file__).parents[2] / "docs" / "statements.md").read_text()
SYSTEM_NAME = "The Bookshop"


def test_the_page_promises_what_the_judge_demands() -> None:
    """Each phrase has its row, with its surface and its promise, and there is no other row."""
    rows = re.findall(
        r"^\| (.*?) \| (.*?) \| (.*?) \| (.*?) \|$", PAGE.partition("## Words")[2], re.MULTILINE
    )

    expected = [(one.words, one.surface, one.promise, one.corrected) for one in PHRASES]
    assert [row for row in rows if row[0] not in ("words", "---")] == expected


def test_the_page_explains_each_promise() -> None:
    """No promise is only a name."""
    assert set(re.findall(r"^\| ([a-z ]+) \|", PAGE.partition("## Words")[0], re.MULTILINE)) == {
        "promise",
        *Promise,
    }


@pytest.mark.parametrize(
    "text",
    [
        *(one.format(system=SYSTEM_NAME) for one in status_page.STATUS_SENTENCES.values()),
        *status_page._OVERALL_SENTENCES.values(),
        *(f"{one}." for one in status_page.SEVERITY_LABELS.values()),
    ],
)
def test_each_sentence_of_the_status_page_promises_something(text: str) -> None:
    """Nobody adds a sentence without saying what it promises."""
    assert None not in dict(promised_by_sentences(text, SYSTEM_NAME)).values()


def test_a_sentence_that_nobody_knows_promises_nothing() -> None:
    """The longest phrases are found, and what is left over has no promise."""
    text = f"Not working. We are investigating a problem with {SYSTEM_NAME}. All is lost."

    assert promised_by_sentences(text, SYSTEM_NAME) == (
        ("Not working.", Promise.FAILS),
        (f"We are investigating a problem with {NAMED}.", Promise.FAILS),
        ("All is lost.", None),
    )


def test_phrases_are_found_in_a_line() -> None:
    """With what stands where the phrase has names and numbers."""
    line = "recovered 3 min 2 s after detection; the target is 5 min (CRITICAL incident), 1 min 58 s to spare"

    [(phrase, words)] = phrases_in(Surface.STATUS, f"  {line}\n")

    assert phrase.promise is Promise.IN_TIME
    assert words == line


def test_the_truth_follows_the_revision_that_serves() -> None:
    """A bad release fails from when it serves; an outage and a flag fail whatever serves."""
    world = World(Planned({}), Random(0))
    world.platform.deploy(["order"], failure_rate=0.9)
    world.platform.begin_outage("shelf")
    world.truth.breaks(SIGN_IN)
    world.scheduler.now = 100.0
    world.platform.deploy(["order"])
    world.platform.end_outage("shelf")

    assert world.truth.failing("order") == [Span(0.0, 100.0)]
    assert world.truth.failing("shelf") == [Span(0.0, 100.0)]
    assert world.truth.failing("basket") == []
    assert world.truth.failing(SIGN_IN) == [Span(0.0, FOREVER)]
    assert world.truth.fails(SIGN_IN)
    assert not world.truth.fails("order")


def test_spans_that_touch_are_one() -> None:
    """One trouble is not two because another revision fails as well."""
    spans = [Span(5.0, 7.0), Span(0.0, 3.0), Span(3.0, 4.0)]

    assert merged(spans) == [Span(0.0, 4.0), Span(5.0, 7.0)]


def test_the_page_is_rendered_when_a_rollback_is_held_or_continued(monkeypatch: pytest.MonkeyPatch) -> None:
    """The words "(paused)" come and go with the rollback alone: no incident changes."""
    world = World(Planned({}), Random(0))
    laws = StatementLaws(world.laws.seen)
    rendered: list[datetime | None] = []
    monkeypatch.setattr(laws, "_remembers", {})
    monkeypatch.setattr(laws, "_render_status", lambda: None)
    for held_since in (None, START, START, None):
        monkeypatch.setattr(laws, "_render_page", partial(rendered.append, held_since))
        laws.committed({"rollbacks/INC-1": {"failing": [], "held_since": held_since}})

    assert rendered == [START, None]


@pytest.mark.parametrize("seed", range(4))
def test_who_judges_changes_nothing(seed: int) -> None:
    """The history of a world is the same, to the microsecond, whether or not it is judged."""
    judged = [line for line in run(seed, SPOKEN, judged=True).history if "BROKEN" not in line]

    assert judged == run(seed, SPOKEN, judged=False).history


SEEDS = (
    *(
        20151,
        21287,
        60391,
        60537,
        60579,
        60583,
        7000467,
        7000915,
        7001399,
        7001679,
        7002179,
        7101907,
        7102567,
        10008741,
        10008807,
    ),
    *(7103363, 7103435, 7200331, 7200859, 7201115, 7201319, 7201487, 7201815),
    *(7312490, 7313106, 7314047, 7315499),
    *(9252103, 9252295, 9253727, 9254649),
    *(7400631, 7500433, 7500799, 7501403, 7502579, 7504307, 7506799, 7515363, 7517571),
    *(7601411, 7602395, 7603451, 7603743, 7604995, 7607027, 7607987, 7612363, 7612731, 7620415, 7623007),
    *(8000227, 8200865, 8306599, 9420147, 9300677),
    *(11003275, 11009717, 11019061, 11030191, 11038295, 11039637, 11045845, 11052037, 11052325, 11053287),
    *(11054423, 11056501, 11058191, 11058389, 11060117, 11060805),
    *(11000431, 11000723, 11004943, 11074115, 11080981, 11111179, 11112567, 11141575),
    *(11208727, 11239487, 11248367, 11286707, 11294681, 11324787, 11343783, 11351813, 11356371, 11366808),
    *(11262173, 11335743, 11363123, 11377781, 11379159, 11395849, 12031487),
    *(12060581, 12077291, 57568611, 61000703, 61101786),
)


@pytest.mark.parametrize("seed", SEEDS)
def test_worlds_in_which_a_fault_was_found(seed: int) -> None:
    """Each found another fault: of times, parts, orders about what recovered, a late rejection."""
    assert not [line for line in run(seed, judged=True).history if "BROKEN" in line]


@pytest.mark.parametrize(
    "mutant",
    [statements.observing_closes_the_incident, statements.status_counts_otherwise],
    ids=lambda mutant: mutant.__name__,
)
def test_an_untrue_statement_is_found(mutant: Mutant) -> None:
    """The judge tells a product that says too much; `make slice` plays every such mutant."""
    assert caught(mutant, range(20000, 20010)) is not None
