"""What looks at a drawn world from outside: probes, uptime checks and Cloud Monitoring's alerts."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from random import Random
from statistics import median
from typing import Any

from msgspec import Struct

from shared.core.errors import Rejected
from shared.core.runtime import Clock
from shared.domain.policy.probes import Probe, ProbeMethod
from shared.domain.policy.signals import Signal
from shared.domain.policy.system_policy import service_of
from shared.domain.signals.health import ProbeAnswer
from tests.chaos.decisions.situations import Situation
from tests.chaos.decisions.traffic import MINUTE, DrawnTraffic
from tests.support.fakes.run.services import USUAL_SECONDS

SITE_SECONDS = 0.2
UPTIME_REGIONS, FAILING_REGIONS, SITE_CHECKS = 3, 2, 3
"""Checks a minute apart, and a condition that lasts 30 s: three half minutes in two regions."""
ENOUGH_MINUTES = 5
"""A ratio needs `gates.minimum_requests` in so many minutes (terraform/alert_conditions.tf)."""
ENOUGH_FAILURES = 8
"""Fewer failed requests of a function raise no alert (terraform/alert_conditions.tf)."""
SHARE_MINUTES = 2
QUIET_MINUTES = 15
GROUP = "group:"
"""Before the name of a group among readings by function; its notification names no function."""
NOTIFICATION_SECONDS = (5.0, 35.0)
"""Between an evaluation and its message; others measured 33 to 35 s after a log line."""
_MOMENT = timedelta(seconds=1)


class DrawnProber:
    """A Prober that meets what a request would meet at this moment."""

    def __init__(
        self, situation: Situation, traffic: DrawnTraffic, clock: Clock, is_site_up: Callable[[], bool]
    ) -> None:
        self._situation = situation
        self._traffic = traffic
        self._clock = clock
        self._is_site_up = is_site_up
        self._random = Random(situation.seed + 1)

    def ask(self, probe: Probe) -> ProbeAnswer:
        """One request, which takes its time."""
        seconds = self._seconds(probe)
        if seconds > probe.timeout.total_seconds():
            self._clock.sleep(probe.timeout.total_seconds())
            return ProbeAnswer(False, None, "no answer in time", probe.timeout.total_seconds())
        self._clock.sleep(seconds)
        is_cut_off = probe.name in self._situation.failing_probes and self._traffic.is_failing(
            self._clock.now()
        )
        if is_cut_off or not self.meets_success(probe):
            return ProbeAnswer(False, None if is_cut_off else 500, "expected another status", seconds)
        return ProbeAnswer(True, probe.expect.status or 200, seconds=seconds)

    def meets_success(self, probe: Probe) -> bool:
        """Return whether one request, sent from anywhere, is answered as expected."""
        now = self._clock.now()
        if self._situation.is_sign_in_down and self._traffic.is_failing(now) and probe.sign_in is not None:
            return False
        if probe.function is None:
            return self._is_site_up() or probe.sign_in is not None
        if not self._situation.is_crash and is_shallow(probe):
            return True
        ratio = self._traffic.failure_ratio(probe.function, now - _MOMENT, now)
        return self._random.random() >= ratio

    def _seconds(self, probe: Probe) -> float:
        if probe.function is None:
            return SITE_SECONDS
        now = self._clock.now()
        return self._traffic.seconds(probe.function, now - _MOMENT, now) * self._random.uniform(0.8, 1.2)


def is_shallow(probe: Probe) -> bool:
    """Return whether a probe proves only that a container starts: a plain GET of a callable."""
    is_callable = probe.function is not None and "id=" not in probe.url
    return is_callable and probe.method is ProbeMethod.GET and probe.expect.status is None


class OpenAlert(Struct):
    """One alert of Cloud Monitoring that has been opened."""

    id: str
    signal: str
    function: str | None
    started_at: datetime


Readings = Mapping[str, bool]
"""Whether a condition holds, by function ("" for the whole system)."""


class DrawnMonitoring:
    """The alert policies that Terraform makes of a policy, over drawn points; an AlertStates."""

    def __init__(
        self,
        situation: Situation,
        traffic: DrawnTraffic,
        prober: DrawnProber,
        clock: Clock,
        publish: Callable[[Mapping[str, Any], float], None],
    ) -> None:
        self._situation = situation
        self._traffic = traffic
        self._prober = prober
        self._clock = clock
        self._publish = publish
        self._policy = situation.policy
        self._random = Random(situation.seed + 2)
        self._open: dict[tuple[str, str], OpenAlert] = {}
        self._ended: set[str] = set()
        self._functions = (*situation.policy.functions,)
        self._sum = cache(self._sum_counts)
        self._site_checks = [0] * SITE_CHECKS
        """Regions in which the newest checks of the site failed, one entry a minute."""

    def is_open(self, alert: str) -> bool:
        """Return whether an alert is open. Raises: Rejected for an unknown one."""
        if alert in self._ended:
            return False
        if any(opened.id == alert for opened in self._open.values()):
            return True
        raise Rejected(f"there is no alert {alert}")

    def evaluate(self) -> None:
        """Evaluate each alert policy over the newest points, and publish what changed."""
        newest = self._traffic.newest_visible()
        site = next((probe for probe in self._policy.probes if probe.signal == "frontend_unavailable"), None)
        failed = sum(not self._prober.meets_success(site) for _ in range(UPTIME_REGIONS)) if site else 0
        self._site_checks.append(failed)
        for name, signal in self._policy.signals.items():
            for function, holds in self._measure(name, signal, newest).items():
                self._change(name, function, holds=holds)

    def open_unknown(self, function: str) -> None:
        """Open an alert about a function that the policy does not know."""
        self._change("function_failure_rate", function, holds=True)

    def _measure(self, name: str, signal: Signal, newest: int) -> Readings:
        minutes = -(-signal.duration // MINUTE) if signal.duration else 1
        match name:
            case "function_failure_rate":
                threshold, minutes = signal.threshold or 0.5, max(1, minutes)
                readings = {
                    function: self._is_function_failing(function, newest, threshold, minutes)
                    or self._is_quiet_failing((function,), newest, threshold, minutes)
                    for function in self._functions
                }
                return readings | {
                    GROUP + name: self._is_quiet_failing(group.functions, newest, threshold, minutes)
                    for name, group in self._policy.groups.items()
                    if len(group.functions) > 1
                }
            case "functions_failing_share":
                return {"": self._failing_share(newest) > (signal.threshold or 0.25)}
            case "error_rate":
                return {"": self._is_system_failing(newest, signal.threshold or 0.1, 5)}
            case "performance_degraded":
                is_slow = all(self._is_slower(newest - age, signal.threshold or 0.5) for age in range(5))
                return {"": is_slow or self._is_system_failing(newest, 0.25, 5)}
            case "authentication_failure":
                counts = [self._traffic.count_sign_ins(newest - age) for age in range(5)]
                return {"": all(failed > (signal.threshold or 0.8) * total for total, failed in counts)}
            case "frontend_unavailable":
                return {"": min(self._site_checks[-SITE_CHECKS:]) >= FAILING_REGIONS}
        return {}

    def _is_function_failing(self, function: str, newest: int, threshold: float, minutes: int) -> bool:
        total, failed = self._traffic.count(function, newest)
        if failed <= threshold * total:
            return False
        counts = [self._traffic.count(function, newest - age) for age in range(max(minutes, ENOUGH_MINUTES))]
        is_lasting = all(failed > threshold * total for total, failed in counts[:minutes])
        total, failed = map(sum, zip(*counts[:ENOUGH_MINUTES], strict=True))
        return is_lasting and total >= self._enough and failed >= ENOUGH_FAILURES

    def _is_quiet_failing(
        self, functions: tuple[str, ...], newest: int, threshold: float, minutes: int
    ) -> bool:
        for age in range(minutes):
            total, failed = self._sum(functions, newest - age, QUIET_MINUTES)
            if total < self._enough or failed < ENOUGH_FAILURES or failed <= threshold * total:
                return False
        return True

    @property
    def _enough(self) -> int:
        return self._policy.gates.minimum_requests

    def _failing_share(self, newest: int) -> float:
        requests, failures = self._sum(self._functions, newest, SHARE_MINUTES)
        if requests < self._enough or failures < ENOUGH_FAILURES:
            return 0.0
        counts = [self._sum((function,), newest, SHARE_MINUTES) for function in self._functions]
        active = [(total, failed) for total, failed in counts if total]
        return sum(failed > 0.5 * total for total, failed in active) / len(active)

    def _is_system_failing(self, newest: int, threshold: float, minutes: int) -> bool:
        for age in range(minutes):
            total, failed = self._sum(self._functions, newest - age, SHARE_MINUTES)
            if total < self._enough or failed <= threshold * total:
                return False
        return True

    def _is_slower(self, minute: int, threshold: float) -> bool:
        if self._situation.slowdown == 1.0:
            return False
        end = datetime.fromtimestamp((minute + 1) * 60, tz=UTC)
        slowdowns = [
            self._traffic.seconds(function, end - 5 * MINUTE, end) / USUAL_SECONDS
            for function in self._functions
            if self._sum((function,), minute, ENOUGH_MINUTES)[0] >= self._enough
        ]
        return bool(slowdowns) and median(slowdowns) - 1.0 > threshold

    def _sum_counts(self, functions: tuple[str, ...], newest: int, minutes: int) -> tuple[int, int]:
        ages = range(minutes)
        counts = [self._traffic.count(function, newest - age) for function in functions for age in ages]
        return sum(total for total, _ in counts), sum(failed for _, failed in counts)

    def _change(self, signal: str, function: str, *, holds: bool) -> None:
        opened = self._open.get((signal, function))
        if holds == (opened is not None):
            return
        now = self._clock.now()
        if opened is None:
            number = len(self._open) + len(self._ended)
            named = None if function.startswith(GROUP) else function or None
            alert = OpenAlert(f"0.{signal}.{number}", signal, named, now)
            self._open[signal, function] = alert
        else:
            alert = self._open.pop((signal, function))
            self._ended.add(alert.id)
        labels = {"project_id": self._policy.project}
        if alert.function:
            labels["service_name"] = service_of(alert.function)
        incident = {
            "incident_id": alert.id,
            "state": "open" if holds else "closed",
            "started_at": int(alert.started_at.timestamp()),
            "ended_at": None if holds else int(now.timestamp()),
            "policy_name": signal,
            "condition_name": signal,
            "summary": signal,
            "resource": {"type": "cloud_run_revision", "labels": labels},
            "policy_user_labels": {"rollback_system": self._policy.system, "rollback_signal": signal},
        }
        self._publish({"version": "1.2", "incident": incident}, self._random.uniform(*NOTIFICATION_SECONDS))
