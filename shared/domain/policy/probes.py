"""Policy: probes and verification checks."""

from datetime import timedelta
from enum import StrEnum
from typing import Any

from shared.core.codec import FrozenStruct, JsonObject
from shared.domain.policy.scenario_names import ScenarioName


class ProbeMethod(StrEnum):
    """The HTTP method of a probe: those that an uptime check of Cloud Monitoring has too."""

    GET = "GET"
    POST = "POST"


class ProbeAccount(FrozenStruct):
    """The test account that a probe signs in as at Identity Platform, with a password alone."""

    email: str
    password_secret: str
    api_key_secret: str


UNHANDLED = frozenset({400, 401, 403})
"""A callable answers so to a GET (400; Firebase, "Protocol specification for https.onCall"), and
Google to a caller without access (401, 403; Cloud Run, "Troubleshoot issues")."""


class ExpectedAnswer(FrozenStruct):
    """What a healthy system answers; all that is declared must hold."""

    status: int | None = None
    json: JsonObject = {}
    text: str = ""


class Probe(FrozenStruct):
    """One request from outside: does this answer as a healthy system does?"""

    name: str
    url: str = ""
    sign_in: ProbeAccount | None = None
    method: ProbeMethod = ProbeMethod.GET
    body: Any = None
    headers: dict[str, str] = {}
    expect: ExpectedAnswer = ExpectedAnswer()
    function: str | None = None
    status_below: int = 500
    timeout: timedelta = timedelta(seconds=10)
    slow_after: timedelta | None = None
    """An answer that takes longer is slow, which is no failure; None: none is."""
    signal: str | None = None
    external: bool = False

    @property
    def may_miss_handler(self) -> bool:
        """Return whether it passes if a callable, or Google, answers before the handler runs."""
        expected, is_get = self.expect, self.method is ProbeMethod.GET
        is_passed = self.status_below > 400 if expected.status is None else expected.status in UNHANDLED
        return self.function is not None and is_get and is_passed and not (expected.json or expected.text)


class VerificationCheck(FrozenStruct):
    """One verification step; all that is declared for it counts. Nothing: it is not declared."""

    scenarios: tuple[ScenarioName, ...] = ()
    probes: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    sign_in_failures: float | None = None
    collections: tuple[str, ...] = ()
