"""The control plane: what a process on the same machine may ask of the embedded cloud itself."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from msgspec import Struct

from local.control.application_control import ApplicationControl
from local.control.requests import BadRequest, decode_request
from local.core.clock import CloudClock
from local.faults import plan
from local.faults.injection import Injector
from local.faults.plan import BadPlan
from local.services.identity import Account, EmbeddedIdentity

PREFIX = "/_cloud/"
MAX_WAIT_SECONDS = 0.25
"""Of wall time: so soon a server that closes has answered everybody."""


class ClockChange(Struct, forbid_unknown_fields=True):
    """Move the clock by seconds, or let it run at another pace, or both."""

    advance: float | None = None
    scale: float | None = None


class Player(Struct, forbid_unknown_fields=True):
    """Who on this machine plays a host: `127.0.0.1:port`."""

    host: str
    address: str


class ControlPlane:
    """The verbs of the control plane.

    ======  ==================  ===========================================================
    GET     /_cloud/clock        `{"now", "origin", "scale", "pace"}`: cloud time, that of the
                                 start, and cloud seconds per wall second, while everybody waits
                                 and now; with `?wait=seconds&message=id` once so much cloud time
                                 has passed, or a quarter of a wall second: who has that message
                                 waits meanwhile
    POST    /_cloud/clock        `{"advance": seconds}`, `{"scale": x}` or both; the new clock,
                                 once alerts, ticks, expiry and writing have followed
    GET     /_cloud/addresses    `{"firestore": "127.0.0.1:port", …}`
    POST    /_cloud/played       a `Player`: what is pushed to its host goes there from now on; `{}`
    POST    /_cloud/tick         publish one clock tick now; `{}`
    GET     /_cloud/faults       `{"plan", "injected"}`: the fault plan in force, and how often
                                 each of its faults has happened; both null without one
    PUT     /_cloud/faults       a fault plan, in force from its beginning; as GET
    DELETE  /_cloud/faults       nothing goes wrong any more; as GET
    GET     /_cloud/application  `?system=`; per system and function: service, revision,
                                 release, failure_rate, traffic (percent per revision)
    GET     /_cloud/measures     `?system=`; per system what the last minute has brought
    POST    /_cloud/deploy       a `Deployment`; `{function: {"service", "revision"}}`
    POST    /_cloud/degrade      a `Degradation`; the function as in `application`
    POST    /_cloud/part         a `PartChange`; `{part: {"release", "failure_rate", …}}`
    POST    /_cloud/calls        `Calls`; `{function: [[callee, …], …]}`
    POST    /_cloud/records      a `Writing`; how far it has come
    GET     /_cloud/identity     `{"project", "hosts", "certificate"}`: where people sign in, the
                                 hosts of Identity, who vouches for all hosts of the proxy (PEM)
    POST    /_cloud/identity     an `Account`: a person is made or replaced; `{"uid"}`
    ======  ==================  ===========================================================

    All bodies are JSON; `local.control.application_control` and `local.services.identity` have the
    shapes. 400 and `{"error", "faults"}` for a request that cannot be, with every fault that was
    found; 404 for another path.
    """

    def __init__(
        self,
        clock: CloudClock,
        scenes: ApplicationControl,
        addresses: Mapping[str, str],
        tick: Callable[[], None],
        settle: Callable[[], None],
        injector: Injector,
        identity: EmbeddedIdentity,
        played: dict[str, str],
    ) -> None:
        self._clock = clock
        self._origin = clock.now()
        self._scenes = scenes
        self._addresses = addresses
        self._tick = tick
        self._settle = settle
        self._injector = injector
        self._identity = identity
        self._played = played

    def answer(self, method: str, path: str, query: Mapping[str, str], body: bytes) -> dict[str, Any] | None:
        """The answer to one request; None when nothing is there. Raises: BadRequest."""
        verb = path.removeprefix(PREFIX)
        if verb == "faults":
            return self._faults(method, body)
        if method == "GET":
            return self._told(verb, query)
        if method != "POST":
            return None
        match verb:
            case "clock":
                return self._change_clock(decode_request(body, ClockChange))
            case "played":
                player = decode_request(body, Player)
                self._played[player.host] = player.address
                return {}
            case "tick":
                self._tick()
                return {}
            case "identity":
                return self._identity.put(decode_request(body, Account))
            case _:
                return self._scenes.apply_change(verb, body)

    def _told(self, verb: str, query: Mapping[str, str]) -> dict[str, Any] | None:
        match verb:
            case "clock":
                return self._clock_after(query)
            case "addresses":
                return dict(self._addresses)
            case "application":
                return self._scenes.describe_state(query.get("system"))
            case "measures":
                return self._scenes.measures(query.get("system"))
            case "identity":
                return self._identity.connection_details()
            case _:
                return None

    def _clock_after(self, query: Mapping[str, str]) -> dict[str, Any]:
        try:
            until = self._clock.now() + timedelta(seconds=float(query.get("wait", 0)))
        except (ValueError, OverflowError) as error:
            raise BadRequest(str(error)) from error
        with self._clock.at_work.waiting(query.get("message", "")):
            self._clock.wait(until, at_most_seconds=MAX_WAIT_SECONDS)
        return self._clock_now()

    def _clock_now(self) -> dict[str, Any]:
        return {
            "now": self._clock.now().isoformat(),
            "origin": self._origin.isoformat(),
            "scale": self._clock.scale,
            "pace": self._clock.pace,
        }

    def _change_clock(self, change: ClockChange) -> dict[str, Any]:
        try:
            if change.scale is not None:
                self._clock.rescale(change.scale)
            if change.advance is not None:
                self._clock.advance(timedelta(seconds=change.advance))
        except (ValueError, OverflowError) as error:
            raise BadRequest(str(error)) from error
        self._settle()
        return self._clock_now()

    def _faults(self, method: str, body: bytes) -> dict[str, Any] | None:
        match method:
            case "GET":
                pass
            case "PUT":
                try:
                    self._injector.install(plan.parse_plan(body))
                except BadPlan as refused:
                    raise BadRequest(*refused.faults) from refused
            case "DELETE":
                self._injector.remove()
            case _:
                return None
        return self._injector.report()
