"""What a command works with: settings, policies and state, as this shell names them."""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import typer

from cli.support.exit_codes import INTERRUPTED, INVALID_USAGE, NO_ANSWER, REFUSED, create_exit, exit_on
from responders.support.published_policies import find_valid_policies, resolve_policies
from shared.core.durations import parse_duration
from shared.core.errors import BadConfiguration, Rejected, Unavailable
from shared.core.text import suggest_names
from shared.domain.data.backups.restore_point import STAMP, STAMP_FORMAT
from shared.domain.incidents.incident import INCIDENT_ID_PATTERN, Incident
from shared.domain.policy.system_policy import Policies, Policy
from shared.policy_files.loader import load_policies
from shared.state.reader import StateReader
from shared.wiring.adapters import Wiring
from shared.wiring.settings import Settings

CLOSE_TIMEOUT_SECONDS = 2.0
INTERRUPTED_TEXT = "stopped here; a command that was sent goes on without this shell"


@dataclass
class Operations:
    """The responders of one operations project, for reading their state and sending commands."""

    wiring: Wiring
    policies: Policies

    def __post_init__(self) -> None:
        self.reading = StateReader(self.wiring.store)

    def policy(self, system: str) -> Policy:
        """Return the policy of a system; "" is the only one, where there is just one.

        Exits when there is no such system, or the project has no state of any.
        """
        self.require_state()
        return self.declared_policy(system)

    def require_state(self) -> None:
        """Exit when nothing of any system was ever written: it is another project, or a new one."""
        if not any(map(self.reading.has_state, self.policies)):
            project, names = self.wiring.project, ", ".join(self.policies)
            why = f"no state of {names} was ever written in the project {project}"
            raise create_exit(INVALID_USAGE, f"{why}: check GOOGLE_CLOUD_PROJECT")

    def declared_policy(self, system: str) -> Policy:
        """Return the policy of a system as `policy`, whether or not the project has any state."""
        if not system and len(self.policies) == 1:
            return next(iter(self.policies.values()))
        if system in self.policies:
            return self.policies[system]
        known = ", ".join(sorted(self.policies))
        if not system:
            raise create_exit(INVALID_USAGE, f"name a system: --system is one of {known}")
        meant = suggest_names(system, self.policies)
        raise create_exit(INVALID_USAGE, f"no system {system}{meant}; there is {known}")

    def selected_policies(self, system: str) -> list[Policy]:
        """Return the policy of a system as `declared_policy`; "" is every system."""
        return [self.declared_policy(system)] if system else [*self.policies.values()]

    def incident(self, name: str) -> Incident:
        """An incident by its public id; exits when there is none."""
        found = self.reading.incident(name) if INCIDENT_ID_PATTERN.fullmatch(name) else None
        if found is None:
            self.require_state()
            newest = (self.reading.system(system).incident for system in self.policies)
            meant = suggest_names(name, filter(None, newest))
            raise create_exit(REFUSED, f"no incident {name}{meant}; `rollback status` shows the newest")
        return found


@contextmanager
def open_operations() -> Iterator[Operations]:
    """The responders that this shell's environment names; exits with a sentence where it cannot."""
    with connect_wiring(lambda one: load_policies(Path(one.policies)), INTERRUPTED_TEXT) as (wiring, local):
        yield Operations(wiring, _policies_in_force(wiring, local))


def _policies_in_force(wiring: Wiring, local: Policies) -> Policies:
    """Return the published policies; without a bucket or its answer, those of the local files."""
    try:
        return resolve_policies(wiring.store, next(find_valid_policies(wiring, {})).policies)
    except (Rejected, Unavailable) as failure:
        typer.echo(f"the published policies cannot be read, the local files are used: {failure}", err=True)
        return local


@contextmanager
def connect_wiring(load: Callable[[Settings], Policies], stopped: str) -> Iterator[tuple[Wiring, Policies]]:
    """The connection that this shell's environment names, and policies; `stopped`: by Ctrl-C."""
    with exit_on(BadConfiguration, INVALID_USAGE):
        settings = Settings.from_mapping(os.environ)
        policies = load(settings)
        wiring = Wiring(settings, policies, deployed="K_SERVICE" in os.environ)
    try:
        yield wiring, policies
    except BadConfiguration as error:
        raise create_exit(INVALID_USAGE, str(error)) from error
    except (Rejected, Unavailable) as error:
        raise create_exit(NO_ANSWER, f"no answer: {error}") from error
    except KeyboardInterrupt as interrupt:
        raise create_exit(INTERRUPTED, stopped) from interrupt
    finally:
        close_wiring(wiring)


def close_wiring(wiring: Wiring) -> None:
    """Return when it is closed, or cannot be: its thread keeps what waits then out of our way.

    A channel waits without end for a call that Ctrl-C has cut off at its start (docs/traps.md),
    and it does so as well where it is collected.
    """
    closing = threading.Thread(target=wiring.close, daemon=True)
    closing.start()
    closing.join(CLOSE_TIMEOUT_SECONDS)


def parse_seconds(option: str, span: str) -> float:
    """A span that an option gives, such as 30s, 1h30m or so many seconds; exits when it is none."""
    try:
        return parse_duration(span if span[-1:].isalpha() else f"{span}s").total_seconds()
    except (ValueError, OverflowError) as unreadable:
        raise create_exit(INVALID_USAGE, f"--{option}: {span!r} is no duration such as 30m") from unreadable


def read_restore_point(text: str) -> tuple[str, str]:
    """Return a restore point as a command names it, and its time in both zones; "": it is no time.

    A stamp as `date +%Y%m%d_%H%M` prints it is in the zone of this machine; a command has UTC.
    """
    try:
        is_stamp = STAMP.fullmatch(text)
        at = datetime.strptime(text, STAMP_FORMAT) if is_stamp else datetime.fromisoformat(text)
        if not is_stamp and at.tzinfo is None:
            return text, ""
        here, utc = at.astimezone(), at.astimezone(UTC)
    except (ValueError, OverflowError):
        return text, ""
    shown = f"{here:%Y-%m-%d %H:%M %Z} ({utc:%Y-%m-%d %H:%M} UTC)"
    return (f"{utc:%Y-%m-%dT%H:%M:%SZ}" if is_stamp else text), shown
