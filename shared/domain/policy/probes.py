"""Policy: probes and verification checks."""

from datetime import timedelta
from enum import StrEnum
from typing import Any

from msgspec import Struct

from shared.domain.policy.scenario_names import ScenarioName


class ProbeMethod(StrEnum):
    """The HTTP method of a probe: those that an uptime check of Cloud Monitoring has too."""

    GET = "GET"
    POST = "POST"


class ProbeAccount(Struct, frozen=True):
    """The test account that a probe signs in as at Identity Platform, with a password alone."""

    email: str
    password_secret: str
    """The secret of the operations project that holds the password, by its name."""
    api_key_secret: str
    """The same of the application's web API key."""


class ExpectedAnswer(Struct, frozen=True):
    """What a healthy system answers; all that is declared must hold."""

    status: int | None = None
    """The HTTP status; None: any below the probe's `status_below`."""
    json: dict[str, Any] = {}
    """Values of the JSON answer by their path, such as `result.items.0`; None: any but null."""
    text: str = ""
    """A text that the answer contains."""


class Probe(Struct, frozen=True):
    """One request from outside: does this answer as a healthy system does?"""

    name: str
    url: str = ""
    """The address that is requested; empty: a sign-in alone is tried."""
    sign_in: ProbeAccount | None = None
    """The test account that sends the request: its ID token is the bearer token."""
    method: ProbeMethod = ProbeMethod.GET
    body: Any = None
    """A text is sent as it is, any other value as JSON; None: no body."""
    headers: dict[str, str] = {}
    expect: ExpectedAnswer = ExpectedAnswer()
    function: str | None = None
    """The function that it exercises; it then judges that function's canary."""
    status_below: int = 500
    timeout: timedelta = timedelta(seconds=10)
    slow_after: timedelta | None = None
    """An answer that takes longer is slow, which is no failure; None: none is."""
    signal: str | None = None
    """The signal that it tells of, asked each half minute; None: asked only when it is needed."""
    external: bool = False
    """It asks what the system depends on and nobody here changes: failing, it explains trouble."""


class VerificationCheck(Struct, frozen=True):
    """One verification step; all that is declared for it counts. Nothing: it is not declared."""

    scenarios: tuple[ScenarioName, ...] = ()
    """Those that have this step; after others it is checked where its functions were restored."""
    probes: tuple[str, ...] = ()
    """Names of probes that must pass."""
    groups: tuple[str, ...] = ()
    """Groups whose requests must be enough, by the routers' count, and must not fail."""
    sign_in_failures: float | None = None
    """The share of sign-ins that may fail, once authentication is restored; None: not counted."""
    collections: tuple[str, ...] = ()
    """Declared collections whose documents must all be valid once documents were restored."""
