"""A fault plan at work: what it draws, what it injects, and how often it has."""

import threading
from collections.abc import Collection, Iterator, Sequence
from datetime import timedelta
from fnmatch import fnmatchcase
from random import Random
from typing import Any, Generic, TypeVar

import grpc
import msgspec
from google.protobuf.duration_pb2 import Duration
from google.rpc import error_details_pb2

from local.core.clock import CloudClock
from local.core.grpc_services import Dropped, StatusError, build_detailed_error
from local.faults import plan as fault_plan
from local.faults.hooks import CallMoment, Fate, FaultHooks
from local.faults.plan import Answer, CallFault, FaultPlan, MessageFault, OperationFault

MESSAGE_PREFIX = "message "
OPERATION_PREFIX = "operation "

F = TypeVar("F", bound=CallFault | OperationFault | MessageFault)


class _FaultDraw(Generic[F]):
    """Decides, match by match, when one fault of a plan happens; the nth always alike."""

    def __init__(self, fault: F, seed: str) -> None:
        self.fault = fault
        self.injected = 0
        self._seed = seed
        self._seen = 0

    def fall(self) -> Random | None:
        """One more match: what else to draw with when the fault happens now, else None."""
        self._seen += 1
        draw = Random(f"{self._seed}/{self._seen}")
        spent = self.fault.times is not None and self.injected >= self.fault.times
        if self._seen <= self.fault.skip or spent or draw.random() >= self.fault.share:
            return None
        self.injected += 1
        return draw


class Injection:
    """One plan in force: a hook and an oracle for `Faults`."""

    def __init__(self, plan: FaultPlan, clock: CloudClock) -> None:
        self.plan = plan
        self._clock = clock
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._calls = _build_draws(plan.calls, f"{plan.seed}/call")
        self._operations = _build_draws(plan.operations, f"{plan.seed}/operation")
        self._messages = _build_draws(plan.messages, f"{plan.seed}/message")

    def around(self, call: str, moment: CallMoment) -> None:
        """Delay a call, and answer it otherwise. Raises: Refused, Dropped."""
        came_at = self._clock.now()  # before it counts: whoever then moves the clock moves it on
        with self._lock:
            faults = [
                dice.fault
                for dice in self._calls
                if dice.fault.when == moment and fnmatchcase(call, dice.fault.call) and dice.fall()
            ]
        delay = sum(fault.delay_seconds for fault in faults)
        if delay:
            self._clock.wait(came_at + timedelta(seconds=delay), self._ended)
        for fault in faults:
            if fault.answer is not None:
                raise _answer(fault, call)

    def fate(self, thing: str) -> Fate | None:
        """What becomes of a message or an operation; None where no fault of the plan happens."""
        with self._lock:
            if thing.startswith(OPERATION_PREFIX):
                return self._fate_of_operation(thing.removeprefix(OPERATION_PREFIX))
            return self._fate_of_message(thing.removeprefix(MESSAGE_PREFIX))

    def counts(self) -> dict[str, list[int]]:
        """How often each fault has happened, in the plan's order."""
        with self._lock:
            return {
                "calls": [dice.injected for dice in self._calls],
                "operations": [dice.injected for dice in self._operations],
                "messages": [dice.injected for dice in self._messages],
            }

    def end(self) -> None:
        """Let every call that is being delayed go on."""
        self._ended.set()
        self._clock.wake()

    def _fate_of_operation(self, service: str) -> Fate | None:
        for dice in self._operations:
            if fnmatchcase(service, dice.fault.service) and dice.fall():
                return Fate(timedelta(seconds=dice.fault.delay_seconds), failure=dice.fault.failure)
        return None

    def _fate_of_message(self, subscription: str) -> Fate | None:
        for dice in self._messages:
            if fnmatchcase(subscription, dice.fault.subscription) and (draw := dice.fall()):
                later = dice.fault.delay_seconds + draw.uniform(0, dice.fault.reorder_seconds)
                return Fate(timedelta(seconds=later), dice.fault.copies)
        return None


class Injector:
    """The fault plan of one embedded cloud: none, or the one that was installed last."""

    def __init__(self, faults: FaultHooks, clock: CloudClock, served: Collection[str]) -> None:
        self._faults = faults
        self._clock = clock
        self._served = served
        self._lock = threading.Lock()
        self._injection: Injection | None = None

    def install(self, plan: FaultPlan) -> None:
        """Put a plan in force, from its beginning, in the place of the one before.

        Raises: BadPlan for calls that nobody serves; the one before stays.
        """
        fault_plan.check_calls(plan, self._served)
        with self._lock:
            self._replace(Injection(plan, self._clock))

    def remove(self) -> None:
        """Let nothing go wrong any more; calls that are being delayed go on at once."""
        with self._lock:
            self._replace(None)

    def report(self) -> dict[str, Any]:
        """`{"plan", "injected"}`: the plan as it is understood, and how often each fault happened.

        Both are None without a plan.
        """
        with self._lock:
            if self._injection is None:
                return {"plan": None, "injected": None}
            plan = msgspec.to_builtins(self._injection.plan)
            return {"plan": plan, "injected": self._injection.counts()}

    def _replace(self, injection: Injection | None) -> None:
        if self._injection is not None:
            self._faults.remove(self._injection.around)
            self._faults.remove_oracle(self._injection.fate)
            self._injection.end()
        self._injection = injection
        if injection is not None:
            self._faults.add(injection.around)
            self._faults.add_oracle(injection.fate)


def _build_draws(faults: Sequence[F], seed: str) -> list[_FaultDraw[F]]:
    return [_FaultDraw(fault, f"{seed}/{index}") for index, fault in enumerate(faults)]


def _answer(fault: CallFault, call: str) -> StatusError:
    message = f"Injected into {call}, {fault.when} its effect."
    if fault.answer is Answer.DROP:
        return Dropped(message)
    code = grpc.StatusCode[str(fault.answer)]
    return build_detailed_error(code, message, *_retry_info(fault))


def _retry_info(fault: CallFault) -> Iterator[error_details_pb2.RetryInfo]:
    if fault.retry_after_seconds:
        pause = Duration()
        pause.FromTimedelta(timedelta(seconds=fault.retry_after_seconds))
        yield error_details_pb2.RetryInfo(retry_delay=pause)
