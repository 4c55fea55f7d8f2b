"""A minute's storm: ten thousand messages of twelve kinds, the same ones for the same seed."""

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from random import Random
from typing import Any

from msgspec import Struct

from shared.core import topics
from shared.domain.policy.system_policy import Policy, service_of

SIZE = 10_000
FUNCTION_FAILS = "function_failure_rate"
SHARES = {
    "duplicate": 0.55,
    "closed": 0.05,
    "test": 0.04,
    "foreign": 0.05,
    "other signal": 0.08,
    "garbage": 0.04,
    "command": 0.04,
    "deployment": 0.02,
    "tick": 0.02,
    "work": 0.05,
    "notice": 0.05,
}
"""Of what is left when every function has its own incident: the twelfth kind."""
GARBAGE = (b"\xff\xfe no text", b"[" * 5000, b"{", b'{"incident": 7}', b"null", b"\0" * 1000)


class Told(Struct, frozen=True):
    """One message of the storm."""

    kind: str
    topic: str
    data: bytes
    leaves: tuple[str, ...]
    """Documents that prove that it was acted on; `{id}` is the message's own id."""
    refused: bool = False
    """Whether it must be a dead letter instead."""


def storm(policy: Policy, now: datetime, random: Random, size: int = SIZE) -> list[Told]:
    """All messages in the order in which they are sent; the first alert is a mild one."""
    tellers = _Tellers(policy, now, random)
    told = [tellers.incident(function) for function in policy.functions]
    rest = size - len(told) - 1
    for kind, share in SHARES.items():
        teller = tellers.of(kind)
        told += [teller() for _ in range(round(rest * share))]
    told += [tellers.duplicate() for _ in range(size - 1 - len(told))]
    random.shuffle(told)
    return [tellers.mild("slow_response"), *told[: size - 1]]


def incident(policy: Policy, now: datetime, function: str) -> Told:
    """A function's own incident begins; said again, it is a duplicate."""
    return _Tellers(policy, now, Random(0)).incident(function)


class _Tellers:
    """One teller for each kind."""

    def __init__(self, policy: Policy, now: datetime, random: Random) -> None:
        self._policy = policy
        self._now = now
        self._random = random
        self._functions = tuple(policy.functions)

    def of(self, kind: str) -> Callable[[], Told]:
        tellers: dict[str, Callable[[], Told]] = {
            "duplicate": self.duplicate,
            "closed": self._closed,
            "test": self._test,
            "foreign": self._foreign,
            "other signal": self._other_signal,
            "garbage": self._garbage,
            "command": self._command,
            "deployment": self._deployment,
            "tick": lambda: Told("tick", topics.CLOCK, b"{}", ()),
            "work": lambda: self._due("work", topics.WORK, "rollback"),
            "notice": lambda: self._due("notice", topics.NOTICES, "notice"),
        }
        return tellers[kind]

    def incident(self, function: str, kind: str = "incident") -> Told:
        """Each function has an incident of its own."""
        name = f"0.{function}"
        content = self._notification(name, FUNCTION_FAILS, function)
        return Told(kind, topics.ALERTS, _json(content), (f"alerts/{name}:open",))

    def duplicate(self) -> Told:
        return self.incident(self._random.choice(self._functions), "duplicate")

    def mild(self, signal: str) -> Told:
        name = f"0.{signal}"
        content = self._notification(name, signal)
        return Told("other signal", topics.ALERTS, _json(content), (f"alerts/{name}:open",))

    def _other_signal(self) -> Told:
        """Milder ones, which ask for nothing or for the same."""
        mild = ("slow_response", "error_rate", "quota_usage", "functions_failing_share")
        return self.mild(self._random.choice(mild))

    def _closed(self) -> Told:
        """The end of an incident whose beginning nobody has told."""
        name = f"0.over-{self._random.randrange(40)}"
        content = self._notification(name, FUNCTION_FAILS, state="closed")
        return Told("closed", topics.ALERTS, _json(content), (f"alerts/{name}:closed",))

    def _test(self) -> Told:
        content = {"version": "test", "incident": {"incident_id": "12345", "state": "OPEN"}}
        proof = ("systems/unclaimed/audit/test:{id}",)
        return Told("test", topics.ALERTS, _json(content), proof)

    def _foreign(self) -> Told:
        content = self._notification("0.foreign", FUNCTION_FAILS)
        content["incident"]["resource"]["labels"]["project_id"] = "elsewhere"
        return Told("foreign", topics.ALERTS, _json(content), (), refused=True)

    def _garbage(self) -> Told:
        topic = self._random.choice([name for name in topics.ALL_TOPICS if name in _UNDERSTOOD])
        return Told("garbage", topic, self._random.choice(GARBAGE), (), refused=True)

    def _command(self) -> Told:
        """Three promotions, each said many times; and words that nobody understands."""
        said = {"version": 1, "reason": "a storm", "system": self._policy.system}
        if self._random.random() < 0.5:
            odd = _json({**said, "command": "format-the-disk"})
            return Told("command", topics.OVERRIDE, odd, (), refused=True)
        name = f"storm-{self._random.randrange(3)}"
        promotion = _json({**said, "id": name, "command": "promote", "mode": "act"})
        return Told("command", topics.OVERRIDE, promotion, (f"commands/{name}",))

    def _deployment(self) -> Told:
        """One deployment, announced by a pipeline that repeats itself; nothing of it is stable."""
        said = {"version": 1, "system": self._policy.system, "deployment": "v2"}
        if self._random.random() < 0.5:
            stable = _json({**said, "deployment": "v3", "stable": True})
            return Told("deployment", topics.DEPLOYMENTS, stable, (), refused=True)
        proof = (f"deployments/{self._policy.system}:v2",)
        return Told("deployment", topics.DEPLOYMENTS, _json(said), proof)

    def _due(self, kind: str, topic: str, what: str) -> Told:
        """What is handed over again, and what was never there."""
        first = f"INC-{self._now:%Y%m%d}-001"
        real = {"rollback": first, "notice": f"{first}:incident.detected:record"}
        name = self._random.choice([real[what], "nobody"])
        due = {"kind": what, "id": name, "due_at": self._now.isoformat()}
        return Told(kind, topic, _json(due), ())

    def _notification(
        self, incident: str, signal: str, function: str = "", state: str = "open"
    ) -> dict[str, Any]:
        began = int((self._now - timedelta(minutes=1)).timestamp())
        labels = {"project_id": self._policy.project}
        if function:
            labels["service_name"] = service_of(function)
        return {
            "version": "1.2",
            "incident": {
                "incident_id": incident,
                "state": state,
                "started_at": began,
                "ended_at": began + 30 if state == "closed" else None,
                "condition_name": signal,
                "summary": f"{signal} of {function or self._policy.system}",
                "resource": {"type": "cloud_run_revision", "labels": labels},
                "policy_user_labels": {"rollback_system": self._policy.system, "rollback_signal": signal},
            },
        }


_UNDERSTOOD = (topics.ALERTS, topics.OVERRIDE, topics.DEPLOYMENTS, topics.WORK, topics.NOTICES)
"""Topics whose messages must say something; a tick need not."""


def switch(verb: str, name: str) -> Told:
    """The kill switch, everywhere."""
    said = {"version": 1, "id": name, "command": verb, "reason": "we are looking ourselves"}
    return Told("command", topics.OVERRIDE, _json(said), (f"commands/{name}",))


def _json(content: Any) -> bytes:
    return json.dumps(content).encode()
