"""The alerts of an incident: which of them a rollback answers, and which nobody has judged."""

from collections.abc import Collection, Iterable

from shared.domain.policy.scenario_names import Mode, ScenarioName
from shared.domain.policy.system_policy import Policy
from shared.domain.signals.alert import Alert, open_alerts


def unjudged_alerts(alerts: Iterable[Alert]) -> list[Alert]:
    """The open ones that no decision has taken in."""
    return [alert for alert in open_alerts(alerts) if not alert.absorbed_by]


def alerts_answered_by_scenario(
    alerts: Iterable[Alert], policy: Policy, scenario: ScenarioName, functions: Collection[str]
) -> list[Alert]:
    """Return the alerts that this plan answers; a signal that is only watched asks for none."""
    return [
        alert
        for alert in alerts
        if policy.strictest_mode(policy.signals[alert.signal]) is Mode.OBSERVE
        or (
            policy.signals[alert.signal].scenario in _scenarios_covered_by(scenario)
            and (alert.function is None or alert.function in functions)
        )
    ]


def _scenarios_covered_by(scenario: ScenarioName) -> tuple[ScenarioName, ...]:
    """The scenarios that one does as well: everything is more than each of its parts."""
    if scenario is not ScenarioName.COMPLETE:
        return (scenario,)
    return (scenario, ScenarioName.FUNCTIONS, ScenarioName.AUTH, ScenarioName.FEATURE)
