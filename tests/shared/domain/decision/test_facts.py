"""What the facts of a decision tell of each function."""

import pytest
from msgspec.structs import replace

from shared.domain.decision.gates.base import GateResult, Outcome
from shared.domain.policy.probes import Probe
from shared.domain.policy.scenario_names import Mode, ScenarioName
from shared.domain.policy.severity import Severity
from shared.domain.policy.signals import Signal
from shared.domain.signals.alert import EvidenceSource
from shared.domain.signals.health import RouterRequests
from shared.domain.signals.probe_history import PROBE_REPEATS, SLOWDOWN_SIGNAL
from tests.support.decision.gate_facts import ALERT, change_facts, decide
from tests.support.runtime.world import BOOKSHOP

BASKET = "renderBasket"
ALL_FAILED = RouterRequests(20, 20)


@pytest.mark.parametrize(
    ("requests", "fails"),
    [
        pytest.param(RouterRequests(200, 30), True, id="it counts requests of before the release"),
        pytest.param(RouterRequests(200, 20), False, id="it has recovered since"),
    ],
)
def test_first_requests_prove_a_failure_that_later_ones_do_not_contradict(
    requests: RouterRequests, fails: bool
) -> None:
    """A function that a roll-out changed last is not diluted by what its old revision answered."""
    facts = change_facts(alerts=(), requests={BASKET: requests}, first_requests={BASKET: ALL_FAILED})

    assert (BASKET in facts.assess(BOOKSHOP).failing) is fails
    assert BASKET not in change_facts(requests={BASKET: requests}).assess(BOOKSHOP).failing


@pytest.mark.parametrize(
    ("requests", "stays"),
    [
        pytest.param(RouterRequests(0, 0), True, id="no request"),
        pytest.param(RouterRequests(20, 4), True, id="a fifth fails"),
        pytest.param(RouterRequests(20, 0), False, id="all work"),
    ],
)
def test_an_open_question_keeps_what_is_not_proven_to_work(requests: RouterRequests, stays: bool) -> None:
    """Its plan does not change with each request of a quiet function."""
    facts = change_facts(alerts=(), requests={BASKET: requests}, asked_before=(BASKET,))

    assert (BASKET in facts.find_known_failing(BOOKSHOP)) is stays


ALL_ANSWERS_FAIL = RouterRequests(PROBE_REPEATS + 1, PROBE_REPEATS + 1)
PROBED = replace(
    BOOKSHOP,
    probes=(
        Probe("book", function="getBook"),
        Probe("shop"),
        Probe("provider", function="payOrder", external=True),
    ),
)


@pytest.mark.parametrize(
    ("requests", "answers", "failing"),
    [
        pytest.param({}, ALL_ANSWERS_FAIL, {"getBook"}, id="nothing else is known"),
        pytest.param({"getBook": RouterRequests(4, 0)}, ALL_ANSWERS_FAIL, {"getBook"}, id="few requests"),
        pytest.param({"getBook": RouterRequests(20, 0)}, ALL_ANSWERS_FAIL, set(), id="its requests work"),
        pytest.param({}, RouterRequests(PROBE_REPEATS, PROBE_REPEATS), set(), id="repeats are missing"),
        pytest.param({}, RouterRequests(20, 4), set(), id="too few answers fail"),
    ],
)
def test_a_probe_that_fails_is_evidence_about_its_function(
    requests: dict[str, RouterRequests], answers: RouterRequests, failing: set[str]
) -> None:
    """What fails has a cause and a scope, although nothing was counted."""
    counts = dict.fromkeys(("book", "shop", "provider"), answers)
    facts = change_facts(alerts=(ALERT,), requests=requests, probe_counts=counts)

    assert facts.find_failing_functions(PROBED) == failing


def test_probes_share_the_budget_and_tell_of_no_other_function() -> None:
    """Two functions whose probes fail make no failing group; more probes need more answers."""
    level = replace(BOOKSHOP.signals["function_failure_rate"], threshold=0.5)
    halves = replace(PROBED, signals={**BOOKSHOP.signals, "function_failure_rate": level})
    further = Probe("basket", function=BASKET)
    crowded = replace(halves, probes=(*halves.probes, further, *(Probe(f"p{n}") for n in range(20))))
    answers = RouterRequests(10, 10)
    facts = change_facts(alerts=(ALERT,), requests={}, probe_counts={"book": answers, "basket": answers})

    few = replace(halves, probes=(*halves.probes, further))

    assert facts.find_failing_functions(few) == {"getBook", BASKET}
    assert facts.find_failing_functions(crowded) == set()


def test_probes_name_what_fails_where_nothing_is_counted() -> None:
    """Cloud Monitoring raised the alert, and no request is counted yet."""
    alert = replace(ALERT, source=EvidenceSource.MONITORING)
    facts = change_facts(alerts=(alert,), requests={}, probe_counts={"book": ALL_ANSWERS_FAIL})

    decision = decide(facts, probes=PROBED.probes)

    assert (decision.outcome, decision.scope) == (Outcome.ROLLBACK, ("getBook",))


@pytest.mark.parametrize(
    ("signal", "answer"), [(SLOWDOWN_SIGNAL, GateResult.PASS), ("function_failure_rate", GateResult.UNKNOWN)]
)
def test_a_slow_probe_confirms_that_the_system_is_slow(signal: str, answer: GateResult) -> None:
    """It is evidence about its function where an alert reports slowness, not of a failure."""
    slow = Signal(Severity.HIGH, ScenarioName.FUNCTIONS, Mode.ACT, threshold=0.5)
    signals = {**BOOKSHOP.signals, SLOWDOWN_SIGNAL: slow}
    alert = replace(ALERT, signal=signal, source=EvidenceSource.MONITORING)
    facts = change_facts(alerts=(alert,), requests={}, slow_probes=frozenset({"book"}))

    decision = decide(facts, probes=PROBED.probes, signals=signals)

    [confirmation] = [gate for gate in decision.answers if gate.gate == "still true"]
    is_slow = signal == SLOWDOWN_SIGNAL
    assert confirmation.answer is answer
    assert (facts.find_failing_functions(replace(PROBED, signals=signals)) == {"getBook"}) is is_slow
