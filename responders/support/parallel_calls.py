"""Calls beside each other, each of which may give no answer."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from msgspec.structs import replace

from shared.core.codec import FrozenStruct
from shared.core.errors import RollbackError, Unavailable
from shared.domain.policy.probes import Probe
from shared.domain.signals.health import ProbeAnswer, RouterRequests
from shared.domain.signals.probe_history import PROBE_REPEATS
from shared.ports.groups import Ports
from shared.ports.platform import Metrics, Prober

CALL_TIMEOUT_SECONDS = 20.0
"""Well within the lease."""
METRICS_WINDOW = timedelta(minutes=5)
"""Points come up to 3 minutes late; the two minutes before say something."""
MAX_PARALLEL_CALLS = 16
"""Of many calls so many are made beside each other: as many as there are threads for them."""
BATCH_START_LIMIT_SECONDS = 8.0
"""No batch of them is begun after that, so that all of it ends well within the lease."""
MAX_TOTAL_SECONDS = BATCH_START_LIMIT_SECONDS + CALL_TIMEOUT_SECONDS
"""So long they take together."""

Call = Callable[[], Any]
Calls = Mapping[str, Call]
"""By the name under which the answer is returned."""
MAX_REPEAT_SECONDS = 5.0
"""No further repeat of a probe begins after so long, so that all of them end in time."""

ExtendLease = Callable[[float], None]
"""Returns with a lease that lasts for so many seconds (`Case.extend_lease`)."""


def skip_lease(seconds: float) -> None:
    """Whoever decides nothing has none to lose."""


class ObservedHealth(FrozenStruct):
    """How a system looks: to its routers, and from outside."""

    requests: Mapping[str, RouterRequests] | None
    """Per service (short name); None: the metrics could not be read."""
    probes: Mapping[str, ProbeAnswer]
    """By name; a probe that could not be asked is not among them."""


def call_all(ports: Ports, calls: Calls, seconds: float = CALL_TIMEOUT_SECONDS) -> dict[str, Any]:
    """Make calls in parallel; one without an answer has its error. Raises: any other error."""
    pool = ports.pool()
    ended: dict[str, Any] = {}
    give_up_at = ports.clock.monotonic() + seconds
    try:
        for name, call in calls.items():
            pool.submit(name, call)
        while len(pool) and (remaining := give_up_at - ports.clock.monotonic()) > 0:
            ended.update(pool.wait(remaining))
    finally:
        pool.close()
    answers = {
        name: ended[name] if name in ended else Unavailable(f"{name}: no answer in {seconds:.0f} s")
        for name in calls
    }
    for answer in answers.values():
        if isinstance(answer, BaseException) and not isinstance(answer, RollbackError):
            raise answer
    return answers


def call_in_batches(
    ports: Ports, calls: Calls, size: int = MAX_PARALLEL_CALLS, seconds: float = BATCH_START_LIMIT_SECONDS
) -> dict[str, Any]:
    """Make calls batch by batch; none begins after `seconds`. Raises: as `call_all`."""
    answers: dict[str, Any] = {}
    give_up_at = ports.clock.monotonic() + seconds
    names = list(calls)
    for first in range(0, len(names), size):
        if ports.clock.monotonic() > give_up_at:
            break
        answers |= call_all(ports, {name: calls[name] for name in names[first : first + size]})
    return answers


def call_one(ports: Ports, call: Call, seconds: float = CALL_TIMEOUT_SECONDS) -> Any:
    """The answer of one call within its time. Raises: its RollbackError."""
    return require_answer(call_all(ports, {"it": call}, seconds)["it"])


def build_health_calls(
    ports: Ports, metrics: Metrics, probes: Iterable[Probe], since: datetime, now: datetime
) -> dict[str, Call]:
    """The calls that look at a system, to be made beside others."""
    return {
        "metrics": partial(metrics.requests, since, now),
        **{f"probe {probe.name}": partial(ask_repeatedly, ports.prober, probe) for probe in probes},
    }


def ask_repeatedly(prober: Prober, probe: Probe) -> ProbeAnswer:
    """Return the answer of a probe; a wrong one is repeated at once, and most of them count.

    A probe without an answer is not repeated: it has taken its whole time. Raises: as `Prober.ask`.
    """
    answer, answers = prober.ask(probe), list[ProbeAnswer]()
    while not answer.passed and answer.status is not None and len(answers) < PROBE_REPEATS:
        answers.append(prober.ask(probe))
        if sum(repeat.seconds for repeat in answers) > MAX_REPEAT_SECONDS:
            break
    failures = sum(not repeat.passed for repeat in (answer, *answers))
    total = 1 + len(answers)
    return replace(answer, passed=failures <= total / 2, answers=total, failures=failures)


def read_health_answers(answers: Mapping[str, Any]) -> ObservedHealth:
    """What the calls of `build_health_calls` found."""
    return ObservedHealth(
        requests=answer_or_none(answers["metrics"]),
        probes={
            name.removeprefix("probe "): answer
            for name, answer in answers.items()
            if isinstance(answer, ProbeAnswer)
        },
    )


def build_alert_state_calls(ports: Ports, system: str, alerts: Iterable[str]) -> Calls:
    """The calls that ask Cloud Monitoring which alerts are open, to be made beside others."""
    return {f"alert {name}": partial(ports.system(system).alert_states.is_open, name) for name in alerts}


def read_alert_states(answers: Mapping[str, Any]) -> dict[str, bool]:
    """What the calls of `build_alert_state_calls` found; alerts without an answer are left out."""
    return {name: said for name, said in select_named(answers, "alert ").items() if said is not None}


def require_answer(answer: Any) -> Any:
    """The answer. Raises: the RollbackError that stands in its place."""
    if isinstance(answer, RollbackError):
        raise answer
    return answer


def answer_or_none(answer: Any) -> Any:
    """The answer; None when there is none."""
    return None if isinstance(answer, RollbackError) else answer


def select_named(answers: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    """Those of the calls whose names begin so, without that; None where there is no answer."""
    return {
        name.removeprefix(prefix): answer_or_none(answer)
        for name, answer in answers.items()
        if name.startswith(prefix)
    }
