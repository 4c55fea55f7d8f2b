"""What every AlertStates keeps, in memory and over the wire."""

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from msgspec import Struct
from msgspec.structs import replace

from local.core.grpc_services import Dropped
from local.faults.hooks import CallMoment, FaultHooks
from local.services.monitoring import Alerts
from local.services.monitoring.alerts import HOST
from local.services.monitoring.notification import AlertIncident
from shared.adapters.gcp.monitoring.alert_states import MonitoringAlerts
from shared.adapters.gcp.rest import Rest
from shared.core.errors import Rejected, Unavailable
from shared.ports.platform import AlertStates
from tests.contracts.support.rest import served
from tests.contracts.support.worlds import both_worlds
from tests.support.fakes.monitoring.alert_states import FakeAlertStates
from tests.support.fakes.runtime.clock import START

OPENED = "0.o3n8b2k6q1iv"


class AlertWorld(Struct):
    """One open alert, and how it closes, or stops answering."""

    states: AlertStates
    close: Callable[[], None]
    lose: Callable[[], None]


def in_memory() -> AlertWorld:
    states = FakeAlertStates()
    states.open[OPENED] = True

    def lost(verb: str, side: str) -> None:
        raise Unavailable("no answer")

    def lose() -> None:
        states.hook = lost

    return AlertWorld(states, lambda: states.open.update({OPENED: False}), lose)


def on_the_wire(faults: FaultHooks, incidents: list[AlertIncident], rest: Rest) -> AlertWorld:
    def close() -> None:
        incidents[0] = replace(incidents[0], ended_at=START + timedelta(minutes=5))

    def lost(call: str, moment: CallMoment) -> None:
        raise Dropped("no answer")

    return AlertWorld(MonitoringAlerts(rest, "shop"), close, lambda: faults.add(lost))


@pytest.fixture
def wire() -> Iterator[AlertWorld]:
    incidents = [AlertIncident(OPENED, "function_failure_rate", "placeorder", START, 0.8)]
    faults = FaultHooks()
    calls = Alerts(lambda project: incidents if project == "shop" else []).calls()
    with served(HOST, calls, faults) as rest:
        yield on_the_wire(faults, incidents, rest)


world = both_worlds(in_memory)


def test_an_alert_until_it_closes(world: AlertWorld) -> None:
    """It is open, and then it is not."""
    before = world.states.is_open(OPENED)

    world.close()

    assert (before, world.states.is_open(OPENED)) == (True, False)


@pytest.mark.parametrize("alert", ["0.unknown", "probe:shop/x?y", "../alerts"])
def test_an_alert_that_nobody_knows(world: AlertWorld, alert: str) -> None:
    """It is neither open nor closed, whatever stands in its id."""
    with pytest.raises(Rejected):
        world.states.is_open(alert)


def test_no_answer(world: AlertWorld) -> None:
    """Nothing is known then."""
    world.lose()

    with pytest.raises(Unavailable):
        world.states.is_open(OPENED)
