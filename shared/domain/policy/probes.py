"""Policy: probes and verification checks."""

from datetime import timedelta

from msgspec import Struct


class ProbeAccount(Struct, frozen=True):
    """Whom a probe signs in as at Identity Platform, with a password and nothing else."""

    email: str
    password_secret: str
    """The secret of the operations project that holds the password, by its name."""
    api_key_secret: str
    """The same of the application's web API key."""


class Probe(Struct, frozen=True):
    """One question asked from outside: does this answer as a healthy system does?"""

    name: str
    url: str = ""
    """The address that is asked; empty: a sign-in is tried."""
    sign_in: ProbeAccount | None = None
    function: str | None = None
    """The function that it exercises; it then judges that function's canary."""
    status_below: int = 500
    timeout: timedelta = timedelta(seconds=10)
    signal: str | None = None
    """The signal that it tells of, asked each half minute; None: asked only when it is needed."""
    external: bool = False
    """It asks what the system depends on and nobody here changes: failing, it explains trouble."""


class VerificationCheck(Struct, frozen=True):
    """One thing that must work once functions are back; all that is declared of it counts."""

    probes: tuple[str, ...] = ()
    """Names of probes that must pass."""
    groups: tuple[str, ...] = ()
    """Groups whose requests must be enough, by the routers' count, and must not fail."""
    sign_in_failures: float | None = None
    """The share of sign-ins that may fail, once authentication is restored; None: not counted."""
