"""Whether what an alert told of is over: its condition, whatever was notified of it; pure."""

from collections.abc import Collection, Iterable, Mapping
from enum import StrEnum

from shared.core import text
from shared.domain.policy.gate_limits import Gates
from shared.domain.policy.scenario_names import ScenarioName
from shared.domain.policy.system_policy import Policy
from shared.domain.signals import health as healths
from shared.domain.signals.alert import Alert, IncidentScope
from shared.domain.signals.labels import signal_label
from shared.domain.signals.registry import SignalSource, has_source

UNCOUNTED_SOURCES = (SignalSource.DATA, SignalSource.DECLARED)
"""Of these no request tells."""


class ConditionState(StrEnum):
    """What became of what an alert told of."""

    OVER = "over"
    STANDS = "stands"
    UNKNOWN = "not known"


def evaluate_condition(
    alert: Alert,
    states: Mapping[str, bool],
    requests: Mapping[str, healths.RouterRequests] | None,
    gates: Gates,
    *,
    closed: bool | None,
    passing: Collection[str] = (),
) -> ConditionState:
    """Whether the condition of an alert that was opened is over.

    By Cloud Monitoring's own word (`states`, by its id: whether it is open); where that gave no
    answer, by the requests of the function that it names, or of all, where the signal counts them;
    else by the probes that feed its signal (`passing`: the signals whose probes all pass).
    Of a probe of our own its close counts (`closed`): that was looked for, by three good looks.
    """
    if not alert.is_of_monitoring:
        if closed is None:
            return ConditionState.UNKNOWN
        return ConditionState.OVER if closed else ConditionState.STANDS
    said = states.get(alert.monitoring_id)
    if said is not None:
        return ConditionState.STANDS if said else ConditionState.OVER
    otherwise = ConditionState.OVER if alert.signal in passing else ConditionState.UNKNOWN
    if requests is None or not has_source(alert.signal, SignalSource.REQUESTS):
        return otherwise
    whole = healths.sum_requests(one for name, one in requests.items() if alert.function in (None, name))
    if whole.total < gates.minimum_requests:
        return otherwise
    return (
        ConditionState.STANDS if healths.failure_ratio(whole) > gates.failing_above else ConditionState.OVER
    )


def affected_functions(alerts: Iterable[Alert | IncidentScope], policy: Policy) -> set[str]:
    """Return the functions that alerts name, or all; none for data, declared or watched signals."""
    found: set[str] = set()
    for alert in alerts:
        signal = policy.signals.get(alert.signal)  # None: the policy has it no more
        is_general = signal is not None and signal.scenario is not ScenarioName.NONE
        is_general &= not any(has_source(alert.signal, one) for one in UNCOUNTED_SOURCES)
        if alert.function is not None:
            found.add(alert.function)
        elif is_general:
            found.update(policy.functions)
    return found


def failing_lines(functions: Iterable[str], probes: Mapping[str, healths.ProbeAnswer]) -> list[str]:
    """Return one line for the functions that fail, and one for the probes that do."""
    failed = sorted(name for name, answer in probes.items() if not answer.passed)
    kinds = (("functions", sorted(functions)), ("probes", failed))
    return [f"{kind} that fail: {text.join_names(names)}" for kind, names in kinds if names]


def open_condition_lines(judged: Iterable[tuple[Alert, ConditionState]]) -> list[str]:
    """What is not over, or not known to be, one line per signal; nothing: all of it is over."""
    lines, found = [], list(judged)
    for wanted, words in (
        (ConditionState.STANDS, "not over"),
        (ConditionState.UNKNOWN, "not known to be over"),
    ):
        signals: dict[str, list[str]] = {}
        for alert, one in found:
            if one is wanted:
                signals.setdefault(alert.signal, []).extend(filter(None, [alert.function]))
        for signal, functions in sorted(signals.items()):
            shown = text.join_names(sorted(functions))
            lines.append(f"{words}: {signal_label(signal)}{f' of {shown}' if shown else ''}")
    return lines
