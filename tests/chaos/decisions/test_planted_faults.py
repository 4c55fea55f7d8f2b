"""The judge finds faults that are planted in the decision; each is found within a few worlds."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from operator import attrgetter
from unittest.mock import patch

import pytest
from msgspec.structs import replace

from shared.domain.decision import forecast, gate_evaluation
from shared.domain.decision.gates import alert
from shared.domain.decision.gates.base import Gate
from shared.domain.decision.gates.cause import external_cause
from shared.domain.decision.gates.registry import RequestKind, gates_for
from shared.domain.signals import failure_evidence
from shared.domain.signals.health import RouterRequests
from tests.chaos.decisions import figures, situations
from tests.chaos.decisions.answers import Answer
from tests.chaos.decisions.play import DecisionWorld, Outcome

pytestmark = pytest.mark.slice
WORLDS = 400
"""Seeds among which the situations of a fault's kinds are drawn."""
MOST_PLAYED = 40
MOST_SHIFT_DELAY = 10.0
"""In seconds."""


@contextmanager
def two_answers_prove() -> Iterator[None]:
    """Two failed answers prove a failure."""

    def has_failed(count: RouterRequests, level: float, _: float = 0.0) -> bool:
        return count.failed >= 2 and count.failed > level * count.total / 4

    with (
        patch.object(failure_evidence, "has_failed", has_failed),
        patch.object(alert, "has_failed", has_failed),
    ):
        yield


@contextmanager
def source_confirms_itself() -> Iterator[None]:
    """The source that raised an alert is enough."""
    policies = {
        name: replace(policy, gates=replace(policy.gates, second_source=False))
        for name, policy in situations.POLICIES.items()
    }
    with patch.object(situations, "POLICIES", policies):
        yield


@contextmanager
def everything_goes_back() -> Iterator[None]:
    """A rollback moves all that changed."""
    with patch.object(gate_evaluation, "restrict_to_failing", lambda change, *_: change):
        yield


@contextmanager
def no_external_cause() -> Iterator[None]:
    """The gate that tells a release from an outage is left out."""

    def without(*arguments: object, **options: bool) -> list[Gate]:
        gates = gates_for(*arguments, **options)  # type: ignore[arg-type]
        return [gate for gate in gates if gate is not external_cause]

    with patch.object(gate_evaluation, "gates_for", without):
        yield


@contextmanager
def verification_takes_an_hour() -> Iterator[None]:
    """The forecast announces an hour for the verification, and so more than the target."""
    with patch.object(forecast, "EXPECTED_VERIFICATION_SECONDS", 3600.0):
        yield


def moves_too_much(outcome: Outcome) -> bool:
    """Return whether more healthy functions were moved than failing ones."""
    return outcome.healthy_moved > len(outcome.truth.failing)


def claims_wrongly(outcome: Outcome) -> bool:
    """Return whether it was announced to be late, and was not."""
    return any(notice.claim == "MORE THAN" and notice.is_in_time for notice in outcome.announcements)


WAS_FALSE = attrgetter("is_false")


@pytest.mark.parametrize(
    ("fault", "kinds", "is_found"),
    [
        (two_answers_prove, {"noisy function"}, WAS_FALSE),
        (source_confirms_itself, {"release that fails for a tenth of users", "noisy function"}, WAS_FALSE),
        (everything_goes_back, {"bad release"}, moves_too_much),
        (no_external_cause, {"outage from outside after a release"}, WAS_FALSE),
        (verification_takes_an_hour, {"bad release"}, claims_wrongly),
    ],
)
def test_a_planted_fault_is_found(
    fault: Callable[[], AbstractContextManager[None]], kinds: set[str], is_found: Callable[[Outcome], bool]
) -> None:
    """One of the first worlds of its kinds shows it, and is judged right without it."""
    seeds = [seed for seed in range(WORLDS) if situations.draw_situation(seed).kind in kinds]
    for seed in seeds[:MOST_PLAYED]:
        with fault():
            outcome = DecisionWorld(situations.draw_situation(seed)).play()
        if is_found(outcome):
            assert not is_found(DecisionWorld(situations.draw_situation(seed)).play())
            return
    pytest.fail("no world shows it")


@pytest.mark.parametrize("seed", [2610283350395, 2610283350449])
def test_a_slow_release_is_restored_whole(seed: int) -> None:
    """Requests from before the onset do not make a slow function look quick."""
    assert DecisionWorld(situations.draw_situation(seed)).play().restored is not None


@pytest.mark.parametrize("seed", [81637860796, 81637862520])
def test_checks_after_a_release_tell_it_from_an_outage(seed: int) -> None:
    """An outage begins minutes after a release of everything: its probes had passed until then."""
    outcome = DecisionWorld(situations.draw_situation(seed)).play()

    assert outcome.is_right
    assert outcome.answer is Answer.ASK


def test_a_release_that_fails_for_some_is_no_outage() -> None:
    """Where 35 % of the requests fail, some first checks pass by chance."""
    assert DecisionWorld(situations.draw_situation(667)).play().is_right


def test_what_was_announced_is_compared_with_what_it_took() -> None:
    """Of two that fit their target, one is verified too late; where requests are few, one never."""
    delays = []
    for seed in (5000, 5014, 5175):
        [notice] = DecisionWorld(situations.draw_situation(seed)).play().announcements
        delays.append((notice.claim, notice.is_in_time, notice.verified_delay is None))
        assert notice.shift_delay is not None
        assert abs(notice.shift_delay) < MOST_SHIFT_DELAY

    assert delays == [("within", False, False), ("few requests", False, True), ("within", True, False)]


def test_a_wrong_world_is_printed_with_every_answer_of_its_gates() -> None:
    """Whole lines of each rollback; of one that began, all gates."""
    outcome = DecisionWorld(situations.draw_situation(5175)).play()
    wrong = replace(outcome, truth=replace(outcome.truth, row="nothing fails"))

    assert next(figures.describe_aims([outcome])).startswith(figures.POSSIBLE)
    assert next(figures.describe_aims([wrong])).startswith(figures.REFUTED)
    lines = [*figures.describe([figures.Judged(wrong, threshold=False, mann_whitney=False)])]

    assert lines[-len(outcome.reasons) :] == [f"    {reason}" for reason in outcome.reasons]
    assert len(outcome.reasons) == 1 + len(gates_for(RequestKind.ALERT))


def test_the_same_seed_plays_the_same_world() -> None:
    """A wrong world is found again by its seed."""
    outcomes = [DecisionWorld(situations.draw_situation(8)).play() for _ in range(2)]

    assert outcomes[0] == outcomes[1]


def test_every_kind_is_drawn_and_every_rate_is_of_a_kind() -> None:
    """The mix has no kind that no seed plays, and no year an event that is no kind."""
    kinds = {situations.draw_situation(seed).kind for seed in range(2000)}

    assert kinds == {*situations.KINDS}
    assert situations.EVENTS_A_YEAR.keys() <= kinds
